#!/bin/sh
# `lab run --trace` and `--watchdog`: who ran and who waited, and who passes no safe point. TAP,
# the program in $LAB.
. scripts/tap.sh

has_policies plain || skip_rest "lab run --trace" "this build lacks plain"
quick="--rounds 2 --window 0.1 --ramp 0.01 --control no"

# good TRACE CODE: whether this holds of its cells: by title, each of lanes by name, each of
# slices (state, from, to) and requests (at, to whom).
good()
{
    $python - "$1" <<END
import json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
titles = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name" and e["pid"]}
names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
cells = {title: {} for title in titles.values()}
for (pid, tid), name in names.items():
    cells[titles[pid]][name] = ([], [])
for e in events:
    assert e["ph"] in "MXi", e
    if e["ph"] != "M":
        lane = cells[titles[e["pid"]]][names[e["pid"], e["tid"]]]
        assert e["ts"] >= 0, e
    if e["ph"] == "X":
        assert e["dur"] > 0 and e["name"] in ("running", "waiting", "detached"), e
        lane[0].append((e["name"], e["ts"], e["ts"] + e["dur"]))
    elif e["ph"] == "i":
        assert e["s"] == "t" and e["name"] == "drop request", e
        lane[1].append((e["ts"], e["args"]["to"]))
for lanes in cells.values():
    for name, (slices, requests) in lanes.items():
        for (_, _, end), (_, start, _) in zip(slices, slices[1:]):
            assert abs(start - end) < 0.002, (name, end, start)   # no gap, no overlap
        assert requests == sorted(requests)
def runs(lanes):
    return sorted((a, b) for slices, _ in lanes.values() for state, a, b in slices if state == "running")
def one_at_a_time(lanes):
    return all(end <= start + 0.002 for (_, end), (start, _) in zip(runs(lanes), runs(lanes)[1:]))
$2
END
}

# shellcheck disable=SC2086
lab run --workload fib,echo_spin --mode gil --threads 2 $quick --results "$dir/a.db" --trace "$dir/a.json"
is "a run with --trace succeeds" [ "$status" -eq 0 ]
is "and says how much it kept" \
    [ "$(grep -c '^[a-z_]*, gil, 2 threads: trace: [0-9]* moments, 0 dropped$' "$err")" -eq 2 ]
is "each cell has lanes, named by role" good "$dir/a.json" "
assert {t: sorted(l) for t, l in cells.items()} == {
    'fib, gil, 2 threads': ['worker 0', 'worker 1'],
    'echo_spin, gil, 2 threads': ['client 0', 'server 0', 'spinner 0', 'spinner 1']}, cells.keys()"
is "under a lock one thread runs at a time" good "$dir/a.json" "
assert all(runs(lanes) and one_at_a_time(lanes) for lanes in cells.values())"
is "who computes is never detached, who waits for the kernel is" good "$dir/a.json" "
lanes = cells['echo_spin, gil, 2 threads']
assert not any(s[0] == 'detached' for s in lanes['spinner 0'][0])
assert any(s[0] == 'detached' for s in lanes['client 0'][0] + lanes['server 0'][0])"
is "who waits asks the one that runs" good "$dir/a.json" "
for name, (slices, requests) in cells['fib, gil, 2 threads'].items():
    for at, to in requests:
        assert to != name
        assert any(s == 'waiting' and a <= at <= b for s, a, b in slices), (name, at)
assert sum(len(r) for _, r in cells['fib, gil, 2 threads'].values()) > 0"
is "no part is left" [ ! -e "$dir/a.json.part" ]
lab query "$dir/a.db" "SELECT count(*) AS n FROM windows"
is "what was traced is no sample" grep -q '^ *4$' "$out"

# shellcheck disable=SC2086
lab run --workload fib --mode nolock --threads 2 $quick --trace "$dir/none.json"
is "without a lock all may run, and nobody asks" good "$dir/none.json" "
lanes = cells['fib, nolock, 2 threads']
assert all(sum(b - a for s, a, b in slices if s == 'running') > 0 for slices, _ in lanes.values())
assert not any(requests for _, requests in lanes.values())"

# A build whose name is no word of JSON.
ln -s "$(realpath "$LAB")" "$dir/la\"b\\"
# shellcheck disable=SC2086
lab run --workload fib --mode gil --threads 1 $quick --build "$dir/la\"b\\" --trace "$dir/b.json"
is "names are escaped" good "$dir/b.json" "
assert list(cells)[0].endswith('la\"b' + chr(92)), cells.keys()"

# shellcheck disable=SC2086
mistake "is there already" run --workload fib --mode gil $quick --trace "$dir/a.json"
# shellcheck disable=SC2086
mistake "is there already" run --workload fib --mode gil $quick --trace "$dir/a.json" \
    --csv "$dir/n.csv" --results "$dir/n.db"
is "and nothing else is begun" sh -c "! ls $dir/n.* 2>/dev/null"
# shellcheck disable=SC2086
mistake "No such file" run --workload fib --mode gil $quick --trace "$dir/none/t.json" \
    --results "$dir/n.db"
is "nor where there is no folder" [ ! -e "$dir/n.db" ]
# shellcheck disable=SC2086
mistake "a file of its own" run --workload fib --mode gil $quick --trace "$dir/n" --csv "$dir/n" \
    --replace
echo "{}" >"$dir/other.json"
# shellcheck disable=SC2086
mistake "is no trace of the lab" run --workload fib --mode gil $quick --trace "$dir/other.json" --replace
# shellcheck disable=SC2086
mistake "No such file" run --workload fib --mode gil $quick --trace "$dir/no/a.json"
# shellcheck disable=SC2086
lab run --workload fib --mode gil --threads 1 $quick --results "$dir/a.db" --trace "$dir/a.json" --replace
is "a trace can be replaced" good "$dir/a.json" "assert list(cells) == ['fib, gil, 1 thread']"
# shellcheck disable=SC2086
lab run --workload fib --mode gil --threads 1 $quick --results "$dir/a.db" --trace "$dir/c.json"
is "a finished run can be traced" good "$dir/c.json" "assert list(cells) == ['fib, gil, 1 thread']"

lab run --workload native_call:hold_ms=10000 --mode gil --threads 1 --rounds 1 --window 0.05 --ramp 0 \
    --control no --timeout 1 --watchdog 0.2 --trace "$dir/d.json"
is "a cell that hangs is not traced, and the file is whole" good "$dir/d.json" "assert not cells"
is "and that is said" grep -q "^native_call.*: not traced: timeout" "$err"
is "the watchdog says who hangs, and for how long" \
    grep -q "^native_call.*: watchdog: native 0 has passed no safe point for 0\.[2-9][0-9]* s" "$err"
lab run --workload native_call:hold_ms=300 --mode gil --threads 1 --rounds 1 --window 0.4 --ramp 0 \
    --control no --watchdog 100ms
is "also of a window that ends well" \
    sh -c "[ $status -eq 0 ] && grep -q 'watchdog: native 0 has' $err && ! grep -q 'watchdog: caller' $err"
lab run --workload native_call:hold_ms=300,native_call:hold_ms=300:detaches=1 --mode gil --threads 1 \
    --rounds 1 --window 0.4 --ramp 0 --control no --watchdog 100ms
is "who has detached may take its time" sh -c "! grep 'detaches=1.*watchdog: native' $err"
lab run --workload native_call:hold_ms=300 --mode gil --threads 1 --rounds 1 --window 0.1 --ramp 0 --control no
is "nobody is named unasked" sh -c "! grep -q watchdog $err"
mistake "watchdog" run --workload fib --watchdog soon
plan
