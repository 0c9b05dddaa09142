#!/bin/sh
# What locks leave spinners beside what waits: `lab show --frontier`, and the plot of the same.
# TAP, the program in $LAB.
. scripts/tap.sh

has_policies plain || skip_rest "lab show --frontier" "this build lacks plain"
lab run --workload countdown,echo_open:rate=2000,echo_spin \
    --mode plain+interval,plain+prompt,nolock --threads 0,1 --rounds 3 --window 0.05 --ramp 0.01 \
    --bind apart --control no --results "$dir/a.db"
is "requests and spinners are measured" [ "$status" -eq 0 ]
lab show --frontier "$dir/a.db"
is "a row for each cell with a spinner in which something waits" \
    [ "$(grep -c '^  [a-z+]* *1 .*%$' "$out")" -eq 6 ]
is "none for those that show what spinners could do" sh -c "! grep -q 'countdown: who' $out"
cp "$out" "$dir/table"
is "what it says is what the samples say" $python -c "
import sqlite3
from statistics import median
db = sqlite3.connect('$dir/a.db')
def windows(workload, mode):
    return [row[0] for row in db.execute('''
        SELECT sum(s.ops) / w.seconds FROM cells JOIN windows w USING (cell) JOIN samples s USING (window)
        WHERE workload = ? AND mode = ? AND threads = 1 AND w.kind = 'timed'
          AND s.name IN ('spinner', 'worker') AND NOT control GROUP BY window''', (workload, mode))]
alone = {mode: median(windows('countdown', mode)) for mode in ('plain+interval', 'plain+prompt', 'nolock')}
most = max(alone['plain+interval'], alone['plain+prompt'])
workload, looked = None, 0
for line in open('$dir/table'):
    words = line.split()
    if line.endswith('who waits, beside spinners\n'):
        workload = line.split(': who')[0]
    elif line.startswith('  ') and words[1:2] == ['1']:
        kept, low, high, share = (int(w) for w in words[-7:] if w.isdigit())
        beside, whole = windows(workload, words[0]), alone[words[0]]
        for said, is_ in (kept, median(beside) / whole), (low, min(beside) / whole), \
                (high, max(beside) / whole), (share, median(beside) / most):
            assert abs(said - 100 * is_) < 0.51, line
        looked += 1
assert looked == 6, looked"

lab run --workload echo_spin --mode gil --threads 1 --rounds 1 --window 0.05 --ramp 0 --control no \
    --results "$dir/b.db"
lab show --frontier "$dir/b.db"
is "what was not measured is left open" grep -q '^  gil  *1 .* -  *-$' "$out"
lab run --workload empty --mode gil --threads 1 --rounds 1 --window 0.01 --ramp 0 --control no \
    --results "$dir/c.db"
lab show --frontier "$dir/c.db"
is "and where nothing spins it is said" grep -q 'no cell of this run has something that waits' "$out"
lab show --json "$dir/a.db"
is "the JSON has the same" $python -c "
import json
rows = json.load(open('$out'))['frontier']
assert len(rows) == 6 and all(r['kept_low'] <= r['kept'] <= r['kept_high'] for r in rows), rows"

$python -B -c 'import matplotlib' 2>/dev/null || skip_rest "the plot" "matplotlib is not installed"
export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$dir"
words()
{
    sed -n 's/.*<!-- \(.*\) -->.*/\1/p' "$dir/picture.svg" | tr '\n' ' '
}
scripts/plot.py "$dir/a.db" --plot frontier -o "$dir/picture.svg"
is "is drawn" [ $? -eq 0 ]
is "with a panel for what is served and one for how late" sh -c \
    "grep -q 'round trips a second, 1 spinner' $dir/picture.svg && grep -q '99 % take at most, 1 spinner' $dir/picture.svg"
is "each lock has its name" sh -c "grep -q '<!-- prompt -->' $dir/picture.svg && grep -q '<!-- interval -->' $dir/picture.svg"
is "none is called unsafe" grep -q '<!-- none (unsafe) -->' "$dir/picture.svg"
scripts/plot.py "$dir/a.db" --plot convoy -o "$dir/picture.svg"
is "the convoy is drawn of what was measured alone as well" [ $? -eq 0 ]
is "a panel for each such workload" sh -c \
    "grep -q '<!-- echo_spin -->' $dir/picture.svg && grep -q '<!-- echo_open:rate=2000 -->' $dir/picture.svg"
is "but none for one that has nobody beside it" sh -c "! grep -q '<!-- countdown -->' $dir/picture.svg"
cp "$dir/a.db" "$dir/starved.db"
change "$dir/starved.db" "UPDATE samples SET ops = 0 WHERE role = 0 AND window IN (SELECT window
    FROM windows JOIN cells USING (cell) WHERE (workload, mode, threads) = ('echo_spin', 'plain+interval', 1))"
scripts/plot.py "$dir/starved.db" --plot convoy -o "$dir/picture.svg"
is "a line that comes to nothing says so" grep -q '<!-- plain+interval: 0 -->' "$dir/picture.svg"
lab export "$dir/a.db" --format csv --output "$dir/a.csv"
scripts/plot.py "$dir/a.csv" --plot frontier -o "$dir/picture.svg"
is "the frontier is drawn of the CSV, too" [ $? -eq 0 ]
run scripts/plot.py "$dir/b.db" --plot convoy -o "$dir/picture.svg"
refused "without any"
result "or it says what is missing"
run scripts/plot.py "$dir/b.db" --plot frontier -o "$dir/picture.svg"
refused "countdown under the same locks"
result "or it says what it would need"
plan
