#!/bin/sh
# `lab compare` as its users run it: TAP, the program in $LAB.
here=lab/tests
. scripts/tap.sh

compare()
{
    lab compare "$@"
}

# says NAME STATUS PATTERN...: each matches a line; none is too long.
says()
{
    name=$1
    wanted=$2
    shift 2
    [ $status -eq "$wanted" ] && [ ! -s "$dir/err" ] || status="status $status"
    grep -q '.\{101\}' "$dir/out" && status="a line is too long"
    for pattern in "$@"; do
        grep -q -- "$pattern" "$dir/out" || status="no line matches '$pattern'"
    done
    echo "# $status" >>"$dir/err"
    is "$name" [ "$status" = "$wanted" ]
}

# holds NAME PYTHON: of the JSON, `it`, and its cells by workload, mode and threads.
holds()
{
    is "$1" $python -c "
import json
it = json.load(open('$dir/out'))
cells = {(c['workload'], c['mode'], c['threads']): c for c in it['cells']}
$2"
}

# slow FILE WHERE SHARE: what these cells did becomes that share of it.
slow()
{
    change "$1" "UPDATE samples SET ops = CAST(ops * $3 AS INTEGER) WHERE window IN
                     (SELECT window FROM windows JOIN cells USING (cell) WHERE $2)"
}

make_file() { "$here/results_file.py" "$@" --blocks 12 --planned 12; }

make_file "$dir/a.db" --uuid first
make_file "$dir/b.db" --uuid second
slow "$dir/b.db" "workload = 'fib' AND threads = 1" 0.95
slow "$dir/b.db" "workload = 'sleep' AND threads = 2" 3

compare "$dir/a.db" "$dir/b.db"
says "two runs: what changed, by how much" 0 \
    '^  gil  *1 .* 4.*M  *3.*M  0\.950  0\.9.* slower by 5.0 %' \
    '^  gil  *2 .* 1\.000 .* no difference shown' \
    '^  gil  *2 .* 3\.0.. .* 3 times as fast' '^4 of 8 cells differ: 2 faster, 2 slower' \
    'Noise floor: 0.3 %, from 12 windows of the control, 95 %' 'Mann-Whitney'
is "but not who is called so in both and was not run" sh -c "! grep -q echo $dir/out"
compare --fail-on-regression "$dir/a.db" "$dir/b.db"
says "a regression fails, if it is to" 1 'slower by'
compare --fail-on-regression "$dir/a.db" "$dir/b.db" --json
is "with JSON, too" [ $status -eq 1 ]
holds "JSON has what the table has" "
assert not it['paired'] and it['warning'] is None and 0 < it['floor'] < 0.02 and len(cells) == 8
slow = cells['fib', 'gil', 1]
assert slow['claim'] == 'slower' and abs(slow['ratio'] - 0.95) < 0.001
assert slow['low'] < 0.95 < slow['high'] < 1 and slow['p'] < 0.001 and slow['windows'] == 12
assert slow['superiority'] == 0 and abs(slow['b'] / slow['a'] - 0.95) < 0.001
assert cells['fib', 'gil', 2]['claim'] == 'no difference shown'"

cp "$dir/a.db" "$dir/faster.db"
change "$dir/faster.db" "UPDATE runs SET uuid = 'third'"
slow "$dir/faster.db" "workload = 'fib'" 1.2
compare --fail-on-regression "$dir/a.db" "$dir/faster.db"
says "what became faster is no regression" 0 'faster by 20.0 %' '4 faster, 0 slower'

slow "$dir/faster.db" "control" 1.3
compare "$dir/a.db" "$dir/faster.db"
says "less than the control changed is claimed of nothing" 0 'below the noise floor' '0 faster, 0 slower'
change "$dir/faster.db" "UPDATE cells SET threads = 2 WHERE control"
compare "$dir/a.db" "$dir/faster.db"
says "another control is none" 0 'There is no noise floor' '4 faster'

"$LAB" merge -o "$dir/both.db" "$dir/a.db" "$dir/b.db" >/dev/null
compare "$dir/both.db#1" "$dir/both.db#2"
says "two runs of one file" 0 '2 faster, 2 slower'
compare "$dir/both.db#second" "$dir/both.db#first"
says "by their names, too, and turned round" 0 '2 faster, 2 slower' 'faster by 5.3 %'
cp "$dir/b.db" "$dir/b#1.db"
compare "$dir/a.db" "$dir/b#1.db"
says "a file may have a # in its name" 0 '2 faster, 2 slower'

make_file "$dir/other.db" --uuid other --machine bbbb
compare "$dir/a.db" "$dir/other.db"
says "other machines are warned of" 0 'of different machines' '0 of 8 cells differ'
change "$dir/other.db" "UPDATE runs SET window_s = 1; UPDATE machines SET key = 'aaaa';
                        UPDATE cells SET workload = 'fob' WHERE workload = 'fib'"
compare "$dir/a.db" "$dir/other.db"
says "other windows, too, and what has no partner" 0 'windows of different lengths' \
    'Not compared: 4 cells that only A has, 4 that only B has'

"$here/results_file.py" "$dir/three.db" --uuid three --blocks 3
"$here/results_file.py" "$dir/few.db" --uuid few --blocks 3 --rate 0.5
compare "$dir/three.db" "$dir/few.db"
says "few windows cannot tell, and it says how many could" 0 'cannot tell' \
    'Of 8 it cannot be told: so many comparisons want 6 windows'

# Levels of a dial, paired round by round: nolock is 2 % faster in these files, by construction.
compare --in "$dir/a.db" mode=gil mode=nolock
says "two modes" 0 '^A: mode=gil' '4 of 4 cells differ: 4 faster' 'faster by 2.0 %' 'sign test'
compare --in "$dir/a.db" threads=2 threads=1
says "two thread counts" 0 '4 slower' 'slower by 50.5 %'
compare --in "$dir/both.db" --run 2 mode=gil mode=nolock --json
holds "of the run that is named" "assert it['paired'] and abs(cells['fib', 'gil', 1]['a'] - 3.8e6) < 2e5"
cp "$dir/a.db" "$dir/levels.db"
change "$dir/levels.db" "UPDATE cells SET build = '../old/lab', mode = 'gil' WHERE mode = 'nolock'"
compare --in "$dir/levels.db" build=../old/lab build=self
says "two builds; the head says which" 0 'fib .*, build ../old/lab' '4 slower'
change "$dir/levels.db" "UPDATE cells SET heap = 'glibc', build = '' WHERE build <> ''"
compare --in "$dir/levels.db" heap=glibc heap=jemalloc
says "two heaps" 0 '4 slower'
change "$dir/levels.db" "UPDATE cells SET heap = 'jemalloc', workload = workload || ':a_parameter=1000000'
                         WHERE heap = 'glibc'; UPDATE cells SET mode = 'biased+' || hex(zeroblob(12))"
compare --in "$dir/levels.db" workload=fib workload=fib:a_parameter=1000000
says "two parameters of a workload; names that are long" 0 '2 faster' '^  biased+0*$'

mistake "no such file" compare "$dir/a.db" "$dir/none.db"
mistake "one and the same run" compare "$dir/a.db" "$dir/a.db"
mistake "one and the same run" compare "$dir/a.db" "$dir/both.db#first"
mistake "no run '7'" compare "$dir/a.db" "$dir/both.db#7"
mistake "--run goes with --in" compare --run 1 "$dir/a.db" "$dir/b.db"
mistake "'gil' is no level of a dial" compare --in "$dir/a.db" gil mode=nolock
mistake "'colour=red' is no level of a dial" compare --in "$dir/a.db" mode=gil colour=red
mistake "are of two dials" compare --in "$dir/a.db" mode=gil threads=1
mistake "compared with itself" compare --in "$dir/a.db" mode=gil mode=gil
mistake "has mode=atomic; there is gil, nolock" compare --in "$dir/a.db" mode=gil mode=atomic
mistake "has threads=7; there is 1, 2" compare --in "$dir/a.db" threads=1 threads=7
mistake "has build=x; there is self" compare --in "$dir/a.db" build=self build=x
mistake "threads: 'two'" compare --in "$dir/a.db" threads=1 threads=two
change "$dir/b.db" "UPDATE cells SET unit = 'wait' WHERE workload = 'sleep'"
mistake "such rates cannot be compared" compare --in "$dir/b.db" workload=fib workload=sleep
change "$dir/b.db" "UPDATE cells SET workload = 'fob' WHERE workload = 'fib' AND threads = 2"
mistake "no two cells of this run differ in workload alone" compare --in "$dir/b.db" workload=fib workload=fob
mistake "has workload=empty; there is fib, fob, sleep" compare --in "$dir/b.db" workload=fib workload=empty
change "$dir/other.db" "UPDATE cells SET workload = 'fob' WHERE NOT control"
mistake "no cell in common" compare "$dir/a.db" "$dir/other.db"

# A real run: two copies of one program, in turn.
cp "$LAB" "$dir/copy"
timeout 120 "$LAB" run --workload fib --mode "$(safe_mode)" --threads 1 --build "self,$dir/copy" --rounds 6 \
    --window 0.02 --ramp 0.001 --results "$dir/real.db" >"$dir/out" 2>"$dir/err"
is "a run of two builds" [ $? -eq 0 ]
compare --in "$dir/real.db" build=self "build=$dir/copy" --json
holds "is compared block by block" "
assert it['paired'] and [c['windows'] for c in it['cells']] == [6]"
# Its control counts plainly.
if has_policies plain; then
    holds "beside a noise floor" "assert it['floor'] > 0"
else
    skip "beside a noise floor" "this build lacks plain"
fi
plan
