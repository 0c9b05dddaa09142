# shellcheck shell=sh
# tap.sh - what the tests in lab/tests/*.sh share: a folder, the lab run there, and TAP.
#
# A test begins in the root of the tree with `. scripts/tap.sh` and ends with `plan`. It has
#
#   $LAB                 the program: what the environment says, or build/release/lab
#   $python              Debian's, for which scripts/install.sh installs the modules
#   $dir                 an empty folder of its own, removed at the end, also after Ctrl-C
#   $out $err $status    of the last `run` or `lab`: two files in that folder, and a number
#
# A single test is a condition and `result NAME`, or `is NAME COMMAND...`. A script that stops
# halfway prints no plan.
set -u

LAB=${LAB:-build/release/lab}
# shellcheck disable=SC2034
python=/usr/bin/python3
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
out=$dir/out
err=$dir/err
number=0

# result NAME: a line of TAP by the status of the command before; below a failure, the ends of
# what was said last, in letters that do nothing to a terminal. A name may have several lines.
result()
{
    if [ $? -eq 0 ]; then verdict=ok; else verdict='not ok'; fi
    number=$((number + 1))
    echo "$verdict $number - $(printf '%s' "$1" | tr '\n' ' ')"
    [ "$verdict" = ok ] ||
        tail -n 20 "$dir/is" "$out" "$err" 2>/dev/null | cat -v | sed 's/^/# /'
    rm -f "$dir/is"
}

# is NAME COMMAND...: the same by the status of this command. What it sets is lost.
is()
{
    (shift && "$@") >"$dir/is" 2>&1
    result "$1"
}

# run PROGRAM ARGUMENT...: at most two minutes, without input. Leaves $out, $err and $status,
# which is also its own.
run()
{
    timeout 120 "$@" >"$out" 2>"$err" </dev/null
    status=$?
    return $status
}

# lab ARGUMENT...: runs the program.
lab()
{
    run "$LAB" "$@"
}

# refused PATTERN: whether the last run met a user's mistake as it should: status 2, no output,
# one line of error that the pattern matches.
refused()
{
    [ "$status" -eq 2 ] && [ ! -s "$out" ] && [ "$(wc -l <"$err")" -eq 1 ] &&
        grep -q -e "$1" "$err"
}

# mistake PATTERN ARGUMENT...: tests that the lab refuses this.
mistake()
{
    pattern=$1
    shift
    lab "$@"
    refused "$pattern"
    result "says what is wrong: $*"
}

# change FILE SQL: changes a database.
change()
{
    $python -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])' "$@"
}

# skip NAME REASON: counts a test that is not run here.
skip()
{
    number=$((number + 1))
    echo "ok $number - $1 # skip $2"
}

# skip_rest NAME REASON: the same for all that follow; ends the script.
skip_rest()
{
    skip "$@"
    plan
    exit
}

# plan: how many tests there were; the last line.
plan()
{
    echo "1..$number"
}

# sanitized: whether the program is built with a sanitizer.
sanitized()
{
    case $LAB in
    */asan/lab | */tsan/lab) true ;;
    *) false ;;
    esac
}

# has_policies NAME...: whether the program was built with all of these.
has_policies()
{
    for policy in "$@"; do
        "$LAB" list policies | grep -q "^  $policy " || return
    done
}

# safe_mode: a mode that the program has, whatever policies it was built with.
safe_mode()
{
    if has_policies plain; then
        echo gil
    else
        "$LAB" list policies | sed -n '2s/^  \([a-z_]*\) .*/\1+mutex/p'
    fi
}
