#!/bin/sh
# waits.sh - what waiting costs, from the processes of a window to `lab show --waits`; and the workloads
# fetch_many and database. Prints TAP. LAB is the program.
. scripts/tap.sh

has_policies plain || skip_rest "waits" "this build lacks plain"

many=fetch_many:sites=5:delay_us=10000
# Long enough for each to do something in it, where others run as well.
window=0.6
! sanitized || window=2
lab run --workload "$many,$many:at_once=1" --mode gil --unit thread,coroutine,greenlet,hybrid --units 1 \
    --threads 1 --window $window --ramp 0.02 --rounds 1 --control no --results "$dir/f.db"
is "pages come in every unit" sh -c "[ $status -eq 0 ] && ! grep -q failed $out"
lab query "$dir/f.db" --json "SELECT * FROM waits"
if sanitized; then
    skip "at the same time they come sooner, but in a thread" "a sanitizer computes longer than they wait"
else
is "at the same time they come sooner, but in a thread" $python -c "
import json
rate = {(r['workload'].endswith('at_once=1'), r['execution_unit']): r['rate'] for r in json.load(open('$out'))}
for unit in 'coroutine', 'greenlet', 'hybrid':
    assert rate[False, unit] > 2 * rate[True, unit], rate
    assert rate[False, unit] > 2 * rate[False, 'thread'], rate"
fi
is "latencies are in order, and no page is early" $python -c "
import json
for r in json.load(open('$out')):
    assert 0.97 * 10**7 < r['p50_ns'] <= r['p90_ns'] <= r['p99_ns'] <= r['p999_ns'] <= r['max_ns'], r
    assert r['cpu_ns'] > 0 and r['connections'] == 5 and r['connection_bytes'] >= 0, r"
is "a serial thread sleeps once for a page, or a little more often" $python -c "
import json
for r in json.load(open('$out')):
    if r['execution_unit'] == 'thread':
        assert 0.9 < r['voluntary_switches'], r"
lab show --waits "$dir/f.db"
is "people see them" sh -c "grep -q '^$many:at_once=1, coroutine x1: what a page takes$' $out &&
    grep -q '^  gil  *1  *[0-9.]* ms .* [0-9.]* [um]s  *[0-9.]* ' $out &&
    [ \$(grep -c '^    5 connections, with each came .* of resident memory, of it .* of objects$' $out) -eq 8 ]"
lab show --json "$dir/f.db"
is "and so do programs" $python -c "
import json
for c in json.load(open('$out'))['cells']:
    w = c['waits']
    assert w['connections'] == 5 and w['p50_ns']['median'] <= w['p999_ns']['median'] <= w['max_ns'], w
    assert w['cpu_ns']['count'] == 1 and w['voluntary_switches']['median'] >= 0, w
    assert w['connection_heap_bytes'] > 0, w"

# Each unit, also those that are apart, whose processes say themselves what they have used.
lab run --workload "$many,database" --mode gil --unit process,interpreter --units 2 --threads 2 \
    --window $window --ramp 0.02 --rounds 1 --control no --results "$dir/p.db"
is "pages and queries come in processes and interpreters" sh -c "[ $status -eq 0 ] && ! grep -q failed $out"
lab query "$dir/p.db" --json "SELECT w.*, (SELECT sum(cpu_s) FROM samples s WHERE s.window = v.window) AS known_s,
    v.process_cpu_s FROM waits w JOIN windows v USING (cell, block)"
is "all of their threads are counted" $python -c "
import json
rows = json.load(open('$out'))
assert len(rows) == 4, rows
for r in rows:
    assert r['connections'] == (10 if r['workload'] != 'database' else None), r
    assert r['process_cpu_s'] > 0.5 * r['known_s'] > 0 and r['voluntary_switches'] > 0, r"

# What a thread gives up of the lock, and what not.
lab run --workload database,database:released=0 --mode gil --threads 2 --window $window --ramp 0 --rounds 1 \
    --control no --stats --results "$dir/d.db"
is "queries come" sh -c "[ $status -eq 0 ] && ! grep -q failed $out"
lab query "$dir/d.db" --json "SELECT workload, sum(voluntary) AS voluntary, sum(ops) AS ops FROM turns t
    JOIN windows USING (window) JOIN cells USING (cell) JOIN samples s USING (window, role, worker)
    GROUP BY workload"
is "the lock is let go of for each row, or not at all" $python -c "
import json
of = {r['workload']: r for r in json.load(open('$out'))}
assert of['database:released=0']['voluntary'] < 10 and of['database:released=0']['ops'] > 0, of
assert of['database']['voluntary'] > 20 * of['database']['ops'], of"

# Where nobody waits nothing is recorded of it.
lab run --workload fib --mode gil --threads 1 --window $window --ramp 0 --rounds 1 --control no --results "$dir/n.db"
lab show --waits "$dir/n.db"
is "who computes has no latency" grep -q '^  gil  *1  *-  *-  *-  *-  *-  *[0-9]' "$out"
lab query "$dir/n.db" --csv "SELECT latency_p50_ns, connections, process_cpu_s > 0 FROM windows"
is "and the record has none" sh -c "tr -d '\r' <$out | tail -n +2 | grep -qx ',,1'"
plan
