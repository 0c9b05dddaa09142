#!/bin/sh
# cli.sh - the command as people use it: help, list, topo, demo, and mistakes.
# Prints TAP. LAB is the program.
. scripts/tap.sh

# mistake PATTERN ARGUMENT...: that the lab refuses this, by the name that cli.sh gives it.
mistake()
{
    pattern=$1
    shift
    lab "$@"
    refused "$pattern"
    result "a mistake: lab $*"
}

# shows PATTERN ARGUMENT...: status 0, nothing on standard error, the pattern in the results.
shows()
{
    pattern=$1
    shift
    lab "$@" && [ ! -s "$err" ] && grep -q -e "$pattern" "$out"
    result "lab $* shows $pattern"
}

# Lines of at most 100 columns, without trailing blanks.
tidy()
{
    lab "$@" && [ -s "$out" ] && ! grep -q -E -e '.{101}| $' "$out"
    result "lab $* fits 100 columns"
}

shows '^  list  *what can be chosen' --help
shows '^  topo ' --help
shows '^  demo ' --help
shows '^Usage: lab COMMAND'
shows '^lab [0-9]' --version
shows '^Usage: lab list' list --help
shows '^Usage: lab topo' topo --help
shows '^Usage: lab demo' demo --help
lab --help && ! grep -q '^  cell' "$out"
result "commands that are not for people are not shown"

mistake "^lab: unknown command 'lsit'; did you mean 'list'?" lsit
mistake "^lab: unknown command 'zzzzzz'; there are: " zzzzzz
mistake "^lab: unknown command ''" ''
mistake "^lab: unknown command 'a?b'" 'a
b'
mistake "^lab list: unknown list 'lock'; did you mean 'locks'?" list lock
mistake "^lab list: unexpected argument 'heaps'" list locks heaps
mistake "^lab list: unknown option '--hepl'; did you mean '--help'?" list --hepl
mistake "^lab list: option '--help' takes no value" list --help=3
mistake "^lab topo: unknown or incomplete option '-x'" topo -x
mistake "^lab topo: unknown or incomplete option '-xy'" topo -xy
mistake "^lab topo: unexpected argument 'fib'" topo fib
mistake "^lab demo: unknown demo 'no such demo'" demo 'no such demo'
mistake "^lab demo: option '--child' needs a value" demo --child
mistake "^lab demo: --json is for the list of demos" demo --json refcount
mistake "^lab run: 'interval' is a global lock; the mode [a-z_]*+interval uses it$" run --mode interval
mistake "^lab run: 'gil' is a mode" run --mode gil+none

for what in modes policies locks workloads heaps; do
    tidy list $what
done
tidy list
shows '^  gil  *plain+interval: ' list modes
shows '^          *paper  *[^ ]' list policies
shows 'interval_us  *[^ ].*: 5000 (1 to 10000000)$' list locks
shows '^  fib  *[^ ]' list workloads
shows '^  *what  *CPU-bound; counts each call; threads share nothing$' list workloads
shows '^  system  *[^ ]' list heaps
lab list policies && ! grep -q _audit "$out"
result "audited builds are not listed"

shows '^affinity mask: P# [0-9]' topo
tidy topo
cpu=$(taskset -cp $$ | sed 's/.*[ ,-]//')
run taskset -c "$cpu" "$LAB" topo &&
    [ "$(grep -c '^  *PU L#' "$out")" -eq 1 ] &&
    grep -qx "affinity mask: P# $cpu" "$out" &&
    grep -qx "     1  PU L#0 P#$cpu" "$out" &&
    grep -q '^  from 2 on, .*oversubscribed' "$out"
result "lab topo sees the one PU that taskset leaves"

export HWLOC_SYNTHETIC='pack:2 core:4 pu:2'
lab topo && [ ! -s "$err" ] &&
    [ "$(sed -n 's/^ *[0-9][0-9]*  PU L#[0-9]* P#//p' "$out" | tr '\n' ' ')" = \
      '0 2 4 6 8 10 12 14 1 3 5 7 9 11 13 15 ' ] &&
    grep -qx '    PU L#15 P#15' "$out" && grep -q 'binding is simulated' "$out"
result "lab topo plans for another machine: cores first"
shows '^warn  *topology  *simulated by HWLOC_SYNTHETIC: pack:2 core:4 pu:2$' doctor
HWLOC_SYNTHETIC=rubbish
mistake '^lab topo: .*HWLOC_SYNTHETIC' topo
unset HWLOC_SYNTHETIC

export MALLOC_CONF=narenas:1
shows '^warn  *malloc settings  *MALLOC_CONF=narenas:1$' doctor
tidy doctor
lab doctor --strict
[ "$status" -eq 1 ] && grep -q '^[a-z]*  *ASLR  ' "$out"
result "lab doctor --strict fails where something warns"
unset MALLOC_CONF
mistake "^lab doctor: unexpected argument 'x'" doctor x

shows . demo
demos=$(LC_ALL=C sed -n 's/^  \([a-z_]*\)  .*/\1/p' <<END
$("$LAB" list demos)
END
)
for demo in $demos; do
    shows . demo "$demo"
done

# Nobody believes results that could not be written.
for words in --help --version list topo demo list:--json topo:--json demo:--json $(for demo in $demos; do echo "demo:$demo"; done); do
    "$LAB" $(echo $words | tr : ' ') >/dev/full 2>"$err"
    [ $? -eq 1 ] && [ "$(wc -l <"$err")" -eq 1 ] &&
        grep -q '^lab: cannot write to standard output: ' "$err"
    result "a full disk: lab $words"
done
"$LAB" list >&- 2>"$err"
[ $? -eq 1 ] && grep -q '^lab: cannot write to standard output' "$err"
result "no standard output at all"

plan
