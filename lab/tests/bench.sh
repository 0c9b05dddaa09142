#!/bin/sh
# The programs of Google Benchmark as their users run them: TAP; they stand beside $LAB.
. scripts/tap.sh

compare=/usr/share/benchmark/compare.py # libbenchmark-tools
beside=$(dirname "$LAB")
cells=$beside/bench-cells
[ -x "$cells" ] || skip_rest bench "g++ and libbenchmark-dev are not installed"
has_policies plain atomic || skip_rest bench "this build lacks plain or atomic"

cells()
{
    run "$cells" "$@"
}

# holds NAME FILE PYTHON: with that JSON in `it`, its benchmarks in `all`, and those of them that
# are repetitions in `runs`. No key may be there twice, nor what is no JSON.
holds()
{
    is "$1" $python -c "
import json, math
def once(pairs):
    assert len(pairs) == len(dict(pairs)), pairs
    return dict(pairs)
def never(word):
    raise AssertionError(word + ' is no JSON')
it = json.load(open('$2'), object_pairs_hook=once, parse_constant=never)
all = it['benchmarks']
runs = [b for b in all if b['run_type'] == 'iteration']
$3"
}

# mistake PATTERN ARGUMENT...: that bench-cells refuses this.
mistake()
{
    pattern=$1
    shift
    cells "$@"
    refused "$pattern"
    result "says what is wrong: $*"
}

cells --help
is "--help shows the flags of both" sh -c "[ $status -eq 0 ] && grep -q -- '--matrix=FILE' $out &&
    grep -q -- '--threads=LIST' $out && grep -q -- '--benchmark_repetitions' $out"
mistake "did you mean 'fib'" --workload fbi
mistake "did you mean '--workload'" --wrkload fib
mistake "--threads: 'x'" --threads x
mistake "benchmark_fliter" --benchmark_fliter=x
mistake "unknown option '--rounds'" --rounds 3
mistake "no_such.yaml" --matrix no_such.yaml

# The main flow.
dials="--workload fib,echo --mode gil,nolock --threads 1,2"
quick="--window 0.1 --ramp 0.01"
# shellcheck disable=SC2086
cells $dials $quick --benchmark_repetitions=3 --benchmark_enable_random_interleaving=true \
    "--benchmark_out=$dir/a.json" --benchmark_context=who=me
is "eight cells are measured three times" [ "$status" -eq 0 ]
holds "each window is an entry, with the aggregates beside them" "$dir/a.json" "
assert len(runs) == 24 and len(all) == 24 + 4 * 8, len(all)
assert len({b['name'] for b in runs}) == len({b['run_name'] for b in all}) == 8
for b in runs:
    assert b['iterations'] == 1 and b['repetitions'] == 3 and 'error_occurred' not in b, b"
holds "a time is that of an operation" "$dir/a.json" "
for b in runs:
    assert b['time_unit'] == 'ns' and math.isclose(b['real_time'], 1e9 / b['rate'], rel_tol=1e-9), b"
holds "what else was measured is beside it" "$dir/a.json" "
for b in runs:
    assert 0.1 <= b['window_s'] and 0 < b['cpu_s'] and b['max_rss_bytes'] > 1e5, b
    assert 0 < b['fairness'] <= 1 and b.get('overlap', 0) <= 1, b
    assert ('p50_ns' in b) == ('workload:echo' in b['name']), b
    assert (b.get('label') == 'unsafe') == ('mode:nolock' in b['name']), b
assert sum(b['label'] == 'unsafe' for b in runs if 'label' in b) == 12"
holds "and when it began, each at a time of its own" "$dir/a.json" "
assert len({b['began_s'] for b in runs}) == 24 and min(b['began_s'] for b in runs) >= 0"
holds "the context says what the figures depend on" "$dir/a.json" "
c = it['context']
assert len(c['machine_key']) == 16 and c['build_compiler'] and c['build_flags'] and c['time']
assert c['window'] == '0.1 s, after a ramp of 0.01 s' and c['who'] == 'me'"

# Two threads that get, add and set lose updates, unless one excludes the other.
cells --workload dict_count --mode gil,atomic --threads 2 --window 0.3 --benchmark_format=json
cp "$out" "$dir/lost.json"
holds "updates that were lost are counted" "$dir/lost.json" "
gil, atomic = runs
assert 'lost' not in gil and atomic['lost'] >= 1, atomic"

# shellcheck disable=SC2086
lab run $dials $quick --rounds 1 --control no --results "$dir/a.db" &&
    lab export "$dir/a.db" --format gbench -o "$dir/exported.json"
holds "lab export gives the same names, less what the library appends" "$dir/a.json" "
exported = {b['name'] for b in json.load(open('$dir/exported.json'))['benchmarks']}
assert {b['name'].removesuffix('/iterations:1/manual_time') for b in runs} == exported, exported"

if [ -e $compare ] && $python -c 'import scipy' 2>/dev/null; then
    run $python $compare --no-color benchmarks "$dir/a.json" "$dir/a.json"
    is "compare.py reads it" $python -c "
import re
said = open('$out').read()
assert len(re.findall(r'^workload:\S+manual_time +[+]0.0000 ', said, re.M)) == 24, said
assert len(re.findall(r'_pvalue .*U Test, Repetitions: 3 vs 3', said)) == 8, said"
fi

cat >"$dir/some.yaml" <<'YAML'
one:
  workload: fib
  mode: [gil, atomic]
  threads: [1, 2]
  exclude:
    - { mode: atomic, threads: 2 }
other:
  extends: one
  workload: echo
  threads: 0
YAML
cells "--matrix=$dir/some.yaml:one" --benchmark_list_tests
is "a matrix is read from a file" sh -c "[ $status -eq 0 ] && [ \"\$(cut -d/ -f 1,2,4 $out)\" = \
'workload:fib/mode:gil/threads:1
workload:fib/mode:gil/threads:2
workload:fib/mode:atomic/threads:1' ]"
cells "--matrix=$dir/some.yaml:one" --mode gil --benchmark_list_tests
is "what an option says goes before it" [ "$(cut -d/ -f 2,4 "$out" | tr '\n' ' ')" = \
    "mode:gil/threads:1 mode:gil/threads:2 " ]
mistake "unknown matrix 'two'" "--matrix=$dir/some.yaml:two"
cells "--matrix=$dir/some.yaml:other" --benchmark_format=json
cp "$out" "$dir/refused.json"
holds "a cell that is not applicable is an error that says so" "$dir/refused.json" "
assert $status == 0 and len(runs) == 2
for b in runs:
    assert b['error_occurred'] and b['error_message'].startswith('not run: '), b"

cells --workload sleep --mode gil,atomic --threads 1 --window 100 --timeout 0.3 \
    --benchmark_format=json
cp "$out" "$dir/late.json"
holds "a cell that takes too long is ended, and its entry says so" "$dir/late.json" "
assert $status == 1 and len(runs) == 2
for b in runs:
    assert b['error_occurred'] and 'limit of 0.3 s' in b['error_message'], b"

cells --workload empty --mode gil --threads 1 "--benchmark_filter=nothing"
is "to measure nothing is a failure" [ "$status" -eq 1 ]
if [ -w /dev/full ]; then
    # shellcheck disable=SC2086
    timeout 60 "$cells" --workload empty --mode gil --threads 1 $quick >/dev/full 2>"$err"
    is "on a full disk it fails, and says so" \
        sh -c "[ $? -eq 1 ] && grep -q 'cannot write' $err"
fi
# Without a standard error the file must not take its place, and what the library says with it.
# shellcheck disable=SC2086
timeout 60 "$cells" --workload empty --mode gil --threads 1 $quick \
    "--benchmark_out=$dir/quiet.json" >/dev/null 2>&-
holds "no standard error at all" "$dir/quiet.json" "assert $? == 0 and runs[0]['rate'] > 0"

# Which lab it is that runs a cell: the one beside the program.
mkdir "$dir/beside"
cp "$cells" "$dir/beside/bench-cells"
cells=$dir/beside/bench-cells
mistake "'$dir/beside/lab' is not there" --workload fib
cat >"$dir/beside/lab" <<SH
#!/bin/sh
echo \$\$ >$dir/pid
mv $dir/pid $dir/began
exec sleep 200
SH
chmod +x "$dir/beside/lab"

# Ctrl-C, while that one sleeps.
"$cells" --workload fib --mode gil,atomic --threads 1 --timeout 100 --benchmark_repetitions=2 \
    "--benchmark_out=$dir/ended.json" >"$out" 2>"$err" </dev/null &
pid=$!
while [ ! -e "$dir/began" ] && kill -0 $pid 2>/dev/null; do
    sleep 0.02
done
before=$(date +%s)
kill -INT $pid
wait $pid
status=$?
after=$(date +%s)
is "Ctrl-C ends it with status 130, at once" [ $status -eq 130 -a $((after - before)) -lt 20 ]
is "and the cell with it" sh -c "[ -s $dir/began ] && ! kill -0 \$(cat $dir/began)"
holds "and the JSON is whole" "$dir/ended.json" "
assert [b['error_message'] for b in runs] == ['interrupted'] * 4, runs"

run "$beside/bench" '--benchmark_filter=^bare_add/' --benchmark_min_time=0.001 \
    --benchmark_format=json
holds "bench: the library says how many iterations a micro-benchmark needs" "$out" "
assert $status == 0 and len(runs) == 1 and runs[0]['iterations'] > 1 and runs[0]['real_time'] > 0
assert runs[0]['began_s'] >= 0"
plan
