#!/bin/sh
# `lab show` and `lab status` as their users run them: TAP, the program in $LAB.
here=lab/tests
. scripts/tap.sh

# says NAME PATTERN...: each matches a line; none is too long.
says()
{
    name=$1
    shift
    [ -s "$dir/err" ] && status="there was an error"
    grep -q '.\{101\}' "$dir/out" && status="a line is too long"
    for pattern in "$@"; do
        grep -q -- "$pattern" "$dir/out" || status="no line matches '$pattern'"
    done
    echo "# $status" >>"$dir/err"
    is "$name" [ "$status" = 0 ]
}

# holds NAME PYTHON: of the JSON, `it`; nothing in it is no JSON, as NaN would be.
holds()
{
    is "$1" $python -c "
import json
def refuse(what):
    raise ValueError(what)
it = json.load(open('$dir/out'), parse_constant=refuse)
assert $status == 0
cells = {(c['workload'], c['mode'], c['threads'], c['control']): c for c in it.get('cells', [])}
$2"
}

"$here/results_file.py" "$dir/a.db" --uuid first --blocks 6 --planned 6 --ended
change "$dir/a.db" "UPDATE windows SET busy = 0;
    UPDATE windows SET steal = 0.1 WHERE cell = 1;
    UPDATE windows SET status = 'timeout', seconds = NULL,
           note = '$(printf 'a long note, %.0s' 1 2 3 4 5 6 7 8 9)' WHERE cell = 2 AND block = 3;
    UPDATE samples SET voluntary_switches = 50, involuntary_switches = 50;
    INSERT INTO facts VALUES (1, 'run', 'perf_counters', 'Permission denied')"

lab show "$dir/a.db"
says "the table, with a warning under its row" '^fib (CPU-bound, counted in calls):' \
    '^  gil  *1 ' '^      steal: other machines took 10 % of the processors$' \
    '^      round 3 timeout: a long note' '^      failed: 1 of 6 windows gave nothing$' \
    '^noise floor: 0.9 %.*(6 pairs, 95 %$' '^Computing (fib): 2 threads'
is "under no other" [ "$(grep -c 'steal:' "$dir/out")" = 1 ]
is "and without the control" sh -c "! grep -q empty $dir/out"
change "$dir/a.db" "UPDATE cells SET control = 0, mode = 'gil' || control WHERE control"
lab show "$dir/a.db"
says "without a control it says so" 'noise floor: not known'
change "$dir/a.db" "UPDATE cells SET control = substr(mode, 4), mode = 'gil' WHERE mode LIKE 'gil_'"

lab show --scaling "$dir/a.db"
says "what more threads bring, and why there is no law" '^fib, gil$' \
    '^        2 *2.02 *2.02 .. 2.02 *101 % *-1 %$' \
    'no scalability law: 2 thread counts fit on the 2 cores; a fit needs 4'
lab show --counters "$dir/a.db"
says "what was counted, and why the rest was not" '^fib: for each call' \
    '^  gil  *1 .* - .* 9.955e-05$' \
    'cycles, instructions and cache misses were not to be had: .*Permission denied'
lab show --scaling --counters --memory --pauses --stats "$dir/a.db"
says "all that is asked for" '^fib, gil$' '^fib: for each call' '^fib: what its objects take$' \
    '^fib: what the cycle collector did$' '^Who contends for what'

# What is not known is a dash, and what is left over is said in the row.
cp "$dir/a.db" "$dir/counted.db"
change "$dir/counted.db" "UPDATE windows SET live_objects = 3, taken_bytes = NULL WHERE block = 1 AND cell =
           (SELECT cell FROM cells WHERE (workload, mode, threads, control) = ('fib', 'gil', 2, 0))"
lab show --memory "$dir/counted.db"
says "bytes of each object, the peak, what was left" '^  gil  *1  *64  *32.0  *64.0  *4.0  *0$' \
    '^  gil  *2  *64  *32.0  *-  *2.0  *3$'
lab show "$dir/counted.db"
says "a row says that it leaked" '^  *leaked: 3 objects were still alive when all had ended$'
is "and only that row" [ "$(grep -c leaked: "$out")" -eq 1 ]
lab show --json "$dir/counted.db"
holds "so does JSON" "
assert cells['fib', 'gil', 1, 0]['memory'] == dict(live_objects=0, most_objects=64, asked_bytes=2048,
                                                   taken_bytes=4096)
assert cells['fib', 'gil', 2, 0]['memory']['taken_bytes'] is None
assert 'leaked: 3' in str(cells['fib', 'gil', 2, 0]['warnings'])"
change "$dir/counted.db" "UPDATE windows SET handed_over = 50, held_back = 2 * block WHERE kind = 'timed' AND
           cell = (SELECT cell FROM cells WHERE (workload, mode, threads, control) = ('fib', 'gil', 2, 0))"
lab show "$dir/counted.db"
says "the most that was held back" '^  *of 50 objects that had all been dropped, at most 12 were not destroyed$'
is "where somebody looked" [ "$(grep -c 'been dropped' "$out")" -eq 1 ]
lab show --json "$dir/counted.db"
holds "and in JSON" "
assert cells['fib', 'gil', 2, 0]['held_back'] == dict(handed_over=50, held_back=12)
assert cells['fib', 'gil', 1, 0]['held_back'] is None"
change "$dir/counted.db" "UPDATE windows SET live_objects = NULL, most_objects = NULL,
           asked_bytes = NULL, taken_bytes = NULL"
lab show --memory "$dir/counted.db"
says "what was not counted" '^fib: what its objects take' '^  gil  *1  *-  *-  *-  *-  *-$'

# The collector: 12 pauses in a window and 8 in another, none in the rest of these cells, and a
# file that does not know.
pauses()
{
    change "$dir/pauses.db" "UPDATE windows SET $1 WHERE kind = 'timed' AND cell =
        (SELECT cell FROM cells WHERE (workload, mode, threads, control) = ('fib', 'gil', $2, 0)) $3"
}
cp "$dir/a.db" "$dir/pauses.db"
change "$dir/pauses.db" "UPDATE windows SET young_collections = NULL, all_collections = NULL, garbage = NULL,
    pause_total_ns = NULL, pause_p50_ns = NULL, pause_p99_ns = NULL, pause_max_ns = NULL"
pauses "young_collections = 0, all_collections = 0, garbage = 0" 1 ""
pauses "young_collections = 0, all_collections = 0, garbage = 0" 2 ""
pauses "young_collections = 10, all_collections = 2, garbage = 400, pause_total_ns = 6000000,
        pause_p50_ns = 2000, pause_p99_ns = 5000, pause_max_ns = 7000" 2 "AND block = 1"
pauses "young_collections = 8, garbage = 20, pause_total_ns = 2000000, pause_p50_ns = 1000,
        pause_p99_ns = 3000, pause_max_ns = 4000" 2 "AND block = 2"
lab show --pauses "$dir/pauses.db"
says "how often the collector stopped all, and how long" '^fib: what the cycle collector did$' \
    '^  gil  *1  *none$' '^  gil  *2  *18  *2  *420  *8.00 ms  *1.50 us  *4.00 us  *7.00 us$' \
    '^  nolock  *1  *-$'
lab show --json "$dir/pauses.db"
holds "so does JSON" "
none = dict(young_collections=0, all_collections=0, garbage=0, pause_total_ns=None, pause_p50_ns=None,
            pause_p99_ns=None, pause_max_ns=None)
assert cells['fib', 'gil', 1, 0]['pauses'] == none and cells['fib', 'nolock', 1, 0]['pauses'] is None
assert cells['fib', 'gil', 2, 0]['pauses'] == dict(young_collections=18, all_collections=2,
    garbage=420, pause_total_ns=8000000, pause_p50_ns=1500, pause_p99_ns=4000, pause_max_ns=7000)"
lab query "$dir/pauses.db" --csv "SELECT block, garbage, pause_max_ns FROM pauses ORDER BY block"
is "the view has the windows in which it ran" \
    sh -c "tr -d '\r' <$out | tail -n +2 | paste -sd' ' - | grep -qx '1,400,7000 2,20,4000'"

# What waiting costs: a window in which ten thousand things were done, one in which twice as much
# was used, and one that does not know.
used()
{
    change "$dir/waits.db" "UPDATE windows SET process_cpu_s = $1, process_voluntary_switches = 20000 * $1,
        process_involuntary_switches = 10000 * $1, connections = 4, grown_bytes = 40960 * $1,
        latency_p50_ns = 1000 * $1, latency_p90_ns = 2000 * $1, latency_p99_ns = 3000 * $1,
        latency_p999_ns = 4000 * $1, latency_max_ns = 5000 * $1 WHERE kind = 'timed' AND block = $2 AND
        cell = (SELECT cell FROM cells WHERE (workload, mode, threads, control) = ('fib', 'gil', 1, 0))"
}
cp "$dir/a.db" "$dir/waits.db"
change "$dir/waits.db" "UPDATE windows SET process_cpu_s = NULL; UPDATE samples SET ops = 10000"
used 1 1
used 2 2
lab show --waits "$dir/waits.db"
says "what waiting costs" '^fib: what a call takes$' \
    '^  gil  *1  *1.50 us  *3.00 us  *4.50 us  *6.00 us  *10.0 us  *150 us  *3  *1.5$' \
    '^    4 connections, with each came 15.0 KiB of resident memory, of it 1.0 KiB of objects$' \
    '^  nolock  *1  *-  *-  *-  *-  *-  *-  *-  *-$'
lab show --json "$dir/waits.db"
holds "so does JSON" "
w = cells['fib', 'gil', 1, 0]['waits']
assert cells['fib', 'nolock', 1, 0]['waits'] is None and w['connections'] == 4 and w['max_ns'] == 10000
assert {k: w[k]['median'] for k in w if isinstance(w[k], dict)} == dict(p50_ns=1500, p90_ns=3000, p99_ns=4500,
    p999_ns=6000, cpu_ns=150000, voluntary_switches=3, involuntary_switches=1.5, connection_bytes=15360)
assert w['cpu_ns']['count'] == 2 and w['connection_heap_bytes'] == 1024"
lab query "$dir/waits.db" --csv "SELECT block, p999_ns, cpu_ns, connection_bytes FROM waits ORDER BY block"
is "and the view has each window" \
    sh -c "tr -d '\r' <$out | tail -n +2 | paste -sd' ' - | grep -qx '1,4000,100000,10240 2,8000,200000,20480'"

lab show "$dir/a.db"
cp "$out" "$dir/now"
cp "$dir/a.db" "$dir/second.db"
cp "$dir/a.db" "$dir/third.db"
# From here on each is made of the one before it, by what a lab of that time did not write.
no_units="DROP VIEW IF EXISTS tidy; DROP VIEW IF EXISTS rates; DROP VIEW IF EXISTS medians;
    DROP VIEW IF EXISTS speedups; DROP VIEW IF EXISTS best; DROP VIEW IF EXISTS damage;
    DROP VIEW IF EXISTS contention; DROP VIEW IF EXISTS lock_use; DROP VIEW IF EXISTS memory;
    DROP VIEW IF EXISTS pauses; DROP VIEW IF EXISTS waits; DROP VIEW IF EXISTS gaps;
    ALTER TABLE cells DROP COLUMN execution_unit; ALTER TABLE cells DROP COLUMN units;
    ALTER TABLE cells DROP COLUMN carriers"
no_usage="DROP VIEW IF EXISTS tidy; DROP VIEW IF EXISTS waits;
    ALTER TABLE windows DROP COLUMN process_cpu_s; ALTER TABLE windows DROP COLUMN process_voluntary_switches;
    ALTER TABLE windows DROP COLUMN process_involuntary_switches; ALTER TABLE windows DROP COLUMN connections;
    ALTER TABLE windows DROP COLUMN grown_bytes; ALTER TABLE windows DROP COLUMN latency_p50_ns;
    ALTER TABLE windows DROP COLUMN latency_p90_ns; ALTER TABLE windows DROP COLUMN latency_p99_ns;
    ALTER TABLE windows DROP COLUMN latency_p999_ns; ALTER TABLE windows DROP COLUMN latency_max_ns"
cp "$dir/a.db" "$dir/fourth.db"
change "$dir/fourth.db" "PRAGMA user_version = 4; $no_usage"
lab show "$dir/fourth.db"
is "a file of schema 4 is shown as it was" cmp -s "$out" "$dir/now"
lab show --waits "$dir/fourth.db"
says "but knows nothing of waiting" '^  gil  *2  *-  *-  *-  *-  *-  *-  *-  *-$'
change "$dir/third.db" "PRAGMA user_version = 3; $no_usage"
change "$dir/third.db" "$no_units"
lab show "$dir/third.db"
is "a file of schema 3 is shown as it was" cmp -s "$out" "$dir/now"
change "$dir/second.db" "$no_usage"
change "$dir/second.db" "$no_units"
change "$dir/second.db" "PRAGMA user_version = 2;
    ALTER TABLE windows DROP COLUMN young_collections; ALTER TABLE windows DROP COLUMN all_collections;
    ALTER TABLE windows DROP COLUMN garbage; ALTER TABLE windows DROP COLUMN pause_total_ns;
    ALTER TABLE windows DROP COLUMN pause_p50_ns; ALTER TABLE windows DROP COLUMN pause_p99_ns;
    ALTER TABLE windows DROP COLUMN pause_max_ns"
lab show "$dir/second.db"
is "a file of schema 2 is shown as it was" cmp -s "$out" "$dir/now"
lab show --pauses "$dir/second.db"
says "but knows nothing of pauses" '^  gil  *2  *-$'
lab show --memory "$dir/second.db"
says "and has what it had" '^  gil  *1  *64  *32.0  *64.0  *4.0  *0$'
cp "$dir/second.db" "$dir/first.db"
change "$dir/first.db" "PRAGMA user_version = 1;
    ALTER TABLE windows DROP COLUMN handed_over; ALTER TABLE windows DROP COLUMN held_back;
    ALTER TABLE windows DROP COLUMN live_objects; ALTER TABLE windows DROP COLUMN most_objects;
    ALTER TABLE windows DROP COLUMN asked_bytes; ALTER TABLE windows DROP COLUMN taken_bytes"
lab show "$dir/first.db"
is "a file of schema 1 is shown as it was" cmp -s "$out" "$dir/now"

lab show --json "$dir/a.db"
holds "JSON has all that is judged" "
assert set(it) == {'run', 'floor', 'cells', 'scaling', 'frontier', 'crossovers', 'findings'} and len(cells) == 11
assert it['run']['uuid'] == 'first' and it['run']['facts']['perf_counters'] == 'Permission denied'
assert it['floor']['pairs'] == 6 and 0.009 < it['floor']['ratio'] < 0.0095
one, two = cells['fib', 'gil', 1, 0], cells['fib', 'gil', 2, 0]
assert one['warnings'] == ['steal: other machines took 10 % of the processors']
assert two['warnings'] == ['failed: 1 of 6 windows gave nothing'] and 'long note' in two['notes'][1]
assert one['notes'] == ['ok: a \"note\", quoted'], one['notes']
assert one['rate']['low'] < one['rate']['median'] < one['rate']['high'] and two['rate']['count'] == 5
assert one['karp_flatt'] is None and two['karp_flatt'] < 0 and 2 < two['speedup']['median'] < 2.04
assert cells['echo', 'gil', 0, 0]['rate'] is None and cells['echo', 'gil', 0, 0]['refusal']
assert cells['fib', 'nolock', 2, 0]['audit'] == dict(published=5, off=2, net=2, leaked=0, early=0)
assert it['frontier'] == [] and all(fit['refusal'] for fit in it['scaling'])
assert it['findings'][0].startswith('Computing')"

# Four thread counts that scale without limit: the peak is infinite, and that is no number.
cp "$dir/a.db" "$dir/four.db"
change "$dir/four.db" "UPDATE runs SET cores = 4; DELETE FROM samples WHERE worker > 0;
    UPDATE cells SET mode = 'gil', threads = number + 1, workers = number + 1, workload = 'fib'
           WHERE number < 4;
    UPDATE windows SET status = 'ok', seconds = 0.25;
    UPDATE samples SET ops = (SELECT threads * 1000 + block FROM windows JOIN cells USING (cell)
                              WHERE windows.window = samples.window)"
lab show --scaling "$dir/four.db"
says "a law in words" 'No serial share is seen' 'No coherence cost is seen'
lab show --json "$dir/four.db"
holds "an infinite peak is null" "
fit = [f for f in it['scaling'] if f['workload'] == 'fib'][0]
assert fit['refusal'] is None and fit['peak']['median'] is None and 'No peak' in fit['words']
assert [p['threads'] for p in fit['curve']] == list(range(1, 9))
assert [p['extrapolated'] for p in fit['curve']] == 4 * [False] + 4 * [True]
assert all(p['low'] <= p['median'] <= p['high'] for p in fit['curve'])"

# Numbers and texts that no JSON can hold.
cp "$dir/a.db" "$dir/odd.db"
change "$dir/odd.db" "UPDATE cells SET build = CAST(x'2f746d702fff6c6162' AS TEXT) WHERE number = 0;
    UPDATE windows SET note = CAST(x'61ff62' AS TEXT) WHERE status = 'timeout';
    UPDATE facts SET value = CAST(x'e282' AS TEXT) WHERE name = 'kernel';
    UPDATE machines SET host = CAST(x'c3' AS TEXT);
    UPDATE samples SET ops = 0 WHERE window IN (SELECT window FROM windows WHERE cell IN (4, 9));
    UPDATE runs SET precision = 9e999"
lab show --json "$dir/odd.db"
holds "what is not UTF-8 becomes a question mark, what is not finite null" "
assert it['run']['host'] == '?' and it['run']['facts']['kernel'] == '??' and len(it['cells']) == 11
assert it['run']['precision'] is None and it['cells'][0]['build'] == '/tmp/?lab'
assert it['cells'][1]['notes'][-1] == 'timeout: a?b' and it['cells'][3]['rate']['median'] == 0"
lab status --json "$dir/odd.db"
holds "in the status, too" "assert it['runs'][0]['host'] == '?'"

"$here/results_file.py" "$dir/b.db" --uuid second --blocks 2 --planned 6
"$LAB" merge -o "$dir/both.db" "$dir/a.db" "$dir/b.db" >/dev/null
lab show --json "$dir/both.db"
holds "the last run" "assert it['run']['uuid'] == 'second' and it['cells'][0]['windows'] == 2"
lab show --json --run 1 "$dir/both.db"
holds "another, by its number" "assert it['run']['uuid'] == 'first'"
lab show --json --run fir "$dir/both.db"
holds "or the beginning of its name" "assert it['run']['uuid'] == 'first'"
mistake "no run '3'" show --run 3 "$dir/both.db"
mistake "no such file" show "$dir/none.db"
mistake "no such file" status "$dir/none.db"

# Ten cells are to be run; of the second run each wants four windows more, of 0.3 s.
lab status "$dir/both.db"
says "finished, and stopped" '^   1  run .* host-aaaa .* finished  *11  *60  *1  *0  *-  ' \
    '^   2  run .* host-aaaa .* stopped  *11  *20  *0  *40 *12 s  2026-01-02T03:04$'

# A run that is at work: it is asked until it is, and then ended.
"$LAB" run --workload fib --mode "$(safe_mode)" --threads 1 --rounds 400 --window 0.05 \
    --results "$dir/live.db" >"$dir/live" 2>&1 &
live=$!
while kill -0 $live 2>/dev/null && ! "$LAB" status "$dir/live.db" 2>&1 | grep -q running; do :; done
lab status --json "$dir/live.db"
holds "running" "
run, = it['runs']
assert run['state'] == 'running' and run['missing'] > 0 and run['left_s'] > 0 and not run['ended']"
kill -9 $live
wait $live 2>/dev/null
lab status --json "$dir/live.db"
holds "no longer" "assert [run['state'] for run in it['runs']] == ['stopped']"
plan
