#!/bin/sh
# Sees that a borrowed reference cannot be given away: prints TAP, a line per file.
#
#   COMPILE="gcc -std=c17 -I. ..." ownership.sh FILE...
#
# Each objects/wrong/ownership_*.c must be refused for what it does with a borrowed
# reference, and compile once that is mended (-DFIXED=1); each FILE must compile. The
# status is 1 if one does otherwise.
set -u

number=0 failed=0

# say WHAT: its number and outcome, after the last command's status.
say()
{
    status=$?
    number=$((number + 1))
    if [ $status -eq 0 ]; then
        echo "ok $number - $1"
    else
        failed=1
        echo "not ok $number - $1"
    fi
}

compiles()
{
    errors=$($COMPILE -fsyntax-only "$@" 2>&1)
}

is_refused()
{
    ! compiles "$1" && case $errors in *discard*qualifier*) true ;; *) false ;; esac
}

for file in objects/wrong/ownership_*.c; do
    is_refused "$file"
    say "$file is refused"
    compiles -DFIXED=1 "$file"
    say "$file, mended, compiles"
done
for file in "$@"; do
    compiles "$file"
    say "$file compiles"
done
echo "1..$number"
exit $failed
