#!/bin/sh
# units.sh - what workers are, as a dial: on the command line, in matrices, in results files.
# Prints TAP. LAB is the program.
. scripts/tap.sh

has_policies plain atomic || skip_rest "units" "this build lacks plain or atomic"
LAB=$(realpath "$LAB")
cd "$dir" || exit 2

# mistake PATTERN ARGUMENT...: that lab run refuses this.
mistake()
{
    pattern=$1
    shift
    lab run "$@"
    refused "$pattern"
    result "says what is wrong: run $*"
}

# cells EXPECTED ARGUMENT...: so many cells, without those of the control.
cells()
{
    expected=$1
    shift
    lab run --workload fib --mode gil "$@" --control no --dry-run
    is "$expected cells: run $*" sh -c "[ $status -eq 0 ] &&
        [ \$(grep -c '^fib, gil' out) -eq $expected ]"
}

mistake "unknown unit 'greenlte'; did you mean 'greenlet'?" --unit greenlte
mistake "unit 'thread' is there twice" --unit thread,thread
mistake "--units: '0' is not a number from 1 to 100000" --units 0

lab list units
is "the list says what each is" sh -c "[ $status -eq 0 ] && grep -q '^  greenlet  *greenlets' out &&
    grep -q '^  thread  *each worker is a thread' out"

cells 2 --threads 1,2
cells 2 --threads 1,2 --unit thread --units 3,5       # where they are threads, units are none
cells 6 --threads 1,2 --unit thread,greenlet --units 3,5
lab run --workload fib --mode gil --unit greenlet --threads 2 --control no --dry-run
is "a hundred, if nothing is said" grep -qx 'fib, gil, greenlet x100, 2 threads' out

# What cannot be run is a row with the reason.
lab run --workload fib,queue,echo_spin,cpu_fraction,blocked_owner --mode gil,nolock --control no \
    --unit coroutine,greenlet,hybrid --units 2 --threads 1,3 --dry-run
row() { is "a row: $1" grep -q "^$1" out; }
row "fib, gil, coroutine x2, 3 threads: not run: it is on one thread; loops has one on each"
row "fib, gil, greenlet x2, 3 threads: not run: fewer units than threads to carry them"
row "queue, gil, greenlet x2, 1 thread: not run: each needs a thread; its workers wait for one another"
row "echo_spin, gil, greenlet x2, 1 thread: not run: how many clients there are depends on no units"
row "fib, nolock, hybrid x2, 1 thread: not run: the loop and the pool would count one object"
row "cpu_fraction, gil, hybrid x2, 3 threads\$"
row "fib, nolock, greenlet x2, 1 thread\$"

cat >units.yaml <<'END'
units:
  workload: [sleep, echo]
  mode: gil
  unit: [thread, greenlet, coroutine]
  units: [4, 20]
  threads: [1, 2]
  window: 20ms
  ramp: 5ms
  rounds: 2
  control: no
  exclude:
    - { unit: coroutine, threads: 2 }
    - { unit: [greenlet, coroutine], units: "> 10", workload: sleep }
slip:
  extends: units
  exclude: { unit: loops }
END
lab matrix units.yaml units --rounds 1
is "a matrix has them, and leaves some out" \
    sh -c "[ $status -eq 0 ] && grep -q '^sleep, greenlet x4 (' out && ! grep -q 'sleep, greenlet x20' out"
lab matrix units.yaml units
is "with more rounds it is another run" [ "$status" -eq 0 ]
lab matrix units.yaml units
is "and the same again measures nothing" sh -c "[ $status -eq 0 ] && ! grep -q '^window' err"
lab status units.db
is "both are whole" sh -c "! grep -q 'interrupted\|not finished' out"
lab matrix units.yaml slip --dry-run
is "an item that leaves out nothing gets a warning" grep -q 'leaves out' err

lab query units.db --csv "SELECT DISTINCT execution_unit, units, threads, carriers FROM cells
    WHERE run = 1 AND workload = 'echo' ORDER BY cell"
is "the record has them" sh -c "tr -d '\r' <out | tail -n +2 | paste -sd' ' - | grep -qx \
    'thread,,1,2 thread,,2,4 greenlet,4,1,1 greenlet,4,2,2 greenlet,20,1,1 greenlet,20,2,2 coroutine,4,1,1 coroutine,20,1,1'"
lab query units.db --csv "SELECT count(*), sum(cpu_s) > 0, max(cpu_s) FILTER (WHERE role = 1)
    FROM samples JOIN windows USING (window) JOIN cells USING (cell)
    WHERE workload = 'echo' AND run = 1 AND units = 20"
is "a sample is of a thread and a role, and its time is there once" \
    sh -c "tr -d '\r' <out | grep -qx '8,1,0'"
lab show units.db --json
is "JSON has them" python3 -c "
import json
cells = json.load(open('out'))['cells']
assert {(c['execution_unit'], c['units']) for c in cells} == {('thread', None), ('greenlet', 4),
    ('greenlet', 20), ('coroutine', 4), ('coroutine', 20)}
assert all(c['rate']['count'] == 2 for c in cells), cells
one, two = (c for c in cells if (c['workload'], c['units'], c['execution_unit']) ==
            ('echo', 20, 'greenlet'))
assert one['speedup']['median'] == 1 and two['speedup'] and one['fairness'] is None"
lab export units.db --run 1 --format bmf
is "other programs get other names, and the old ones" \
    sh -c "grep -q 'workload:echo/mode:gil/heap:jemalloc/unit:greenlet/units:20/threads:2\"' out &&
    grep -q 'workload:echo/mode:gil/heap:jemalloc/threads:2\"' out"
lab export units.db --format csv
is "so has the CSV" sh -c "grep -q ',greenlet,20,' out"
lab compare --in units.db unit=thread unit=greenlet
is "two units are compared, by each count" \
    sh -c "[ $status -eq 0 ] && grep -q 'by greenlet x4$' out && grep -q 'by greenlet x20$' out"
lab compare --in units.db units=4 units=20
is "and two counts" sh -c "[ $status -eq 0 ] && grep -q '^echo.*, greenlet x4$' out"

lab run --workload echo --mode gil --unit loops --units 8 --threads 2 --rounds 1 --window 30ms --stats
is "the lock is watched by thread" sh -c "[ $status -eq 0 ] && grep -q 'of 2 threads have it' out"

# Files of before: of schema 4, which knew no use of the processor, and of 3, whose workers were threads.
lab run --workload sleep --mode gil --threads 1 --rounds 1 --window 10ms --control no --results old.db
"$LAB" show old.db >before
cat >back.py <<'END'
import sqlite3, sys
db = sqlite3.connect("old.db")
table, version = sys.argv[1:3]
for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall():
    db.execute(f"DROP VIEW {name}")
for column in sys.argv[3:]:
    db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
db.execute(f"PRAGMA user_version = {version}")
END
python3 back.py windows 4 process_cpu_s process_voluntary_switches process_involuntary_switches \
    connections grown_bytes latency_p50_ns latency_p90_ns latency_p99_ns latency_p999_ns latency_max_ns
lab merge -o all.db old.db units.db
is "a file of schema 4 is merged" [ "$status" -eq 0 ]
lab query all.db --csv "SELECT count(*), count(seconds), count(process_cpu_s), count(latency_p50_ns)
                        FROM windows JOIN cells USING (cell) WHERE run = 1 AND windows.kind = 'timed'"
is "with what it had" sh -c "tr -d '\r' <out | tail -n +2 | grep -qx '1,1,0,0'"
rm all.db
python3 back.py cells 3 execution_unit units carriers
lab show old.db
is "a file of schema 3 is shown as it was" cmp -s out before
lab merge -o all.db old.db units.db
is "and merged" [ "$status" -eq 0 ]
lab query all.db --csv "SELECT DISTINCT execution_unit, units FROM cells WHERE run = 1"
is "as threads" sh -c "tr -d '\r' <out | tail -n +2 | grep -qx 'thread,'"

plan
