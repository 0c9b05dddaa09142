#!/bin/sh
# Runs test programs that print TAP, shows what failed, and counts.
#
#   run-tests.sh PROGRAM...        must-fail:PROGRAM is a wrong twin: failing is its pass
#   run-tests.sh --total FILE      adds up what the runs have left in $RESULTS
#
# The last line is "N passed, N failed"; the status is 1 if any failed. $TEST_JOBS (2) programs
# run at a time, each for $TEST_SECONDS (900) at most; one that takes $SLOW_SECONDS (10) says how
# long. With $SOAK_SECONDS all is run again and again for so long.
set -u

total()
{
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed
                                             exit failed > 0 || passed == 0 }' "$1"
}

# Runs one program, adds a line "PASSED FAILED" to $COUNTS, and says how it went in one piece, so
# that two do not mix.
one()
{
    program=$1 twin=${1#must-fail:}
    out=$(mktemp) || exit 2
    trap 'rm -f "$out"' EXIT
    # A twin has done its work when the first test of it has failed, and what follows a fault
    # is anybody's guess.
    [ "$twin" = "$program" ] || export CMOCKA_TEST_ABORT=1
    started=$(date +%s)
    timeout --kill-after=5 "${TEST_SECONDS:-900}" "$twin" >"$out" 2>&1 </dev/null &
    running=$!
    trap 'kill $running; exit 130' INT TERM
    wait $running 2>/dev/null
    status=$?
    ok=$(grep -c '^ok' "$out")
    bad=$(grep '^not ok' "$out" | grep -vc '# SKIP')
    if [ "$twin" != "$program" ]; then
        # A twin that could not start, or ran out of time before any of its tests had failed,
        # has not been seen to fail.
        case $bad,$status in
        0,0 | 0,124 | 0,126 | 0,127) ok=0 bad=1 said="NOT OK  $twin was not caught (status $status)" ;;
        *) ok=1 bad=0 said="ok      $twin fails, as it must" ;;
        esac
    else
        # A crash or a sanitizer's report between the tests is a failure too, and so is silence.
        [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
        grep -qE '^(not )?ok' "$out" || bad=1
        said="ok      $program: $ok passed"
        [ "$bad" -eq 0 ] || said="NOT OK  $program: $ok passed, $bad failed, status $status
$(grep -v '^ok' "$out" | tail -n 60 | sed 's/^/        /')"
    fi
    took=$(($(date +%s) - started))
    [ $took -lt "$SLOW_SECONDS" ] || said="$said ($took s)"
    echo "$ok $bad" >>"$COUNTS"
    [ "$bad" -eq 0 ] || echo "$said" >>"$COUNTS.failed"
    [ "$bad" -eq 0 ] && [ -n "${QUIET-}" ] || echo "$said"
}

export SLOW_SECONDS="${SLOW_SECONDS:-10}"
case ${1-} in
--total)
    total "$2"
    exit
    ;;
--one)
    one "$2"
    exit
    ;;
esac

export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS="detect_stack_use_after_return=1:${ASAN_OPTIONS-}"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:${TSAN_OPTIONS-}"
COUNTS=$(mktemp) || exit 2
export COUNTS
trap 'rm -f "$COUNTS" "$COUNTS.failed"' EXIT
trap 'exit 130' INT TERM

run_all()
{
    printf '%s\n' "$@" | xargs -P "${TEST_JOBS:-2}" -I '{}' "$0" --one '{}'
    [ "$(wc -l <"$COUNTS")" -ge $# ] || exit 130 # interrupted
    sums=$(total "$COUNTS")
}

began=$(date +%s)
run_all "$@"
passed=$?
# To soak is to run the same again with other seeds until the time is up, or one fails.
while [ $passed -eq 0 ] && [ $(($(date +%s) - began)) -lt "${SOAK_SECONDS:-0}" ]; do
    TEST_SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    export TEST_SEED QUIET=yes
    echo "again, with TEST_SEED=$TEST_SEED; $sums so far"
    run_all "$@"
    passed=$?
done

# Once more, where it is seen by who sees only the last lines.
cat "$COUNTS.failed" 2>/dev/null
[ -z "${RESULTS-}" ] || echo "$sums" | awk '{ print $1, $3 }' >>"$RESULTS"
echo "$sums"
[ $passed -eq 0 ]
