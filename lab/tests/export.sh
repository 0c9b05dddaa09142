#!/bin/sh
# `lab export` as its users run it: TAP, the program in $LAB.
. scripts/tap.sh

compare=/usr/share/benchmark/compare.py # libbenchmark-tools

# holds NAME PYTHON: with what was exported in `out`, the results in `db`.
holds()
{
    is "$1" $python -c "
import csv, json, sqlite3, statistics
out = open('$out', newline='').read()
db = sqlite3.connect('$dir/a.db')
assert $status == 0
$2"
}

# mistake PATTERN ARGUMENT...: that lab export refuses this.
mistake()
{
    pattern=$1
    shift
    lab export "$@"
    refused "$pattern"
    result "says what is wrong: $pattern"
}

lab/tests/results_file.py "$dir/a.db" --uuid first
lab/tests/results_file.py "$dir/slow.db" --uuid second --rate 0.9 --blocks 9 --planned 9
"$LAB" merge -o "$dir/both.db" "$dir/a.db" "$dir/slow.db" >/dev/null

lab export
is "alone it lists the formats" sh -c "[ $status -eq 0 ] &&
    [ \"\$(sed 's/^  \([a-z]*\) .*/\1/' $out | tr '\n' ' ')\" = 'bigger bmf csv gbench ' ]"

lab export "$dir/a.db"
holds "csv is the view tidy, value by value" "
rows = list(csv.reader(out.splitlines()))
view = db.execute('SELECT * FROM tidy')
assert rows[0] == [column[0] for column in view.description]
def same(text, value):
    return text == '' if value is None else type(value)(text) == value
want = view.fetchall()
assert len(rows) - 1 == len(want) > 40
for row, wanted in zip(rows[1:], want):
    assert len(row) == len(wanted) and all(map(same, row, wanted)), (row, wanted)"
cp "$out" "$dir/a.csv"
lab export "$dir/both.db"
is "csv has every run" [ "$(cut -d, -f2 "$out" | sort -u | tr '\n' ' ')" = 'first run second ' ]
lab export "$dir/both.db" --run first
is "or the one that is asked for" cmp "$dir/a.csv" "$out"

# The view of every format but csv: names and rates, without the control's twins.
rates="
names = {}
for name, rate in db.execute('''
        SELECT 'workload:' || workload || '/mode:' || mode || '/heap:' || heap || '/threads:' ||
               threads, rate FROM rates WHERE control = 0 ORDER BY cell, block'''):
    names.setdefault(name, []).append(rate)
assert len(names) == 8 and 'workload:fib/mode:gil/heap:jemalloc/threads:2' in names"

lab export "$dir/a.db" --format bmf
holds "bmf: each cell's median throughput, with its interval" "$rates
it = json.loads(out)
assert list(it) == list(names)
for name, rate in names.items():
    it[name] = it[name]['throughput']
    assert it[name]['value'] == statistics.median(rate)
    assert min(rate) <= it[name]['lower_value'] < it[name]['value']
    assert max(rate) >= it[name]['upper_value'] > it[name]['value']"

lab export "$dir/a.db" --format bigger
holds "bigger: the same, as a list" "$rates
it = json.loads(out)
assert [entry['name'] for entry in it] == list(names)
for entry in it:
    rate = names[entry['name']]
    assert entry['value'] == statistics.median(rate) and entry['unit'] == 'call/s'
    low, high = map(float, entry['range'].split(' .. '))
    assert min(rate) < 1.00001 * low < entry['value'] < 0.99999 * high < max(rate)
    assert 'median of 3 windows' in entry['extra']"

lab export "$dir/a.db" --format gbench
cp "$out" "$dir/a.json"
holds "gbench: each window is a repetition, its time that of an operation" "$rates
it = json.loads(out)
times = {}
for entry in it['benchmarks']:
    assert entry['time_unit'] == 'ns' and entry['repetitions'] == 3
    assert entry['run_name'].endswith('/threads:%d' % entry['threads'])
    if entry['run_type'] == 'iteration':
        assert entry['name'] == entry['run_name']
        times.setdefault(entry['name'], []).append(entry['real_time'])
        assert entry['repetition_index'] == len(times[entry['name']]) - 1
        assert abs(entry['iterations'] / 0.25 / entry['items_per_second'] - 1) < 1e-9
    else:
        assert entry['name'] == entry['run_name'] + '_median'
        assert entry['real_time'] == statistics.median(times[entry['run_name']])
assert times == {name: [1e9 / r for r in rate] for name, rate in names.items()}"
holds "and processor time is per operation too" "
it = json.loads(out)['benchmarks'][0]
cpu_s, ops = db.execute('''SELECT cpu_s, ops FROM samples ORDER BY
    window = (SELECT window FROM rates WHERE cell = 1 AND block = 1) DESC''').fetchone()
assert abs(it['cpu_time'] / (1e9 * cpu_s / ops) - 1) < 1e-9"
holds "its context is of the run, and has no more than is known" "
it = json.loads(out)['context']
assert it['host_name'] == 'host-aaaa' and it['num_cpus'] == 2 and it['run'] == 'first'
assert it['kernel'] == '6.1' and it['library_build_type'] == 'release'
assert 'absent' not in it and 'load' not in it
assert it['caches'] == [] and 'mhz_per_cpu' not in it
assert None not in it.values()"
if [ -e $compare ] && $python -c 'import scipy' 2>/dev/null; then
    lab export "$dir/slow.db" --format gbench -o "$dir/slow.json"
    run $python $compare --no-color benchmarks "$dir/a.json" "$dir/slow.json"
    is "compare.py finds what is 10 % slower" $python -c "
import re
said = open('$out').read()
times = re.findall(r'^workload:\S+threads:\d +([+-]\d\.\d+)', said, re.M)
assert len(times) == 24 and all(0.1 < float(t) < 0.13 for t in times), said
assert len(re.findall(r'_pvalue +\d.*U Test, Repetitions: 3 vs 9', said)) == 8, said"
fi

cat >"$dir/machine.xml" <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<topology version="2.0">
  <object type="Machine" os_index="0" cpuset="0x3" complete_cpuset="0x3" allowed_cpuset="0x3" nodeset="0x1" complete_nodeset="0x1" allowed_nodeset="0x1">
    <object type="NUMANode" os_index="0" cpuset="0x3" complete_cpuset="0x3" nodeset="0x1" complete_nodeset="0x1" local_memory="1024"/>
    <object type="L2Cache" cpuset="0x3" complete_cpuset="0x3" nodeset="0x1" complete_nodeset="0x1" cache_size="1048576" depth="2" cache_linesize="64" cache_associativity="16" cache_type="0">
      <object type="PU" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>
      <object type="PU" os_index="1" cpuset="0x2" complete_cpuset="0x2" nodeset="0x1" complete_nodeset="0x1"/>
    </object>
  </object>
</topology>
XML
cp "$dir/a.db" "$dir/caches.db"
$python -c "
import sqlite3
db = sqlite3.connect('$dir/caches.db')
db.execute('UPDATE machines SET hwloc_xml = ?', [open('$dir/machine.xml').read()])
db.execute('UPDATE windows SET mhz = 2000.4')
db.commit()"
lab export "$dir/caches.db" --format gbench
holds "what the machine was is in its context" "
it = json.loads(out)['context']
assert it['mhz_per_cpu'] == 2000
assert it['caches'] == [{'type': 'Unified', 'level': 2, 'size': 1048576, 'num_sharing': 2}]"

lab/tests/results_file.py "$dir/one.db" --uuid 1-begins-as-a-number --machine other
cp "$dir/a.db" "$dir/two.db"
"$LAB" merge -o "$dir/two.db" "$dir/one.db" >/dev/null
lab export "$dir/two.db" --run 1
is "a run's number goes before the beginning of a uuid" cmp "$dir/a.csv" "$out"

mistake "did you mean 'csv'" "$dir/a.db" --format cvs
mistake "has no run 'third'" "$dir/a.db" --run third
mistake "several runs" "$dir/both.db" --format bmf
mistake "no such file" "$dir/none.db"
mistake "cannot be written" "$dir/a.db" -o "$dir/no/such/folder"
lab export "$dir/both.db" --format bmf --run second
is "of several runs one" [ "$status" -eq 0 ]

lab export "$dir/a.db" -o "$dir/b.csv"
is "-o writes a file" cmp "$dir/a.csv" "$dir/b.csv"
echo mine >"$dir/c.csv"
mistake "there already" "$dir/a.db" -o "$dir/c.csv"
is "a file that is there stays" [ "$(cat "$dir/c.csv")" = mine ]
lab export "$dir/a.db" -o "$dir/c.csv" --replace
is "--replace writes over it" cmp "$dir/a.csv" "$dir/c.csv"
ln -s /dev/null "$dir/device"
mistake "not a regular file" "$dir/a.db" -o "$dir/device" --replace

# A disk with no room for all of it: a file may grow to 8 KB, then writes fail.
(trap '' XFSZ && ulimit -f 8 && lab export "$dir/a.db" -o "$dir/full.csv")
status=$?
is "on a full disk it fails, and says so" \
    sh -c "[ $status -eq 1 ] && grep -q 'full.csv.*cannot be written' $err"
is "and leaves nothing" [ "$(find "$dir" -name 'full.csv*')" = "" ]
(trap '' XFSZ && ulimit -f 0 && lab export "$dir/a.db" --format bmf -o "$dir/full.json")
is "even if only the last of it has no room" [ $? -eq 1 ]
if [ -w /dev/full ]; then
    timeout 120 "$LAB" export "$dir/a.db" >/dev/full 2>"$err"
    is "so on standard output" [ $? -eq 1 ]
fi
plan
