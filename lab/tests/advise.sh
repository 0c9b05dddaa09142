#!/bin/sh
# `lab advise`, of files whose truth is planted. TAP, the program in $LAB.
here=lab/tests
. scripts/tap.sh

lab run --workload empty --mode "$(safe_mode)" --threads 1 --rounds 1 --window 0.01 --ramp 0 --control no \
    --results "$dir/empty.db"
key=$($python -c "
import sqlite3
print(sqlite3.connect('$dir/empty.db').execute('SELECT key FROM machines').fetchone()[0])")
make_file() { "$here/waiting_file.py" "$@" --machine "$key"; }

# advise CPU WAIT PARALLEL FILE...: for people, sentences on one line, and for programs.
advise()
{
    cpu=$1 wait=$2 parallel=$3
    shift 3
    lab advise --cpu-us "$cpu" --wait-us "$wait" --parallel "$parallel" "$@" --json
    cp "$out" "$dir/json"
    lab advise --cpu-us "$cpu" --wait-us "$wait" --parallel "$parallel" "$@"
    tr -s ' \n' ' ' <"$out" >"$dir/words"
}

# says NAME PATTERN
says()
{
    is "$1" grep -q -e "$2" "$dir/words"
}

# holds NAME PYTHON: of the JSON, `it`, its advice, and its choices.
holds()
{
    is "$1" $python -B -c "
import json, sys
sys.path.insert(0, '$here')
from waiting_file import law
it = json.load(open('$dir/json'))
advice, choices = it['advice'], {(c['unit'], c['mode']): c for c in it['choices']}
$2"
}

make_file "$dir/a.db"
advise 300 2000 500 "$dir/a.db"
is "it answers, in lines that fit" sh -c "[ $status -eq 0 ] && [ ! -s $err ] && ! grep -q '.\{101\}' $out"
says "the best unit and mode" 'Choose loops on 4 threads under biased\.'
says "the runner-up, and how far behind" 'The runner-up, process of 4 under gil, does 0\.7[0-9] (0\.7.* to 0\.[78]'
says "where it was measured, and how operations differ" 'Operations of 1000 us were measured, and yours take 2300'
holds "the same for programs, with its interval" "
assert (advice['unit'], advice['mode'], advice['threads']) == ('loops', 'biased', 4), advice
assert it['command'] is None and advice['standing'] == 'as good'
assert advice['rate']['low'] <= advice['rate']['median'] <= advice['rate']['high']"
holds "between neighbours it is what the law says there" "
share = 100 * 2000 / 2330
is_ = law('loops', 'biased', 500, share, 1000)[0] * 1000 / 2330
assert abs(advice['rate']['median'] / is_ - 1) < 0.08, (advice, is_)
is_ = law('process', 'gil', 500, 100 * 2000 / 2300, 1000)[0] * 1000 / 2300
assert abs(choices['process', 'gil']['rate']['median'] / is_ - 1) < 0.08"
holds "what is unsafe is no choice" "assert len(choices) == 8 and not any(m == 'nolock' for u, m in choices)"
holds "counting has its price" "
assert abs(choices['loops', 'biased']['price'] - 1.1) < 0.02 and choices['loops', 'gil']['price'] == 1"

advise 500 500 16 "$dir/a.db"
holds "at a point that was measured, that" "
is_ = law('thread', 'gil', 16, 50, 1000)[0]
assert abs(choices['thread', 'gil']['rate']['median'] / is_ - 1) < 0.03"
says "as good ones are named, with what they cost" 'As much is done by .*no difference shown'
advise 0 1000 4 "$dir/a.db"
holds "if all do as much, the one that takes least time" "
assert advice['unit'] == 'thread', advice
assert all(c['standing'] == 'as good' for c in choices.values() if c['unit'] != 'process')"
advise 900 0 1 "$dir/a.db"
holds "one at a time that computes wants no other counting" "
assert advice['mode'] == 'gil' and choices['thread', 'atomic']['standing'] == 'beaten', it"

cp "$dir/a.db" "$dir/starved.db"
change "$dir/starved.db" "UPDATE samples SET ops = 0 WHERE window IN (SELECT window FROM windows JOIN cells
    USING (cell) WHERE execution_unit = 'coroutine' AND units > 4)"
advise 300 2000 500 "$dir/starved.db"
holds "who did nothing is beaten, and hides nothing" "
starved = choices['coroutine', 'gil']
assert advice['unit'] == 'loops' and starved['standing'] == 'beaten' and starved['rate']['median'] == 0, it"

make_file "$dir/noisy.db" --noisy process
advise 300 2000 500 "$dir/noisy.db"
says "where noise hides it, it cannot tell" 'Cannot tell: .* what may be better is process of 4 under gil'
says "and which measurement would settle it" 'lab run --workload cpu_fraction:waits_percent=85:operation_us=2300,cpu_fraction:waits_percent=87:operation_us=2300,countdown --unit loops,process,thread --units 500 --threads 4,1 --mode biased,gil --rounds 15 --window 0.25 --results advice.db'
holds "for programs, too" "assert advice is None and it['command'].startswith('lab run --workload cpu_fraction')"
advise 300 2000 500 "$dir/noisy.db" "$dir/a.db"
says "of two files the one that can tell" 'Choose loops on 4 threads under biased\..*From .*/a.db'
make_file "$dir/newer.db" --noisy process --uuid 33333333-3333-4333-8333-333333333333
change "$dir/newer.db" "UPDATE runs SET started = '2026-01-03T03:04:05Z'"
lab merge "$dir/a.db" "$dir/newer.db" -o "$dir/both.db"
advise 300 2000 500 "$dir/both.db"
says "and of two runs of one file" 'Choose loops on 4 threads under biased\..*From .*/both.db, .* begun 2026-01-02'
change "$dir/newer.db" "UPDATE windows SET steal = 0.5"
advise 300 2000 16 "$dir/newer.db"
says "rows with warnings are counted" '[1-9][0-9]* of the rows that this rests on carry warnings'
make_file "$dir/64.db" --most 64
advise 300 2000 500 "$dir/64.db"
says "beyond what was measured it cannot tell" \
    'Cannot tell: 500 in parallel that wait 87 % lie outside of what was measured, which is 1 to 64'
says "and says what to measure, and that no threads but 500 carry nothing else" \
    'units: 500 threads: \[500, 4, 1\] rounds: 15 window: 0.25 exclude: \[{ units: ">= 1", threads: "> 4" }\] END lab matrix advice.yaml'
sed -n "s/^    //; /^advice:/,/exclude/p" "$out" >"$dir/advice.yaml"
sed -i "s/mode: .*/mode: $(safe_mode)/" "$dir/advice.yaml"
lab matrix "$dir/advice.yaml" --dry-run
is "which the lab takes" [ "$status" -eq 0 ]
advise 30000 100000 16 "$dir/a.db"
says "nor of operations that are much longer" 'Cannot tell: operations of 1000 us .* too far from yours of 130000'
make_file "$dir/long.db" --operation 2300
advise 300 2000 500 "$dir/long.db"
says "of those of one's own length nothing is scaled" 'Choose loops on 4 threads under biased'
is "nor said of scaling" sh -c "! grep -q scaled $dir/words"
make_file "$dir/unpriced.db" --without countdown
advise 300 2000 500 "$dir/unpriced.db"
says "without the price of counting only the same counts" \
    'Choose process of 4 under gil\. .*Left out: atomic, biased, for what their counting'
make_file "$dir/floor.db" --floor 0.7
advise 300 2000 16 "$dir/floor.db"
says "nor a machine on which equals differ" 'Cannot tell: cells that are the same differ by up to .*threads: \[16, 4, 1\] rounds'
make_file "$dir/few.db" --blocks 3
advise 300 2000 500 "$dir/few.db"
says "three windows tell nothing" 'Cannot tell: the noise floor is not known'

cp "$dir/a.db" "$dir/cpu-vs-io.db"
program=$(realpath "$LAB")
run sh -c "cd $dir && $program advise --cpu-us 300 --wait-us 2000 --parallel 500"
grep -q 'From cpu-vs-io.db, run 1 of cpu-vs-io' "$out"
result "without a file, the one that the matrix leaves here"
run sh -c "mkdir $dir/none && cd $dir/none && $program advise --cpu-us 300 --wait-us 2000 --parallel 500"
refused 'there is no cpu-vs-io.db here; .lab matrix benches/matrices/cpu-vs-io.yaml. measures it'
result "or it says what makes one"
mistake "--cpu-us is missing" advise
mistake "--wait-us is missing" advise --cpu-us 1
mistake "--parallel is missing" advise --cpu-us 1 --wait-us 1 "$dir/a.db"
mistake "neither computes nor waits" advise --cpu-us 0 --wait-us 0 --parallel 1
mistake "--parallel: '0'" advise --cpu-us 1 --wait-us 0 --parallel 0
mistake "--cpu-us: 'x'" advise --cpu-us x
mistake "no such file" advise --cpu-us 1 --wait-us 1 --parallel 1 "$dir/nowhere.db"
mistake "no run of cpu_fraction on this machine" advise --cpu-us 1 --wait-us 1 --parallel 1 "$dir/empty.db"
"$here/waiting_file.py" "$dir/other.db" --machine 0123456789abcdef --units thread
mistake "no run of cpu_fraction on this machine ($key)" advise -c 1 -w 1 -n 1 "$dir/a.db" "$dir/other.db"

$python -B -c 'import matplotlib' 2>/dev/null || skip_rest "the plot" "matplotlib is not installed"
export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$dir"
# drawn NAME PATTERN: among the picture's words.
drawn()
{
    sed -n 's/.*<!-- \(.*\) -->.*/\1/p' "$dir/picture.svg" | tr '\n' ' ' >"$dir/words"
    is "$1" grep -q -e "$2" "$dir/words"
}
run scripts/plot.py "$dir/a.db" --plot cpu-vs-io-units -o "$dir/picture.svg"
is "the map is drawn" [ "$status" -eq 0 ]
drawn "for each count" '512 in parallel of the best safe rate'
drawn "with each unit and mode" '4 processes, gil '
drawn "and who wins where" '512 in parallel: 0 to 100 % loops on 4, biased\.'
run scripts/plot.py "$dir/unpriced.db" --plot cpu-vs-io-units -o "$dir/picture.svg"
drawn "what has no price is not drawn" 'Not drawn: atomic, biased, whose counts'
run scripts/plot.py "$dir/empty.db" --plot cpu-vs-io-units -o "$dir/picture.svg"
refused "it needs the workload cpu_fraction"
result "or it says what it would need"
plan
