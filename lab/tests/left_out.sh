#!/bin/sh
# left_out.sh - a policy, lock, workload, heap, demo or micro-benchmark of which nothing is said is
# listed all the same. Prints TAP. LAB is the program: its objects are there, so that in a copy of
# the tree only the changed files are compiled.
. scripts/tap.sh

case $LAB in
*debug/lab) ;;
*) skip_rest "what a contributor leaves out" "once is enough, in debug builds" ;;
esac

tree=$dir/tree
built=$(dirname "$LAB")
policy=$("$LAB" list policies --json | $python -c "
import json, sys
names = [p['name'] for p in json.load(sys.stdin)['policies']]
print('atomic' if 'atomic' in names else names[0])")

mkdir "$tree"
for name in *; do
    [ "$name" = build ] || cp -a "$name" "$tree/" || exit 2
done
find "$built/gen" "$built/once" "$built/$policy" "$built/${policy}_audit" "$built/${policy}_stats" \
    -name tests -prune -o -type f \( -name '*.[ohd]' -o -name flags \) -print 2>"$err" |
    tar -c -T - | tar -x -C "$tree"

# quiet FILE: leaves nothing in it that `lab list` would print but names and numbers. A policy's
# header keeps its time: of all that include it, runtime.c alone looks at what it says.
quiet()
{
    $python - "$tree/$1" <<'END'
import os, re, sys
path = sys.argv[1]
time = os.stat(path)
text = open(path).read()
strings = r'("([^"\\]|\\.)*"\s*)+'
less = re.sub(r'\.(about|cost|space|threads|needs|paper|source|unit|modes) = ' + strings + ',', '', text)
less = re.sub(r'(\{ "\w+",\s*)' + strings + r'(,\s*\d)', r'\1NULL\4', less)
assert less != text, path + ' says nothing'
open(path, 'w').write(less)
if path.endswith('.h'):
    os.utime(path, ns=(time.st_atime_ns, time.st_mtime_ns))
END
}
is "what they say is taken away" quiet "objects/refcount/$policy.h"
for file in gil/locks/interval.c objects/heaps/system.c benches/workloads/sleep.c \
    benches/workloads/echo_spin.c benches/demos/refcount.c benches/micro/safepoint.c; do
    is "from $file, too" quiet "$file"
done
rm -f "$tree/$built"/*/benches/runtime.o

# Not with what an outer make was told: MODE, POLICIES, its jobs.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS POLICIES
MAKELEVEL=0 timeout 280 make -C "$tree" -j2 MODE=debug POLICIES="$policy" build/debug/lab >"$out" 2>"$err"
result "it compiles"

LAB=$tree/build/debug/lab
lab list
[ "$status" -eq 0 ] && [ ! -s "$err" ] && ! grep -q 'null' "$out"
result "everything is listed"
for name in "$policy" interval system sleep echo_spin refcount safepoint; do
    is "$name, of which nothing is said" grep -q "^  $name  *-$" "$out"
done
is "and none of the fields that it has not" sh -c "! grep -qE '^ *(paper|cost|space|needs)' $out"
lab list --json
is "in JSON it is null" $python -c "
import json
it = json.load(open('$out'))
said = {e['name']: e for key in it for e in it[key]}
for name in '$policy interval system sleep echo_spin refcount safepoint'.split():
    assert said[name]['about'] is None or name == '$policy', said[name]
assert it['policies'][0]['about'] is None and it['policies'][0]['paper'] is None
assert said['interval']['source'] is None and said['sleep']['unit'] is None
assert said['interval']['parameters'][0]['about'] is None and said['refcount']['modes'] == []"
lab demo
is "so are the demos" [ "$status" -eq 0 ]
mode=$("$LAB" list policies --json | $python -c "
import json, sys
p, = json.load(sys.stdin)['policies']
print(p['name'] + ('+mutex' if p['needs_lock'] else '+none'))")
lab run --workload sleep,echo_spin --mode "$mode,$policy+interval" --threads 1 --rounds 1 --window 0.01 --ramp 0
is "and it runs" sh -c "[ $status -eq 0 ] && grep -q 'counted in operations' $out"
plan
