#!/bin/sh
# matrix.sh - `lab matrix` as its users run it. Prints TAP. LAB is the program.
. scripts/tap.sh

has_policies plain atomic || skip_rest "lab matrix" "this build lacks plain or atomic"
LAB=$(realpath "$LAB")
matrices=$(realpath benches/matrices)
cd "$dir" || exit 2

# mistake PATTERN ARGUMENT...: that lab matrix refuses this, and writes nothing.
mistake()
{
    pattern=$1
    shift
    lab matrix "$@"
    refused "$pattern" && ! ls ./*.db 2>/dev/null
    result "says what is wrong: matrix $*"
}

# What it would measure, without the control cells.
cells()
{
    expected=$1
    shift
    lab matrix "$@" --dry-run
    is "$expected cells: matrix $*" sh -c "[ $status -eq 0 ] && [ ! -s err ] &&
        [ \$(grep -c ' threads\{0,1\}\$' out) -eq $expected ] && ! ls ./*.db"
}

cat >mine.yaml <<'END'
mine:
  workload: [fib, sleep]
  mode: [gil, atomic]
  threads: [1, 2]
  window: 20ms
  ramp: 5ms
  rounds: 2
  control: no
  exclude: { workload: sleep, mode: gil }
other:
  extends: mine
  mode: nolock
slip:
  extends: mine
  exclude: { threads: 3 }
END
printf 'wrong:\n  workload: [fib,\n             fbi]\n' >wrong.yaml

mistake "it takes FILE \[NAME]"
mistake "it takes FILE \[NAME]" a b c
mistake "nowhere.yaml: No such file or directory" nowhere.yaml
mistake "wrong.yaml:3:14: unknown workload 'fbi'; did you mean 'fib'?" wrong.yaml
mistake "mine.yaml: unknown matrix 'othr'; did you mean 'other'?" mine.yaml othr
mistake "unknown mode 'x'" mine.yaml --mode x
mistake "every cell of 'other' is excluded" mine.yaml other --workload sleep --mode gil

cells 6 mine.yaml
cells 4 mine.yaml other
cells 3 mine.yaml --threads 1
cells 4 mine.yaml --mode atomic,nolock --threads 2
cells 8 mine.yaml --policy atomic --gil none,mutex
for file in "$matrices"/*.yaml; do
    has_policies biased locked biased_suspend sharded immortal || break # which these name
    lab matrix "$file" --dry-run
    is "can be planned: $(basename "$file")" [ "$status" -eq 0 ]
done

lab matrix mine.yaml slip --dry-run
is "warns of an item that leaves nothing out" sh -c "[ $status -eq 0 ] && [ -s out ] &&
    grep -qx 'lab matrix: mine.yaml:15: this item of exclude leaves out no cell' err"

lab matrix mine.yaml
is "measures, and keeps the results in the matrix's name" sh -c "[ $status -eq 0 ] &&
    [ -s mine.db ] && grep -q '^sleep ' out"
is "the file is in the record" grep -q 'exclude: { workload: sleep, mode: gil }' mine.db
lab matrix mine.yaml
is "the same command finds all done" grep -q 'mine.db has all' err
lab matrix mine.yaml --results elsewhere.db --workload fib --mode gil --threads 1
is "keeps the results where it is told" [ -s elsewhere.db ]

plan
