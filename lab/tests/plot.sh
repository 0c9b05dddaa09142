#!/bin/sh
# scripts/plot.py: what it draws, and what it says when it cannot. The SVG carries every
# label as a comment, so the words and figures of a picture can be looked for.
set -u

plot=scripts/plot.py
if ! /usr/bin/python3 -B -c 'import matplotlib' 2>/dev/null; then
    echo "ok 1 - # skip matplotlib is not installed"
    echo "1..1"
    exit
fi
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$place"
number=0

# check STATUS NAME: a line of TAP
check()
{
    number=$((number + 1))
    [ "$1" -eq 0 ] && echo "ok $number - $2" || echo "not ok $number - $2"
}

# row WORKLOAD KIND MODE THREADS ROUND WINDOW STATUS SAFE ROLE WORKER OPS
row()
{
    echo "$1,$2,call,nothing,$3,plain,none,jemalloc,$4,2,$5,0,$6,$7,,$8,$9,${10},${11}," \
         "${11:+0.5},0.4,1,0,0,bound,0,0,0,0,0,0,0,0,0,0,0,2025-01-02T03:04:05Z" | tr -d ' '
}

results()
{
    echo "workload,kind,unit,shares,mode,policy,gil,heap,threads,cores,round,order,window," \
         "status,note,safe,role,worker,ops,seconds,cpu_seconds,overlap,planned_pu," \
         "observed_pu,binding,p50_ns,p90_ns,p99_ns,max_ns,lost,published,off,miscount,leaked," \
         "early,parked_bytes,when" | tr -d ' '
    row fib cpu gil 1 0 timed ok yes worker 0 900
    row fib cpu gil 2 0 timed ok yes worker 0 450
    row fib cpu gil 2 0 timed ok yes worker 1 450
    row fib cpu nolock 1 0 timed ok no worker 0 1000
    row fib cpu nolock 1 1 timed ok no worker 0 3000
    row fib cpu nolock 1 0 audit ok no worker 0 77777
    row fib cpu nolock 2 0 timed timeout no '' '' ''
    row fib cpu nolock 1 0 timed ok no helper 0 55555
    row "echo:clients=1" io gil 1 0 timed ok yes client 0 500
    row "echo:clients=1" io gil 2 0 timed ok yes client 0 500
    row "echo:clients=1" io gil 2 0 timed ok yes client 1 500
}

# says NAME TEXT: the picture has these words in it
says()
{
    tr '\n' ' ' <"$place/picture.svg" | grep -qF -- "$2"
    check $? "$1"
}

# refuses NAME WORDS ARGUMENTS...: status 2, and one line that has the words in it
refuses()
{
    name=$1 words=$2
    shift 2
    $plot "$@" >"$place/out" 2>&1
    [ $? -eq 2 ] && [ "$(wc -l <"$place/out")" -eq 1 ] && grep -qF -- "$words" "$place/out"
    check $? "$name"
}

results >"$place/results.csv"

$plot "$place/results.csv" -o "$place/picture.png"
check $? "draws a PNG"
set -- $(od -An -tu1 -j16 -N8 "$place/picture.png") 0 0 0 0 0 0 0 0
[ $(($3 * 256 + $4)) -ge 1000 ] && [ $(($7 * 256 + $8)) -ge 600 ] &&
    [ "$(wc -c <"$place/picture.png")" -gt 20000 ]
check $? "of a size to be read"

$plot "$place/results.csv" -o "$place/picture.svg" --command 'make run'
check $? "draws an SVG"
says "a panel for the first CPU-bound workload" "CPU-bound: fib"
says "a panel for the first I/O-bound workload" "I/O-bound: echo:clients=1"
says "the median of timed windows, first role only" "1 thread of nolock: 4 thousand calls/s"
says "without nolock the first mode is the measure" "1 thread of gil: 1 thousand calls/s"
says "an unsafe mode is marked" "<!-- nolock (unsafe) -->"
says "what is missing is named" "fib under nolock at 2 threads (timeout)"
says "where it comes from" "2 cores  ·  2025-01-02  ·  make run  ·  results.csv"

$plot "$place/results.csv" -o "$place/picture.svg" --workloads echo
! grep -q 'CPU-bound: fib' "$place/picture.svg" && grep -q 'I/O-bound: echo' "$place/picture.svg"
check $? "draws the workloads that are asked for"

refuses "an unknown workload" "try fib" "$place/results.csv" -o "$place/x.png" --workloads fob
refuses "an unknown kind of picture" "ends in .png or .svg" "$place/results.csv" -o "$place/x.gif"
refuses "a picture that cannot be written" "No such file" "$place/results.csv" -o "$place/no/x.png"
refuses "no file of results" "No such file" "$place/none.csv" -o "$place/x.png"
refuses "an argument left out" "required" "$place/results.csv"
echo "a,b" >"$place/other.csv"
refuses "another CSV" "no column workload" "$place/other.csv" -o "$place/x.png"
results | head -n 1 >"$place/empty.csv"
refuses "no data" "no timed window" "$place/empty.csv" -o "$place/x.png"
{ results; echo "fib,cpu"; } >"$place/cut.csv"
refuses "a line cut short" "line 13" "$place/cut.csv" -o "$place/x.png"
{ results; results | tail -n 1; } >"$place/twice.csv"
refuses "a worker counted twice" "stands here twice" "$place/twice.csv" -o "$place/x.png"
echo "1..$number"
