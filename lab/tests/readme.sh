#!/bin/sh
# readme.sh - the README does what it says: its example files compile and run as given, its
# commands are accepted. Prints TAP. LAB is the program; only its folder's name is looked at.
#
# The examples go into a copy of the tree, where POLICIES are those that the README names. What
# was compiled of them comes along, so that make compiles what the examples add.
. scripts/tap.sh

case $LAB in
*debug/lab) ;;
*) skip_rest "the README" "once is enough, in debug builds" ;;
esac

tree=$dir/tree
LAB=$tree/build/debug/lab
quick="--rounds 1 --window 0.01 --ramp 0 --control no --csv $dir/samples.csv --replace"

# Says the path of each example; writes the file into the tree, which must not have it. An
# example is a fence of C after a line, and a blank one, that is a path in backquotes.
extract()
{
    awk -v tree="$tree" '
        /^`[a-z_\/]+\.[ch]`$/ { path = substr($0, 2, length($0) - 2); next }
        /^```c$/ && path { inside = 1; print path; next }
        /^```$/ { if (inside) close(tree "/" path); inside = 0 }
        inside { print > (tree "/" path); next }
        NF { path = "" }' README.md
}

# Every command line of the README that begins with lab, in a fence or in backquotes, once and
# in its order: those of a session need what those before have made.
commands()
{
    grep -oE '(^|`)(build/release/)?lab [a-z][^`#|]*' README.md |
        sed 's/^`//; s/^build\/release\///; s/ *$//' | grep -vx -e 'lab compare' -e 'lab advise' -e 'lab grade DIR' | awk '!seen[$0]++'
}

# The YAML of the README, as a file by the name in its first line.
extract_matrices()
{
    awk -v folder="$dir" '/^```yaml$/ { getline; file = folder "/" $2; inside = 1; next }
        /^```$/ { inside = 0 } inside { print > file }' README.md
}

# accepted COMMAND: lab and its words, as a shell reads them; what measures is made short.
accepted()
{
    words=${1#lab }
    case $words in
    run*) words="$words $quick" ;;
    matrix*) words="$words --rounds 1 --window 0.01 --ramp 0" ;;
    esac
    (cd "$dir" && eval "run \"\$program\" $words")
}

# A row of the table for this mode; every window was ok.
runs()
{
    # shellcheck disable=SC2086
    lab run --workload "$1" --mode "$2" --threads 1,2 $quick &&
        [ "$(grep -c "^  $2  *[12] " "$out")" -eq 2 ] &&
        [ "$(grep -c ',timed,.*,ok,' "$dir/samples.csv")" -ge 2 ]
}

policies="plain atomic biased sharded"
mkdir "$tree"
for name in *; do
    [ "$name" = build ] || cp -a "$name" "$tree/" || exit 2
done
for name in gen once $policies plain_audit atomic_stats biased_stats sharded_stats; do
    find "build/debug/$name" -name '*.[odh]' 2>/dev/null
done | tar -cf - -T - | tar -xf - -C "$tree"
extract >"$dir/examples"
[ "$(wc -l <"$dir/examples")" -eq 3 ]
result "the README has three examples"

# Not with what an outer make was told: MODE, POLICIES, its jobs.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS POLICIES
MAKELEVEL=0 timeout 840 make -C "$tree" -j2 MODE=debug \
    POLICIES="$policies $(sed -n 's,^objects/refcount/\(.*\)\.h$,\1,p' "$dir/examples")" \
    >"$out" 2>&1 && ! grep -q 'warning:' "$out"
result "the examples compile, without a warning"

while read -r path; do
    name=$(basename "${path%.*}")
    lab list && grep -q "^  $name  *[^ ]" "$out"
    result "lab list shows $name of $path"
    case $path in
    objects/refcount/*) runs fib "$name" ;;
    gil/locks/*) runs fib "plain+$name" ;;
    benches/workloads/*) runs "$name" gil && runs "$name" atomic ;;
    *) false ;;
    esac
    result "lab run runs $name"
done <"$dir/examples"

program=$(realpath "$LAB")
extract_matrices
commands >"$dir/commands"
[ "$(wc -l <"$dir/commands")" -ge 5 ]
result "the README shows commands"
while read -r command; do
    accepted "$command"
    result "$command"
done <"$dir/commands"

rm "$out" "$err" # below nothing is run
grep -oE '`make( [a-z]+)?' README.md | sed 's/^`make *//' | sort -u >"$dir/targets"
while read -r target; do
    grep -q "^${target:-all}:" Makefile
    result "there is a target for make${target:+ }$target"
done <"$dir/targets"

for link in $(grep -oE '\]\([^)#:]*\)' README.md CONTRIBUTING.md docs/*.md | sed 's/:\](/ /; s/)$//' | tr ' ' '|'); do
    [ -e "$(dirname "${link%%|*}")/${link#*|}" ]
    result "${link%%|*} has a link to ${link#*|}"
done
plan
