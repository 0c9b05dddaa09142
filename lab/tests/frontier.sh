#!/bin/sh
# What locks leave spinners beside what waits: `lab show --frontier`, and the plot of the same.
# TAP, the program in $LAB.
. scripts/tap.sh

has_policies plain || skip_rest "lab show --frontier" "this build lacks plain"
lab run --workload echo_open:rate=0,echo_open:rate=2000,echo_spin \
    --mode plain+interval,plain+prompt,nolock --threads 0,1 --rounds 3 --window 0.05 --ramp 0.01 \
    --bind apart --control no --results "$dir/a.db"
is "requests and spinners are measured" [ "$status" -eq 0 ]
lab show --frontier "$dir/a.db"
is "a row for each cell with a spinner in which something waits" \
    [ "$(grep -c '^  [a-z+]* *1 .*%$' "$out")" -eq 6 ]
is "none for those that show what spinners could do" sh -c "! grep -q 'rate=0: who' $out"
cp "$out" "$dir/table"
is "what it says is what the samples say" $python -c "
import sqlite3
from statistics import median
db = sqlite3.connect('$dir/a.db')
def spun(workload, mode):
    return median(row[0] for row in db.execute('''
        SELECT sum(s.ops) / w.seconds FROM cells JOIN windows w USING (cell) JOIN samples s USING (window)
        WHERE workload = ? AND mode = ? AND threads = 1 AND w.kind = 'timed' AND s.name = 'spinner'
          AND NOT control GROUP BY window''', (workload, mode)))
most = max(spun('echo_open:rate=0', mode) for mode in ('plain+interval', 'plain+prompt'))
workload, looked = None, 0
for line in open('$dir/table'):
    words = line.split()
    if line.endswith('who waits, beside spinners\n'):
        workload = line.split(': who')[0]
    elif line.startswith('  ') and words[1:2] == ['1']:
        kept, share = (int(w) for w in words[-4:] if w.isdigit())
        beside = spun(workload, words[0])
        assert abs(kept - 100 * beside / spun('echo_open:rate=0', words[0])) < 0.51, line
        assert abs(share - 100 * beside / most) < 0.51, line
        looked += 1
assert looked == 6, looked"

lab run --workload echo_spin --mode gil --threads 1 --rounds 1 --window 0.05 --ramp 0 --control no \
    --results "$dir/b.db"
lab show --frontier "$dir/b.db"
is "what was not measured is left open" grep -q '^  gil  *1 .* -  *-$' "$out"
lab run --workload empty --mode gil --threads 1 --rounds 1 --window 0.01 --ramp 0 --control no \
    --results "$dir/c.db"
lab show --frontier "$dir/c.db"
is "and where nothing spins there is no table" sh -c "! grep -q 'who waits, beside' $out"

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
is "but none for one in which nobody sends" sh -c "! grep -q '<!-- echo_open:rate=0 -->' $dir/picture.svg"
run scripts/plot.py "$dir/b.db" --plot convoy -o "$dir/picture.svg"
refused "without any"
result "or it says what is missing"
run scripts/plot.py "$dir/b.db" --plot frontier -o "$dir/picture.svg"
refused "echo_open:rate=0"
result "or it says what it would need"
plan
