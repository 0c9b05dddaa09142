#!/bin/sh
# `lab merge` as its users run it: TAP, the program in $LAB.
. scripts/tap.sh

make_file() { lab/tests/results_file.py "$@"; }

# sqlite FILE SQL
sqlite()
{
    $python -c "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript(sys.argv[2])" "$@"
}

# says NAME TEXT...: each a line of the report.
says()
{
    name=$1
    shift
    for text in "$@"; do
        grep -qxF -- "$text" "$out" || status="without '$text': $status"
    done
    is "$name" [ "$status" = 0 ]
}

# same_as NAME FILE...: a run's samples are those that it has in another file.
same_as()
{
    is "$1" $python -c "
import sqlite3
def rows(path, uuid):
    db = sqlite3.connect(path)
    assert db.execute('PRAGMA integrity_check').fetchall() == [('ok',)]
    assert not db.execute('PRAGMA foreign_key_check').fetchall()
    # All columns but the numbers that each file gives.
    return [db.execute(sql, [uuid]).fetchall() for sql in (
        '''SELECT c.number, w.kind, w.block, w.sequence, w.started, w.started_ns, w.took_s,
                  w.status, w.note, w.seconds, w.busy, w.mhz, w.max_rss_bytes, w.off, w.over, w.under
           FROM windows w JOIN cells c USING (cell) JOIN runs USING (run) WHERE uuid = ?
           ORDER BY w.sequence''',
        '''SELECT w.sequence, role, worker, name, ops, cpu_s, observed_pu, binding, p50_ns, p99_ns
           FROM samples JOIN windows w USING (window) JOIN cells USING (cell) JOIN runs USING (run)
           WHERE uuid = ? ORDER BY w.sequence, role, worker''',
        '''SELECT key, host, uuid, source, plan, started, ended FROM runs JOIN machines
           USING (machine) WHERE uuid = ?''',
        'SELECT moment, name, value FROM facts JOIN runs USING (run) WHERE uuid = ? ORDER BY 1, 2',
        'SELECT number, workload, control, refusal FROM cells JOIN runs USING (run) WHERE uuid = ? '
        'ORDER BY 1')]
one, other = rows('$2', '$4'), rows('$3', '$4')
assert len(one) == 5 and all(one)
for a, b in zip(one, other):
    assert a == b, [pair for pair in zip(a, b) if pair[0] != pair[1]][:1]"
}

# refuses PATTERN FILE...: that these are not merged, and the result is as it was.
refuses()
{
    pattern=$1
    shift
    cp "$dir/all.db" "$dir/before.db"
    lab merge -o "$dir/all.db" "$@"
    refused "$pattern"
    result "refuses: $pattern"
    "$LAB" export "$dir/before.db" -o "$dir/before.csv" --replace
    "$LAB" export "$dir/all.db" -o "$dir/after.csv" --replace
    is "and nothing has changed" cmp "$dir/before.csv" "$dir/after.csv"
}

a=$dir/a.db early=$dir/early.db late=$dir/late.db other=$dir/other.db all=$dir/all.db
make_file "$a" --uuid run-a --machine here --ended
make_file "$early" --uuid run-b --machine there --blocks 1
make_file "$late" --uuid run-b --machine there --blocks 3 --ended --load 0.7
make_file "$other" --uuid run-b --machine there --blocks 2 --rate 1.1
cp "$a" "$dir/a.copy"

lab merge -o "$all" "$a" "$early" "$a"
says "two machines, one run given twice" "$a: run run-a: new, windows: 34" \
    "$early: run run-b: new, windows: 14" "$a: run run-a: a duplicate" \
    "$all: run run-b (host-there): cells short of windows: 10, windows missing: 20" \
    "$all: runs: 2, machines: 2, duplicates: 1, gaps: 10"
same_as "all of the one is there" "$a" "$all" run-a
same_as "and of the other" "$early" "$all" run-b

lab merge -o "$all" "$late"
says "a run that went on: what is missing is added" "$late: run run-b: continued, windows: 20" \
    "$all: runs: 2, machines: 2, duplicates: 0, gaps: 0"
same_as "it is as in the later file" "$late" "$all" run-b
lab merge -o "$all" "$early"
says "the earlier one again has nothing new" "$early: run run-b: a duplicate" \
    "$all: runs: 2, machines: 2, duplicates: 1, gaps: 0"
same_as "and takes nothing back" "$late" "$all" run-b

make_file "$dir/second.db" --uuid run-c --machine here
lab merge -o "$all" "$dir/second.db"
says "a second run of a machine is no second machine" \
    "$all: runs: 3, machines: 2, duplicates: 0, gaps: 0"
lab merge -o "$dir/again.db" "$all"
says "what was merged can be merged" "$dir/again.db: runs: 3, machines: 2, duplicates: 0, gaps: 0"

set --
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    make_file "$dir/many$i.db" --uuid "many-$i" --machine "machine-$i" --blocks 1
    set -- "$@" "$dir/many$i.db"
done
lab merge -o "$dir/many.db" "$@"
says "a dozen files at once" \
    "$dir/many.db: runs: 12, machines: 12, duplicates: 0, gaps: 120"

refuses "other.db: run run-b, cell 0, block 1 is not what it is in" "$dir/many1.db" "$other"
cp "$late" "$dir/more.db"
sqlite "$dir/more.db" "INSERT INTO samples SELECT window, role, worker + 7, name, ops, cpu_s,
    NULL, NULL, binding, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM samples LIMIT 1"
refuses "more.db: run run-b, cell" "$dir/more.db"
cp "$late" "$dir/fewer.db"
sqlite "$dir/fewer.db" "DELETE FROM samples WHERE worker = 1"
refuses "fewer.db: run run-b, cell" "$dir/fewer.db"
cp "$late" "$dir/sample.db"
sqlite "$dir/sample.db" "UPDATE samples SET worker = worker + 7"
refuses "sample.db: run run-b, cell" "$dir/sample.db"
cp "$late" "$dir/cell.db"
sqlite "$dir/cell.db" "UPDATE cells SET heap = 'system' WHERE number = 3"
refuses "cell.db: run run-b, cell 3 is not" "$dir/cell.db"
cp "$late" "$dir/plan.db"
sqlite "$dir/plan.db" "UPDATE runs SET plan = 'another'"
refuses "plan.db: run run-b is not" "$dir/plan.db"
cp "$late" "$dir/later.db"
sqlite "$dir/later.db" "PRAGMA user_version = 99"
refuses "later.db: was written by a later lab" "$dir/many2.db" "$dir/later.db"
cp "$late" "$dir/column.db"
sqlite "$dir/column.db" "ALTER TABLE windows ADD COLUMN mine TEXT"
refuses "column.db: its table windows has other columns" "$dir/column.db"
cp "$late" "$dir/orphan.db"
sqlite "$dir/orphan.db" "DELETE FROM machines"
refuses "orphan.db: is damaged" "$dir/orphan.db"
head -c 20000 "$late" >"$dir/half.db"
refuses "half.db: " "$dir/many3.db" "$dir/half.db"
# A page that is not read when rows are copied.
$python -c "
import sqlite3
page, = sqlite3.connect('$late').execute(
    'SELECT rootpage FROM sqlite_schema WHERE name = ?', ['sqlite_autoindex_machines_1']).fetchone()
data = bytearray(open('$late', 'rb').read())
data[4096 * (page - 1):4096 * page] = bytes(range(256)) * 16
open('$dir/page.db', 'wb').write(data)"
refuses "page.db: is damaged" "$dir/page.db"
echo 'no database' >"$dir/text.db"
refuses "text.db: is not a results file" "$dir/text.db"
refuses "none.db: there is no such file" "$dir/none.db"
refuses "all.db: is what the others are merged into" "$a" "$all"

lab merge -o "$dir/new.db" "$a" "$dir/half.db"
is "a result that nothing came of is not there" \
    sh -c "[ $status -eq 2 ] && [ -z \"\$(find $dir -name 'new.db*')\" ]"
lab merge -o "$dir/text.db" "$a"
is "what is no results file is not merged into" \
    sh -c "[ $status -eq 2 ] && grep -q text.db $err &&
        [ \"\$(cat $dir/text.db)\" = 'no database' ]"
lab merge "$a"
is "--output must be said" sh -c "[ $status -eq 2 ] && grep -q -- --output $err"
is "the sources are as they were" cmp "$a" "$dir/a.copy"
plan
