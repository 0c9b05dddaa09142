#!/bin/sh
# `lab run --stats`: who contends for what. TAP, the program in $LAB.
. scripts/tap.sh

has_policies atomic biased || skip_rest "lab run --stats" "this build lacks atomic or biased"
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

is "the ordinary builds carry none of it" sh -c "
    nm '$LAB' | awk '{ print \$3 }' | grep -E '^stats_(made|count|published)' >$dir/names
    grep -q _stats$ $dir/names && ! grep -v '_stats$' $dir/names"
plan
