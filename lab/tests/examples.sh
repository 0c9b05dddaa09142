#!/bin/sh
# scripts/examples/: what a user's own script may look like, from a results file to a figure.
set -u
case ${LAB-} in
*/asan/* | */tsan/*)
    echo "ok 1 - # skip no part of the lab is in this"
    echo "1..1"
    exit
    ;;
esac
place=$(mktemp -d) || exit 2
trap 'rm -rf "$place"' EXIT
export PYTHONDONTWRITEBYTECODE=1
number=0

# example NAME PROGRAM PATTERN COMMAND...: it prints or draws what matches the pattern
example()
{
    number=$((number + 1))
    name=$1 needs=$2 pattern=$3
    shift 3
    if ! sh -c "$needs" >/dev/null 2>&1; then
        echo "ok $number - $name # skip it is not installed: scripts/install.sh examples"
    elif "$@" >"$place/out" 2>"$place/err" && cat "$place/out" "$place"/*.svg 2>/dev/null |
            grep -qE -- "$pattern" && [ ! -s "$place/err" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        sed 's/^/# /' "$place/out" "$place/err" | head -n 20
    fi
}

/usr/bin/python3 lab/tests/fixture.py "$place" || exit 2
example "pandas" "/usr/bin/python3 -c 'import pandas'" \
    '^ +fib +atomic +NaN +1\.00 +1\.90 ' \
    scripts/examples/with_pandas.py "$place/results.db"
example "gnuplot" "command -v gnuplot && command -v sqlite3" '<title>biased</title>' \
    scripts/examples/with_gnuplot.gp "$place/results.db" fib "$place/picture.svg"
echo "1..$number"
