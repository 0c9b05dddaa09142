#!/bin/sh
# The cycle collector's pauses, from the collector to `lab show --pauses`. TAP, the program in $LAB.
. scripts/tap.sh

# The lock of `plain` makes these two safe; a build may have other policies alone.
modes=$("$LAB" list policies --json | $python -c "
import json, sys
for p in json.load(sys.stdin)['policies']:
    print('plain+mutex' if p['name'] == 'plain' else p['name'] + '+' + ('mutex' if p['needs_lock'] else 'none'))" |
    paste -sd, -)
count=$(echo "$modes" | tr , '\n' | wc -l)
lab run --workload cycles,empty --mode "$modes" --threads 2 --rounds 1 --window 0.2 --ramp 0 \
    --control no --results "$dir/a.db"
is "each policy collects all rings" sh -c "[ $status -eq 0 ] && ! grep -q failed $out"
lab show --pauses "$dir/a.db"
is "and shows its pauses" [ "$(grep -c '^  .*  2  *[1-9][0-9]*  .*s$' "$out")" -eq "$count" ]
is "or that there were none" [ "$(grep -c '^  .*  2  *none$' "$out")" -eq "$count" ]
lab query "$dir/a.db" --json "SELECT * FROM pauses"
is "the numbers fit together" $python -c "
import json
rows = json.load(open('$out'))
rows = rows if isinstance(rows, list) else rows['rows']
assert len(rows) == $count, rows
for r in rows:
    assert r['workload'] == 'cycles' and r['garbage'] > 0, r
    assert r['pause_max_ns'] <= r['pause_total_ns'], r
    assert r['pause_p50_ns'] <= r['pause_p99_ns'] <= r['pause_max_ns'], r"
lab export "$dir/a.db" --format csv --output "$dir/a.csv"
is "the CSV has them" $python -c "
import csv
rows = list(csv.DictReader(open('$dir/a.csv')))
assert all((int(r['young_collections']) + int(r['all_collections']) > 0) == (r['pause_max_ns'] != '') ==
           (r['workload'] == 'cycles') for r in rows) and rows"
if has_policies plain; then
    lab run --workload cycles --mode nolock --threads 2 --rounds 1 --window 0.2 --ramp 0 --control no \
        --results "$dir/n.db"
    is "where counts may go wrong the rings are opened" [ "$status" -eq 0 ]
    lab show --pauses "$dir/n.db"
    is "and nothing is collected" grep -q '^  nolock  *2  *none$' "$out"
else
    skip "where counts may go wrong the rings are opened" "this build lacks plain"
fi
plan
