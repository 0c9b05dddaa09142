#!/bin/sh
# `lab run --stats`: who contends for what. TAP, the program in $LAB.
. scripts/tap.sh

has_policies atomic biased || skip_rest "lab run --stats" "this build lacks atomic or biased"
nm "$LAB" | grep -q ' runtime_biased_stats$' ||
    skip_rest "lab run --stats" "this build of the lab does not count"
quick="--threads 2 --rounds 1 --window 0.05 --ramp 0.005 --control no"

# The line on which a workload makes an object.
line_of()
{
    grep -n "$2" "benches/workloads/$1.c" | head -1 | cut -d: -f1
}

# stats_of FILE: what `lab run` prints of it, from the head to the sentences.
stats_of()
{
    sed -n '/^Who contends/,$p' "$1" | sed '/^[A-Z][a-z]* (.*): [0-9]/,$d'
}

# section FILE CELL: what is said of one cell.
section()
{
    sed -n "/^$2\$/,/^\$/p" "$1"
}

# shellcheck disable=SC2086
lab run --stats --workload shared_read,handoff --mode atomic,biased+none $quick --results "$dir/a.db"
is "a run with --stats succeeds" [ "$status" -eq 0 ]
cp "$out" "$dir/run"
is "each cell has a section" [ "$(grep -c '^  counts  ' "$out")" -eq 4 ]
made="int at benches/workloads/shared_read.c:$(line_of shared_read int_new) in setup"
section "$out" "shared_read, atomic, 2 threads" >"$dir/atomic"
is "all hot objects are named, with type, site and both threads" \
    [ "$(grep -c "^      one       2       0 .*  $made\$" "$dir/atomic")" -eq 4 ]
is "what the lab's thread made is foreign to all workers" \
    grep -q '^  counts   0 own, [0-9.]* [kM] foreign (100.0 %)' "$dir/atomic"
is "an atomic addition is never tried again, and nothing waits" \
    sh -c "grep -q '^  retries  0 ' $dir/atomic && grep -q '^  queue    never used' $dir/atomic"
section "$out" "handoff, biased+none, 2 threads" >"$dir/biased"
is "what changes hands under biased waits for its maker" \
    sh -c "grep -q '^  queue    at most [0-9].* objects, [0-9.]* [a-zA-Z]* held back' $dir/biased &&
           grep -q '^  delay    p50 [0-9.]* [mu]*s, p99 ' $dir/biased ||
           grep -q '^  delay    p50 [0-9.]* ns, p99 ' $dir/biased"
is "and is one row, of the site, not thousands of objects" \
    sh -c "grep -q ' int at benches/workloads/handoff.c:' $dir/biased &&
           [ \$(grep -c ' at benches/' $dir/biased) -le 2 ]"
is "no line is too long" sh -c "! sed '/lab run/d' $out | grep -q '.\{101\}'"

lab show --stats "$dir/a.db"
is "lab show has the same" sh -c "[ $status -eq 0 ] && sed 1d $out | grep . >$dir/shown"
stats_of "$dir/run" | grep . | sed '/^[A-Z].*\.$/d' >"$dir/told"
is "line by line" sh -c "grep -v '^it is slower' $dir/told | grep '^ \|threads$' >$dir/x &&
    grep '^ \|threads$' $dir/shown >$dir/y && [ \$(wc -l <$dir/y) -gt 20 ] && cmp $dir/x $dir/y"

lab show --json "$dir/a.db"
is "the JSON has it" $python -c "
import json
cells = json.load(open('$out'))['cells']
assert len(cells) == 4
for c in cells:
    s = c['stats']
    assert s['foreign_ops'] > 0 and s['contended'] and not s['incomplete'], s
    assert (s['delay_max_ns'] is None) == (s['queued'] == 0), s
    assert sum(h['foreign_ops'] for h in s['contended']) <= s['foreign_ops'], s
    contention = [h['foreign_ops'] + h['retries'] for h in s['contended']]
    assert contention == sorted(contention, reverse=True), s
    if c['workload'] == 'shared_read':
        assert all(h['site'] + h['type'] == '${made#int at }int' for h in s['contended']), s
        assert all(h['alone'] and h['objects'] == 1 and h['threads'] == 2 for h in s['contended']), s
        assert sum(h['foreign_ops'] for h in s['contended']) == s['foreign_ops'], s"
is "and the lock: for each thread times of one window, and waits in order" $python -c "
import json
for c in json.load(open('$out'))['cells']:
    lock, *threads = c['lock']
    assert lock['role'] == 'lock' and [t['worker'] for t in threads] == [0, 1], c
    whole = [t['held_ns'] + t['waiting_ns'] + t['free_ns'] for t in threads]
    assert max(whole) > 45e6 and max(whole) - min(whole) < 0.05 * max(whole), whole
    for name in 'held_ns', 'forced', 'voluntary', 'requests', 'waits':
        assert lock[name] == sum(t[name] for t in threads), (name, c['lock'])
    for t in c['lock']:
        waits = [t['wait_%s_ns' % q] for q in ('p50', 'p90', 'p99', 'p999', 'max')]
        assert t['waits'] == 0 and waits == [None] * 5 or waits == sorted(waits), t"
lab query "$dir/a.db" "SELECT count(*) AS rows FROM contention WHERE hottest = 'int' AND foreign_ops > 0"
is "so has the results file" grep -q '^ *4$' "$out"

lab merge --output "$dir/b.db" "$dir/a.db"
lab show --stats "$dir/b.db"
is "merged, it is still the same" sh -c "sed 1d $out | grep . | cmp - $dir/shown"

# shellcheck disable=SC2086
lab run --workload shared_read --mode atomic $quick --results "$dir/c.db"
is "without --stats nothing is counted" sh -c "[ $status -eq 0 ] && ! grep -q 'Who contends' $out"
# shellcheck disable=SC2086
lab run --stats --workload shared_read --mode atomic $quick --results "$dir/c.db"
is "a run that was measured gets it later" \
    sh -c "[ $status -eq 0 ] && grep -q '^  counts  ' $out && [ \$(grep -c '^window' $err) -eq 1 ]"

# Whether or not there is a build of `plain` that counts.
# shellcheck disable=SC2086
if has_policies plain; then
    lab run --stats --workload fib --mode plain+mutex --threads 2 $quick
    is "each mode has the figures of the lock" \
        sh -c "[ $status -eq 0 ] && grep -q '^  lock     on average' $out && ! grep -q 'not watched' $out"
fi

lab run --stats --workload fib,echo_spin --policy atomic --gil interval --threads 2 --rounds 1 \
    --window 0.3 --ramp 0.02 --control no --results "$dir/l.db"
section "$out" "fib, atomic+interval, 2 threads" >"$dir/fib"
section "$out" "echo_spin, atomic+interval, 2 threads" >"$dir/echo"
is "a lock has its lines, and so has each thread, by role" sh -c "
    grep -q '^  lock     on average [0-9.]* of 2 threads have it, [0-9.]* wait, [0-9.]* need none of it$' $dir/fib &&
    grep -q '^  waits    [0-9].*: p50 .* p99.9 .* max ' $dir/fib &&
    [ \$(grep -c ' worker [01]$' $dir/fib) -eq 2 ] &&
    [ \$(grep -cE ' (client|server|spinner) [01]$' $dir/echo) -eq 4 ]"
is "who computes is asked, and switches because of it; who waits for the kernel detaches" $python -c "
import sqlite3
rows = sqlite3.connect('$dir/l.db').execute('SELECT workload, name, forced, voluntary, requests, '
    'held_ns, waiting_ns, free_ns FROM turns JOIN windows USING (window) JOIN cells USING (cell)').fetchall()
assert len(rows) == 3 + 5, rows
for workload, name, forced, voluntary, requests, held, waiting, free in rows:
    if name in ('worker', 'spinner'):
        assert forced > 0 and requests > 0 and voluntary == 0 and free == 0 and waiting > 0, rows
    elif name in ('client', 'server'):
        assert voluntary > 0 and free > 0, rows
for workload in 'fib', 'echo_spin':
    of = [r for r in rows if r[0] == workload]
    window = sum(of[0][5:]) / (len(of) - 1)
    assert of[0][1] == 'lock' and of[0][5] < 1.01 * window, of   # one holds it at a time"
lab query "$dir/l.db" "SELECT count(*) AS n FROM lock_use WHERE role <> 'lock' AND
    abs(held + waiting + free - 1) < 1e-9"
is "shares are of the whole" grep -q '^ *6$' "$out"
change "$dir/l.db" "DELETE FROM turns WHERE role = 1"
lab show --stats "$dir/l.db"
is "of turns that are not whole nothing is said" [ "$(grep -c '^  lock     not watched$' "$out")" -eq 1 ]
change "$dir/l.db" "DROP VIEW lock_use; DROP TABLE turns; PRAGMA user_version = 2"
lab show --stats "$dir/l.db"
is "a file of schema 2 has none" \
    sh -c "[ $status -eq 0 ] && [ \$(grep -c '^  lock     not watched$' $out) -eq 2 ]"

cat >"$dir/m.yaml" <<END
one: { workload: shared_read, mode: atomic, threads: 2, window: 0.05, ramp: 0, rounds: 1, stats: yes }
END
lab matrix "$dir/m.yaml" --results "$dir/m.db"
is "a matrix asks for it by a key" sh -c "[ $status -eq 0 ] && grep -q '^  counts  ' $out"
sed 's/stats: yes/stats: perhaps/' "$dir/m.yaml" >"$dir/n.yaml"
mistake "perhaps" matrix "$dir/n.yaml"

# addr2line may not be there.
mkdir "$dir/none"
# shellcheck disable=SC2086
run env PATH="$dir/none" "$LAB" run --stats --workload shared_read --mode atomic $quick
is "without addr2line sites are addresses" \
    sh -c "[ $status -eq 0 ] && [ \$(grep -c ' int at 0x[0-9a-f]* < 0x' $out) -eq 4 ]"

# The cold parts that gcc splits off are not renamed, and belong to those that are.
is "the ordinary builds carry none of it" sh -c "
    nm '$LAB' | awk '{ print \$3 }' | grep -v '\.cold$' | grep -E '^stats_(made|count|published)' >$dir/names
    grep -q _stats$ $dir/names && ! grep -v '_stats$' $dir/names"
plan
