#!/bin/sh
# The tests of fibers on the machine that this is not: compiled for 64-bit ARM, and emulated. TAP;
# what has been generated stands beside $LAB. `scripts/install.sh foreign` installs what it takes.
. scripts/tap.sh

compiler=aarch64-linux-gnu-gcc
emulator=qemu-aarch64-static
for program in $compiler $emulator; do
    command -v "$program" >/dev/null || skip_rest foreign "$program is not installed"
done

# compiled FLAGS...: the files that are built once, into $dir.
compiled()
{
    flags="-std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -I$(dirname "$LAB") \
        -Icoroutines/switch/tests/foreign $*"
    rm -f "$dir"/*.o
    for file in coroutines/switch/*.c coroutines/switch/ways/*.c; do
        # shellcheck disable=SC2086
        run $compiler $flags -c -o "$dir/$(basename "$file" .c).o" "$file" || return
    done
}

# passes NAME: so does this test, linked with them.
passes()
{
    # shellcheck disable=SC2086
    run $compiler $flags -static -o "$dir/$1" "coroutines/switch/tests/$1.c" "$dir"/*.o \
        -pthread -lm &&
        run $emulator "$dir/$1" && ! grep -q '^not ok' "$out"
    result "aarch64: $1"
}

compiled -O2 -mbranch-protection=standard
result "aarch64: it compiles for a machine that checks branches"
passes test_fiber
passes test_threads
passes test_overflow
compiled -O0
result "aarch64: it compiles without optimisation"
passes test_fiber
plan
