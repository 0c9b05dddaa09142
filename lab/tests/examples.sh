#!/bin/sh
# scripts/examples/: what a user's own script may look like, from a results file to a figure.
. scripts/tap.sh

! sanitized || skip_rest "scripts/examples" "no part of the lab is in this"
export PYTHONDONTWRITEBYTECODE=1

# example NAME PROGRAM PATTERN COMMAND...: it prints or draws what matches the pattern,
# in which ~ is the end of a line
example()
{
    name=$1 needs=$2 pattern=$3
    shift 3
    if ! sh -c "$needs" >/dev/null 2>&1; then
        skip "$name" "it is not installed: scripts/install.sh examples"
        return
    fi
    run "$@" && [ ! -s "$err" ] &&
        cat "$out" "$dir"/*.svg 2>/dev/null | tr '\n' '~' | grep -qE -- "$pattern"
    result "$name"
}

$python lab/tests/fixture.py "$dir" || exit 2
# In the last run another build, by the name of a mode of this one; the other run is nonsense.
$python -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as results:
    results.execute("UPDATE cells SET mode = ?, build = ? WHERE run = 2 AND mode = ?",
                    ("atomic", "old", "gil"))
    results.execute("UPDATE samples SET ops = 1 WHERE window IN (SELECT window FROM windows"
                    " JOIN cells USING (cell) WHERE run = 1)")' "$dir/results.db" || exit 2
example "pandas: the last run, each build by itself" "$python -c 'import pandas'" \
    '~fib +atomic +jemalloc +thread +NaN +1\.00 +2\.05 [^~]*~ +old +thread +NaN +1\.00 +1\.01 ' \
    scripts/examples/with_pandas.py "$dir/results.db"
example "gnuplot: a line each" "command -v gnuplot && command -v sqlite3" \
    '>atomic/jemalloc/old<.*>atomic/jemalloc<.*>biased/jemalloc<' \
    scripts/examples/with_gnuplot.gp "$dir/results.db" fib "$dir/picture.svg"
plan
