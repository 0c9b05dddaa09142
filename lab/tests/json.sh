#!/bin/sh
# json.sh - what --json prints is JSON, and says what the table says. Prints TAP.
. scripts/tap.sh

# json ARGUMENT...: into $out; status 0, nothing on standard error, and it parses.
json()
{
    lab "$@" --json && [ ! -s "$err" ] &&
        $python -m json.tool "$out" >"$dir/parsed" 2>"$err"
}

# ask EXPRESSION: what Python makes of `it`, the last JSON, line by line.
ask()
{
    $python -c "
import json, sys
it = json.load(open('$out'))
def params(entries):
    return [p for entry in entries for p in entry.get('parameters', [])]
def of_type(objects, wanted):
    return [o for top in objects for o in [top] * (top['type'] == wanted)
            + of_type(top.get('children', []), wanted)]
print(*($1), sep='\n')"
}

# same NAME EXPRESSION TEXT: the lines of the text are what Python makes of the last JSON.
same()
{
    [ "$(ask "$2" 2>"$err")" = "$3" ]
    result "$1"
}

json list
result "lab list --json"
same "its keys are the headings" 'it.keys()' "$("$LAB" list | grep '^[a-z]')"

for what in modes policies locks workloads heaps demos micros; do
    json list $what
    result "lab list $what --json"
    same "it has the names of the table" "[entry['name'] for entry in it['$what']]" \
        "$("$LAB" list $what | sed -n 's/^  \([a-z][a-z0-9_-]*\)  .*/\1/p')"
    same "and the numbers of its parameters" \
        "['%(standard)d %(least)d %(most)d' % p for p in params(it['$what'])]" \
        "$("$LAB" list $what | tr -s ' \n' ' ' | grep -o ': [0-9]* ([0-9]* to [0-9]*)' |
            sed 's/: \([0-9]*\) (\([0-9]*\) to \([0-9]*\))/\1 \2 \3/')"
done

json list policies
same "what a policy needs" "[entry['needs'] for entry in it['policies']]" \
    "$("$LAB" list policies | sed -n 's/^  *needs  *//p')"

json topo
result "lab topo --json"
same "it has the last processor of the mask" "[it['affinity'][-1]]" \
    "$(taskset -cp $$ | sed 's/.*[ ,-]//')"

export HWLOC_SYNTHETIC='pack:2 l3:2 l2:4 core:1 pu:2'
json topo
same "another machine: the placement of the table" \
    "['%(thread)d %(logical)d %(os)d' % p for p in it['placement']]" \
    "$("$LAB" topo | sed -n 's/^ *\([0-9][0-9]*\)  PU L#\([0-9]*\) P#\([0-9]*\)$/\1 \2 \3/p')"
for type in package L3 core PU; do
    same "another machine: every $type" \
        "[o['logical'] for o in of_type(it['objects'], '$type')]" \
        "$("$LAB" topo | sed -n "s/^ *$type L#\([0-9]*\).*/\1/p")"
done
same "and its mask is not known" "[it['simulated'], it['affinity']]" "True
None"
unset HWLOC_SYNTHETIC

json list demos
cp "$out" "$dir/demos"
json demo && cmp -s "$out" "$dir/demos"
result "lab demo --json is lab list demos --json"

json doctor
same "the verdicts of the doctor" \
    "[len(it['findings']) > 15, it['warnings'] == sum(f['verdict'] == 'warn' for f in it['findings'])]" \
    "True
True"

plan
