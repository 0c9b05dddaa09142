#!/bin/sh
# Runs test programs that print TAP, shows what failed, and counts.
#
#   run-tests.sh PROGRAM...        must-fail:PROGRAM is a wrong twin: failing is its pass
#   run-tests.sh --total FILE      adds up what the runs have left in $RESULTS
#
# The last line is "N passed, N failed"; the status is 1 if any failed. A program may
# run for $TEST_SECONDS (300). With $SOAK_SECONDS all is run again and again for so long.
set -u

if [ "${1-}" = --total ]; then
    awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed
                                             exit failed > 0 || passed == 0 }' "$2"
    exit
fi

out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 quiet=
say() { [ -n "$quiet" ] || echo "$@"; }
export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS="detect_stack_use_after_return=1:${ASAN_OPTIONS-}"
export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:${TSAN_OPTIONS-}"

run_all()
{
    for program in "$@"; do
        twin=${program#must-fail:}
        timeout --kill-after=5 "${TEST_SECONDS:-300}" "$twin" >"$out" 2>&1 </dev/null
        status=$?
        ok=$(grep -c '^ok' "$out")
        bad=$(grep '^not ok' "$out" | grep -vc '# SKIP')
        if [ "$twin" != "$program" ]; then
            # A twin that could not start, or ran out of time before any of its tests had
            # failed, has not been seen to fail.
            if [ "$bad" -gt 0 ] || { [ $status -ne 0 ] && [ $status -ne 124 ] &&
                [ $status -lt 126 -o $status -gt 127 ]; }; then
                passed=$((passed + 1))
                say "ok      $twin fails, as it must"
            else
                failed=$((failed + 1))
                echo "NOT OK  $twin was not caught (status $status)"
            fi
            continue
        fi
        # A crash or a sanitizer's report between the tests is a failure too, and so is silence.
        [ $status -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
        grep -qE '^(not )?ok' "$out" || bad=1
        passed=$((passed + ok)) failed=$((failed + bad))
        if [ "$bad" -gt 0 ]; then
            echo "NOT OK  $program: $ok passed, $bad failed, status $status"
            grep -v '^ok' "$out" | tail -n 60 | sed 's/^/        /'
        else
            say "ok      $program: $ok passed"
        fi
    done
}

began=$(date +%s)
run_all "$@"
# To soak is to run the same again with other seeds until the time is up, or one fails.
while [ "$failed" -eq 0 ] && [ $(($(date +%s) - began)) -lt "${SOAK_SECONDS:-0}" ]; do
    TEST_SEED=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    export TEST_SEED
    echo "again, with TEST_SEED=$TEST_SEED; $passed passed so far"
    quiet=yes
    run_all "$@"
done

[ -z "${RESULTS-}" ] || echo "$passed $failed" >>"$RESULTS"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
