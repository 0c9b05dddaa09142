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
case ${LAB-} in
*/asan/* | */tsan/*)
    echo "ok 1 - # skip no part of the lab is in this"
    echo "1..1"
    exit
    ;;
esac
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

# sql FILE QUERY
sql()
{
    /usr/bin/python3 -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]): print(*row)' "$@"
}

# words PICTURE: all of them, line after line
words()
{
    sed -n 's/.*<!-- \(.*\) -->.*/\1/p' "$1" | tr '\n' ' '
}

# says NAME TEXT: the picture has these words in it
says()
{
    words "$place/picture.svg" | grep -qF -- "$2"
    check $? "$1"
}

# lacks NAME TEXT: it has not
lacks()
{
    ! words "$place/picture.svg" | grep -qF -- "$2"
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

/usr/bin/python3 lab/tests/fixture.py "$place" --csv || exit 2
sql "$place/other.db" "CREATE TABLE t (x)"
results=$place/results.db

$plot "$results" -o "$place/picture.png"
check $? "draws a PNG"
set -- $(od -An -tu1 -j16 -N8 "$place/picture.png") 0 0 0 0 0 0 0 0
[ $(($3 * 256 + $4)) -ge 1000 ] && [ $(($7 * 256 + $8)) -ge 600 ] &&
    [ "$(wc -c <"$place/picture.png")" -gt 20000 ]
check $? "of a size to be read"

$plot "$results" -o "$place/picture.svg" --run 1 --command 'make run'
check $? "draws an SVG"
says "a panel for the first CPU-bound workload" "CPU-bound: fib"
says "a panel for the first I/O-bound workload" "I/O-bound: sleep"
one=$(sql "$results" "SELECT printf('%.3g', rate / 1e6) FROM medians
                          WHERE (run, workload, mode, threads) = (1, 'fib', 'nolock', 1)")
says "one thread of nolock is the measure" "1 thread of nolock: $one million calls/s"
says "an unsafe mode is marked" "nolock (unsafe)"
says "where it comes from" "madeup  ·  4 cores  ·  2025-01-02  ·  make run  ·  results.db"

# The same from its CSV, but for the names of file and machine.
for name in cpu-vs-io scaling; do
    $plot "$results" -o "$place/of-db.svg" --run 1 --plot $name
    $plot "$place/results.csv" -o "$place/picture.svg" --run 1 --plot $name
    [ "$(words "$place/picture.svg" | sed 's/results\.csv/results.db/')" = \
        "$(words "$place/of-db.svg" | sed 's/madeup  ·  //')" ]
    check $? "the CSV gives $name with the same words and figures"
done

$plot "$results" -o "$place/picture.svg" --workloads echo
says "draws the workloads that are asked for" "I/O-bound: echo"
lacks "and no others" "CPU-bound: fib"
says "what is missing is named" "echo under gil at 8 threads (4 of 5: timeout: no end after"

for name in scaling safety latency fairness memory; do
    $plot "$results" -o "$place/picture.svg" --plot $name
    check $? "draws $name"
    says "and says how to read it" "How to read it."
done
$plot "$results" -o "$place/picture.svg" --plot scaling --lab "$place/lab"
says "a curve where there is a fit" "Universal Scalability Law"
says "none where it was refused, and why" "No curve for sleep, echo: fewer than four"
says "what is not run is named" "fib_shared under nolock at 16 threads (two threads rebuild"
$plot "$results" -o "$place/picture.svg" --plot scaling
lacks "no curve unless the lab was asked" "Universal Scalability Law"
if command -v lstopo-no-graphics >/dev/null; then
    $plot "$results" -o "$place/picture.svg" --plot machine
    says "draws the machine" "Package L#0"
    (PATH=/nowhere $plot "$results" -o "$place/x.svg" --plot machine) 2>&1 | grep -q 'hwloc-nox'
    check $? "or says what it lacks"
fi

refuses "an unknown workload" "try fib" "$results" -o "$place/x.png" --workloads fob
refuses "an unknown plot" "there are: cpu-vs-io, scaling" "$results" -o "$place/x.png" --plot pie
refuses "an unknown run" "there are: 1, 2" "$results" -o "$place/x.png" --run 3
refuses "an unknown kind of picture" "ends in .png or .svg" "$results" -o "$place/x.gif"
refuses "a picture that cannot be written" "No such file" "$results" -o "$place/no/x.png"
refuses "no file of results" "No such file" "$place/none.csv" -o "$place/x.png"
refuses "an argument left out" "required" "$results"
echo "a,b" >"$place/other.csv"
refuses "another CSV" "no column machine" "$place/other.csv" -o "$place/x.png"
head -n 1 "$place/results.csv" >"$place/empty.csv"
refuses "no data" "no timed window" "$place/empty.csv" -o "$place/x.png"
{ head -n 11 "$place/results.csv"; echo "fib,cpu"; } >"$place/cut.csv"
refuses "a line cut short" "line 12" "$place/cut.csv" -o "$place/x.png"
{ head -n 11 "$place/results.csv"; sed -n 11p "$place/results.csv"; } >"$place/twice.csv"
refuses "a worker counted twice" "line 12" "$place/twice.csv" -o "$place/x.png"
head -c 3000 /dev/urandom >"$place/noise.csv"
refuses "noise" "neither a results file nor its CSV" "$place/noise.csv" -o "$place/x.png"
refuses "a database of something else" "not one of results" "$place/other.db" -o "$place/x.png"
[ ! -e "$place/x.png" ]
check $? "and draws none of these"
echo "1..$number"
