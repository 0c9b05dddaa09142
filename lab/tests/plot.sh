#!/bin/sh
# scripts/plot.py: what it draws, and what it says when it cannot. The SVG carries every
# label as a comment, so the words and figures of a picture can be looked for.
. scripts/tap.sh

plot=scripts/plot.py
$python -B -c 'import matplotlib' 2>/dev/null || skip_rest $plot "matplotlib is not installed"
! sanitized || skip_rest $plot "no part of the lab is in this"
export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$dir"

# sql FILE QUERY
sql()
{
    $python -c 'import sqlite3, sys
for row in sqlite3.connect(sys.argv[1], isolation_level=None).execute(sys.argv[2]): print(*row)' "$@"
}

# words PICTURE: all of them, line after line
words()
{
    sed -n 's/.*<!-- \(.*\) -->.*/\1/p' "$1" | tr '\n' ' '
}

# says NAME TEXT: the picture has these words in it
says()
{
    words "$dir/picture.svg" | grep -qF -- "$2"
    result "$1"
}

# lacks NAME TEXT: it has not
lacks()
{
    ! words "$dir/picture.svg" | grep -qF -- "$2"
    result "$1"
}

# refuses NAME PATTERN ARGUMENT...: that plot.py refuses this
refuses()
{
    name=$1 pattern=$2
    shift 2
    run $plot "$@"
    refused "$pattern"
    result "$name"
}

$python lab/tests/fixture.py "$dir" --csv || exit 2
sql "$dir/other.db" "CREATE TABLE t (x)"
results=$dir/results.db

$plot "$results" -o "$dir/picture.png"
result "draws a PNG"
set -- $(od -An -tu1 -j16 -N8 "$dir/picture.png") 0 0 0 0 0 0 0 0
[ $(($3 * 256 + $4)) -ge 1000 ] && [ $(($7 * 256 + $8)) -ge 600 ] &&
    [ "$(wc -c <"$dir/picture.png")" -gt 20000 ]
result "of a size to be read"

$plot "$results" -o "$dir/picture.svg" --run 1 --command 'make run'
result "draws an SVG"
says "a panel for the first CPU-bound workload" "CPU-bound: fib"
says "a panel for the first I/O-bound workload" "I/O-bound: sleep"
one=$(sql "$results" "SELECT printf('%.3g', rate / 1e6) FROM medians
                          WHERE (run, workload, mode, threads) = (1, 'fib', 'nolock', 1)")
says "one thread of nolock is the measure" "1 thread of nolock: $one million calls/s"
says "an unsafe mode is marked" "nolock (unsafe)"
says "where it comes from" "madeup  ·  4 cores  ·  2025-01-02  ·  make run  ·  results.db"

says "and what disturbed it" "other machines: up to 0 % of the processors  ·  other programs: up to 1 %"
lacks "but no floor that nobody asked for" "noise floor"
lacks "a machine that is there is not simulated" "simulated"
$plot "$results" -o "$dir/picture.svg" --lab "$dir/lab"
says "the noise floor, if the lab is asked" "noise floor 2.1 %"
cp "$results" "$dir/planned.db"
sql "$dir/planned.db" "UPDATE samples SET binding = 'simulated'"
$plot "$dir/planned.db" -o "$dir/picture.svg"
says "a simulated machine is called so" "simulated: planned for another machine, nothing was bound"
says "and its cores" "4 simulated cores"
lacks "work that computes has no ideal there" "the ideal ends at the number of cores"

# The same from its CSV, but for the names of file and machine.
for name in cpu-vs-io scaling; do
    $plot "$results" -o "$dir/of-db.svg" --run 1 --plot $name
    $plot "$dir/results.csv" -o "$dir/picture.svg" --run 1 --plot $name
    [ "$(words "$dir/picture.svg" | sed 's/results\.csv/results.db/')" = \
        "$(words "$dir/of-db.svg" | sed 's/madeup  ·  //')" ]
    result "the CSV gives $name with the same words and figures"
done

$plot "$results" -o "$dir/picture.svg" --workloads echo
says "draws the workloads that are asked for" "I/O-bound: echo"
lacks "and no others" "CPU-bound: fib"
says "what is missing is named" "echo under gil at 8 threads (4 of 5: timeout: no end after"

for name in scaling safety latency cost fairness memory; do
    $plot "$results" -o "$dir/picture.svg" --plot $name
    result "draws $name"
    says "and says how to read it" "How to read it."
done
$plot "$results" -o "$dir/picture.svg" --plot scaling --lab "$dir/lab"
says "a curve where there is a fit" "Universal Scalability Law"
says "none where it was refused, and why" "No curve for sleep, echo: fewer than four"
says "what is not run is named" "fib_shared under nolock at 16 threads (two threads rebuild"
$plot "$results" -o "$dir/picture.svg" --plot scaling
lacks "no curve unless the lab was asked" "Universal Scalability Law"
lacks "all intervals fit" "An arrow at the edge"
$plot "$results" -o "$dir/picture.svg" --plot safety
says "what is hatched is not called hollow" "Hatched bars: unsafe"
cp "$results" "$dir/restless.db"
sql "$dir/restless.db" "UPDATE samples SET ops = 9 * ops WHERE window IN (SELECT window FROM windows
    JOIN cells USING (cell) WHERE (workload, mode, threads) = ('fib', 'gil', block) AND block < 3)"
for name in cpu-vs-io scaling safety; do
    $plot "$dir/restless.db" -o "$dir/picture.svg" --plot $name
    says "$name: a wild window does not flatten the rest" "An arrow at the edge"
done
if command -v lstopo-no-graphics >/dev/null; then
    $plot "$results" -o "$dir/picture.svg" --plot machine
    says "draws the machine" "Package L#0"
    (PATH=/nowhere $plot "$results" -o "$dir/x.svg" --plot machine) 2>&1 | grep -q 'hwloc-nox'
    result "or says what it lacks"
fi

refuses "an unknown workload" "try fib" "$results" -o "$dir/x.png" --workloads fob
refuses "an unknown plot" "there are: cpu-vs-io, scaling" "$results" -o "$dir/x.png" --plot pie
refuses "an unknown run" "there are: 1, 2" "$results" -o "$dir/x.png" --run 3
refuses "an unknown kind of picture" "ends in .png or .svg" "$results" -o "$dir/x.gif"
refuses "a picture that cannot be written" "No such file" "$results" -o "$dir/no/x.png"
refuses "no file of results" "No such file" "$dir/none.csv" -o "$dir/x.png"
refuses "an argument left out" "required" "$results"
echo "a,b" >"$dir/other.csv"
refuses "another CSV" "no column machine" "$dir/other.csv" -o "$dir/x.png"
head -n 1 "$dir/results.csv" >"$dir/empty.csv"
refuses "no data" "no timed window" "$dir/empty.csv" -o "$dir/x.png"
{ head -n 11 "$dir/results.csv"; echo "fib,cpu"; } >"$dir/cut.csv"
refuses "a line cut short" "line 12" "$dir/cut.csv" -o "$dir/x.png"
{ head -n 11 "$dir/results.csv"; sed -n 11p "$dir/results.csv"; } >"$dir/twice.csv"
refuses "a worker counted twice" "line 12" "$dir/twice.csv" -o "$dir/x.png"
head -c 3000 /dev/urandom >"$dir/noise.csv"
refuses "noise" "neither a results file nor its CSV" "$dir/noise.csv" -o "$dir/x.png"
refuses "a database of something else" "not one of results" "$dir/other.db" -o "$dir/x.png"
[ ! -e "$dir/x.png" ]
result "and draws none of these"
plan
