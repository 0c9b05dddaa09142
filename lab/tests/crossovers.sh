#!/bin/sh
# Where one way overtakes another: `lab show --crossovers`, of files whose truth is planted.
# TAP, the program in $LAB.
here=lab/tests
. scripts/tap.sh

make_file() { "$here/waiting_file.py" "$@"; }

# show FILE: its sentences, each on one line.
show()
{
    lab show --crossovers "$1"
    tr -s ' \n' ' ' <"$out" | sed 's/\. /.\n/g' >"$dir/sentences"
}

# says NAME PATTERN: of a sentence.
says()
{
    is "$1" grep -q -e "$2" "$dir/sentences"
}

# holds NAME PYTHON: of the JSON; answers are by question, unit, mode and what the line is of.
holds()
{
    is "$1" $python -B -c "
import json, sys
sys.path.insert(0, '$here')
from waiting_file import law
of = {(c['question'], c['unit'], c['mode'], c['parallel'] or c['waits_percent']): c
      for c in json.load(open('$dir/json'))['crossovers']}
$2"
}

make_file "$dir/a.db"
show "$dir/a.db"
is "it is shown, in lines that fit" sh -c "[ $status -eq 0 ] && [ ! -s $err ] && ! grep -q '.\{101\}' $out"
says "between which shares the GIL stops costing anything" \
    'thread, gil, 16 in parallel: between 90 % of waiting \[0\.5[0-9] (0\.5.*)\] and 95 % of waiting \[0\.9'
says "other counts have others" 'thread, gil, 4 in parallel: between 50 % of waiting \[.* and 75 % of waiting \['
says "where it always costs" 'thread, gil, 64 in parallel: the GIL costs up to the most that was measured, 100 % of waiting \['
says "of loops, too" 'loops on 4 threads, gil, 16 in parallel: between 90 % of waiting \[.* and 95 % '
says "from how many on a task is cheaper" \
    'coroutine, gil, 100 % of waiting: between 4 in parallel \[1\.2.*\] and 16 in parallel \[0\.7'
says "up to where processes pay" \
    'thread, gil, 16 in parallel: between 90 % of waiting \[0\.5.*\] and 95 % of waiting \['
lab show --json "$dir/a.db"
cp "$out" "$dir/json"
holds "each level is what was planted, and its interval holds that" "
def truth(mode, unit, parallel, share): return law(unit, mode, parallel, share, 1000)[0]
looked = inside = 0
for (question, unit, mode, line), c in of.items():
    for level in c['levels']:
        share, parallel = (line, level['at']) if question == 'unit' else (level['at'], line)
        is_ = {'gil': lambda: truth('gil', unit, parallel, share) / truth('nolock', unit, parallel, share),
               'process': lambda: truth('gil', unit, parallel, share) / truth('gil', 'process', parallel, share),
               'unit': lambda: law(unit, mode, parallel, share, 1000)[1] / law('thread', mode, parallel, share, 1000)[1],
               }[question]()
        assert abs(level['ratio'] / is_ - 1) < 0.02, (question, unit, mode, line, level, is_)
        inside += level['low'] <= is_ <= level['high']
        looked += 1
assert looked > 80 and inside > 0.85 * looked, (looked, inside)"
holds "where there is no second thread nothing is asked of the lock" "
assert not any(q == 'gil' and u in ('coroutine', 'process') for q, u, m, l in of)"
holds "all are told" "assert all(c['told'] for c in of.values()), [c for c in of.values() if not c['told']]"

make_file "$dir/noisy.db" --noisy process
show "$dir/noisy.db"
lab show --json "$dir/noisy.db"
cp "$out" "$dir/json"
holds "noise hides the answer, and it is said" "
few = [c for (q, u, m, l), c in of.items() if q == 'process' and l <= 16]
assert len(few) == 2
assert not any(c['told'] or c['before'] or not c['words'].startswith('cannot tell') for c in few), few"
holds "though not where it is far too small to" "assert of['process', 'thread', 'gil', 512]['told']"
holds "nor the others" "assert of['gil', 'thread', 'gil', 16]['told'] and of['unit', 'coroutine', 'gil', 100]['told']"
make_file "$dir/wild.db" --wild nolock
lab show --json "$dir/wild.db"
cp "$out" "$dir/json"
holds "what hides is the pair, not the file" "
assert not any(c['told'] for (q, u, m, l), c in of.items() if q == 'gil' and l < 64)
assert of['process', 'thread', 'gil', 16]['told']"
make_file "$dir/floor.db" --floor 0.7
show "$dir/floor.db"
says "a machine on which equals differ tells nothing" 'Cannot tell: cells that are the same differ by up to'
make_file "$dir/few.db" --blocks 3
show "$dir/few.db"
says "three windows tell nothing" 'Cannot tell: the noise floor is not known'
make_file "$dir/threads.db" --units thread
show "$dir/threads.db"
says "what was not measured is named" 'Not in this file: it takes cpu_fraction under gil in threads and in processes'
says "beside what was" 'thread, gil, 16 in parallel: between 90 %'
"$here/results_file.py" "$dir/other.db" --blocks 6
change "$dir/other.db" "UPDATE samples SET ops = 1000"
show "$dir/other.db"
is "a file of other workloads has none of it" [ "$(grep -c 'Not in this file' "$dir/sentences")" -eq 3 ]
plan
