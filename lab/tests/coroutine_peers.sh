#!/bin/sh
# scripts/coroutine_peers.py and what it runs: what it says of figures that are made up, of peers
# that are not there, and of mistakes; and that each peer that is there does each job.
. scripts/tap.sh

! sanitized || skip_rest "scripts/coroutine_peers.py" "no part of the lab is in this"
export PYTHONDONTWRITEBYTECODE=1
peers=scripts/coroutine_peers.py twin=scripts/twin_coroutines.py parked=scripts/parked_peers.py

# A program of micro-benchmarks: $FIGURES says what each takes, one round after the other; a null
# is one that fails.
cat >"$dir/bench" <<'PY'
#!/usr/bin/python3
import json, os, re, sys
figures = json.load(open(os.environ["FIGURES"]))
if "--benchmark_list_tests" in sys.argv:
    print(*(f"{name}/manual_time" for name in figures), sep="\n")
    sys.exit()
wanted = re.compile(next(a for a in sys.argv if a.startswith("--benchmark_filter=")).split("=", 1)[1])
rows = []
for name, rounds in figures.items():
    if wanted.match(f"{name}/manual_time"):
        ns = rounds.pop(0)
        rows += [dict(run_type="iteration", run_name=f"{name}/manual_time", cpu_time=ns,
                      real_time=-1, error_occurred=ns is None)] * 3
print(json.dumps(dict(benchmarks=rows)))
json.dump(figures, open(os.environ["FIGURES"], "w"))
PY
chmod +x "$dir/bench"
export FIGURES="$dir/figures"

# Libraries that are not installed, whatever is.
mkdir "$dir/nothing"
for library in greenlet gevent uvloop tornado; do
    echo 'raise ImportError' >"$dir/nothing/$library.py"
done

# of FIGURES ARGUMENT...: the table of a program that has these, where no library is.
of()
{
    echo "$1" >"$FIGURES"
    shift
    PYTHONPATH="$dir/nothing" run $python $peers "$dir/bench" "$@"
}

# says PATTERN: that the last table has such a line; blanks may be more.
says()
{
    tr -s ' ' <"$out" | grep -qE -e "$1"
}

six='[8, 8, 8, 8, 8, 8]'
of "{\"fiber_switch/native\": [2, 4, 2, 4, 2, 4], \"boost_fiber_switch\": $six}" --rounds 6 switch
is "a table of medians, and of the rounds' ratios with their range" \
    says '^\| a stack resumed.* \| boost.context \| 3.00 \| 8.00 \| 3.00 \| 2.00 .. 4.00 \| ahead \|$'
of "{\"fiber_switch/native\": [16, 32, 16, 32, 16, 32], \"boost_fiber_switch\": $six}" --rounds 6 switch
is "a peer that takes less is ahead of the lab" says '\| behind \|$'
is "which is no failure" [ "$status" -eq 0 ]
is "and the sentence names it" \
    says '^Of 1 comparisons the lab is ahead in 0, behind in 1 \(boost.context: switch\)\.$'
of "{\"fiber_switch/native\": [4, 16, 4, 16, 4, 16], \"boost_fiber_switch\": $six}" --rounds 6 switch
is "what could be either is level" says '\| 0.50 .. 2.00 \| level \|$'
of "{\"fiber_switch/native\": [4], \"boost_fiber_switch\": [8]}" --rounds 1 switch
is "of few rounds there is no range" says '\| 4.00 \| 8.00 \| 2.00 \| \| ahead \|$'

of '{"generator_next/plain": [1e-9], "bare": []}' --rounds 1 step
is "CPython is measured for what it is" says '\| CPython \| 0.00 \| [0-9.]+ \| [0-9,]+ \| \| ahead \|$'
of '{"generator_next/plain": [1e9], "bare": []}' --rounds 1 step
is "and may be ahead" says '\| CPython \| 1,000,000,000 \| [0-9.]+ \| 0.00 \| \| behind \|$'

of '{"call_soon/plain": [1], "libev_call_soon": [2]}' --rounds 1 call_soon
is "who is absent is no failure" [ "$status" -eq 0 ]
is "a C library that was not there when it was built" says '\| libuv \| \| \| \| \| absent: not installed \|$'
is "a library for CPython" says '\| gevent \| \| \| \| \| absent: not installed \|$'
is "and those that are there are measured" says '\| asyncio \| 1.00 \|.*ahead \|$'
is "the sentence has them all" says 'Not installed: gevent, libuv, tornado, uvloop\.$'
of '{"call_soon/plain": [1], "libev_call_soon": [2]}' --rounds 1 --json call_soon
is "the same for programs" $python -c "
import json
rows = {row['peer']: row for row in json.load(open('$out'))['rows']}
assert rows['libev']['ratio'] == 2 and rows['libev']['verdict'] == 'ahead', rows
assert rows['libuv']['verdict'] == 'absent' and 'ratio' not in rows['libuv'], rows
assert rows['asyncio']['peer_ns'] > 1 and rows['asyncio']['low'] is None, rows"

of '{"fiber_switch/native": [4, 4], "boost_fiber_switch": [8, null]}' --rounds 2 switch
is "what fails is said, and fails" [ "$status" -eq 1 ]
is "with what there is of it" says '\| 4.00 \| 8.00 \| 2.00 \|'
of '{"fiber_switch/native": [null], "boost_fiber_switch": [8]}' --rounds 1 switch
is "so is the lab's own failure" sh -c "[ $status -eq 1 ] && grep -q 'failed: fiber_switch/native failed' $out"
of '{"other": []}' --rounds 1 switch
is "to measure nothing is a failure" \
    sh -c "[ $status -eq 1 ] && grep -q 'absent: no fiber_switch/native in this build' $out"

# mistaken PATTERN ARGUMENT...: that this is refused.
mistaken()
{
    pattern=$1
    shift
    run $python "$@"
    refused "$pattern"
    result "says what is wrong: $*"
}

mistaken "no job 'swich'; there are: switch" $peers "$dir/bench" swich
mistaken "rounds must be at least 1" $peers "$dir/bench" --rounds 0
mistaken "no job 'timr'; there are: generator_next" $twin timr asyncio
mistaken "no peer 'boost' does timer" $twin timer boost
mistaken "multiple of 1000" $twin call_soon asyncio --count 7
mistaken "no unit 'fibre'" $parked fibre
run $python $peers "$dir/none"
is "a program that is not there" sh -c "[ $status -eq 1 ] && grep -q 'cannot run $dir/none' $err"

# Each job by each peer, as few operations as there are in a batch.
$python $twin --list | while read -r job those; do
    for peer in $those; do
        echo "$job $peer"
    done
done >"$dir/pairs"
is "there are jobs" [ "$(wc -l <"$dir/pairs")" -gt 20 ]
while read -r job peer; do
    least=$($python -c "
import sys
sys.path.insert(0, 'scripts')
import twin_coroutines
print(twin_coroutines.JOBS['$job'][1])")
    if run $python $twin "$job" "$peer" --count "$least" || [ "$status" -ne 3 ]; then
        is "$job by $peer" $python -c "
import json
said = json.load(open('$out'))
assert said['ns'] > 0 and said['count'] == $least and said['peer'].startswith('$peer '), said"
    else
        skip "$job by $peer" "it is not installed: scripts/install.sh peers"
    fi
done <"$dir/pairs"

run $python $parked --json --counts 1,1000 generator "thread, stack of 64 KiB"
is "what is parked takes memory" $python -c "
import json
said = {(one['unit'].split(',')[0], one['count']): one for one in json.load(open('$out'))}
assert 100 < said['generator', 1000]['bytes_each'] < 1000, said
assert said['thread', 1]['bytes_each'] > 0, said
threads = said['thread', 1000]
assert 4096 < threads.get('bytes_each', 9999) < 65536 and not threads.get('failed'), said"
PYTHONPATH="$dir/nothing" run $python $parked --counts 1 "gevent greenlet in sleep"
is "and what is absent takes none" sh -c "[ $status -eq 0 ] && grep -q 'not installed' $out"
plan
