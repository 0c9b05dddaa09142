#!/bin/sh
# scripts/examples/: what a user's own script may look like, from a results file to a figure.
. scripts/tap.sh

! sanitized || skip_rest "scripts/examples" "no part of the lab is in this"
export PYTHONDONTWRITEBYTECODE=1

# example NAME PROGRAM PATTERN COMMAND...: it prints or draws what matches the pattern
example()
{
    name=$1 needs=$2 pattern=$3
    shift 3
    if ! sh -c "$needs" >/dev/null 2>&1; then
        skip "$name" "it is not installed: scripts/install.sh examples"
        return
    fi
    run "$@" && [ ! -s "$err" ] &&
        cat "$out" "$dir"/*.svg 2>/dev/null | grep -qE -- "$pattern"
    result "$name"
}

$python lab/tests/fixture.py "$dir" || exit 2
example "pandas" "$python -c 'import pandas'" \
    '^ +fib +atomic +NaN +1\.00 +1\.90 ' \
    scripts/examples/with_pandas.py "$dir/results.db"
example "gnuplot" "command -v gnuplot && command -v sqlite3" '<title>biased</title>' \
    scripts/examples/with_gnuplot.gp "$dir/results.db" fib "$dir/picture.svg"
plan
