#!/bin/sh
# cut.sh - what is cut for students compiles without a warning, and so does the solution. Prints TAP.
. scripts/tap.sh

command -v make >/dev/null && [ "$(dirname "$LAB")" = build/debug ] ||
    skip_rest "what is cut compiles" "it is built with MODE=debug"

here=$(mktemp -d build/cut.XXXXXX) || exit 2
trap 'rm -rf "$dir" "$here" build/debug/of/build+cut.*' EXIT

# compiles ASSIGNMENT FOLDER: each file of it, without a warning.
compiles()
{
    objects=
    for file in "$2"/*/*.[ch]; do
        objects="$objects build/debug/of/$(echo "$2" | tr / +)/rules/$(basename "${file%.*}").o"
    done
    # shellcheck disable=SC2086
    run make -s MODE=debug ASSIGNMENT="$2" OF="$1" STRICT=-Werror $objects
}

for assignment in lab/assignments/*-*; do
    name=$(basename "$assignment")
    run scripts/cut.py --to "$here/$name" "$assignment" && compiles "$assignment" "$here/$name"
    result "$name: what the student begins with compiles"
    ! grep -rL ' TODO: ' "$here/$name" | grep -q . && ! grep -rqE '(/\*|#) (cut [0-9]|end of cut)' "$here/$name"
    result "$name: it says what is to be written, and nothing of other assignments"
    run scripts/cut.py --whole --to "$here/$name.whole" "$assignment" &&
        compiles "$assignment" "$here/$name.whole" && ! grep -rqE '(/\*|#) (TODO: |cut [0-9]|end of cut)' "$here/$name.whole"
    result "$name: the solution compiles"
    cp -r "$here/$name" "$dir/before"
    run scripts/cut.py --to "$here/$name" "$assignment" && diff -r "$dir/before" "$here/$name"
    result "$name: what is there is not written over"
    rm -rf "$dir/before"
done

# A submission of which is kept what differs becomes a whole one.
parts_fit()
{
    for folder in $(grep -rlF 'The rest: as in the solution' lab/assignments | sed 's,/[^/]*/[^/]*$,,'); do
        assignment=${folder%/tests/*/*}
        run scripts/cut.py --parts "$folder" --to "$here/parts/$folder" "$assignment" &&
            ! diff -rq "$here/parts/$folder" "$here/$(basename "$assignment").whole" >"$out" || return
    done
}
parts_fit
result "parts of a submission fit into the solution"
mkdir -p "$dir/parts/coroutines"
printf '/* generator.c\n *\n * The rest: as in the solution\n */\nint nowhere(void)\n{\n    return 0;\n}\n' >"$dir/parts/coroutines/generator.c"
run scripts/cut.py --parts "$dir/parts" --to "$here/out" lab/assignments/07-generators
[ "$status" -ne 0 ] && grep -q 'has no place' "$err"
result "but not what the solution has no place for"

# A mark that cannot be right stops the cut.
mkdir -p "$here/77-broken"
printf 'title: T\nfiles:\n  - locks/mine.c from %s\n' "$here/source.c" >"$here/77-broken/assignment.yaml"
# broken WHY TEXT
broken()
{
    printf '%b' "$2" >"$here/source.c"
    run scripts/cut.py --to "$here/out" "$here/77-broken"
    [ "$status" -ne 0 ] && grep -q "$1" "$err" && [ ! -e "$here/out/locks/mine.c" ]
    result "refused: $1"
}
broken 'a cut has no end' '/* cut 77: a */\nint x;\n'
broken 'a cut within a cut' '/* cut 77: a */\n/* cut 77: b */\n/* end of cut */\n'
broken 'a cut that has no beginning' '/* end of cut */\n'
broken 'has no cut 77' 'int x;\n'
plan
