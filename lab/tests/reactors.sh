#!/bin/sh
# reactors.sh - units whose loops wait by io_uring: measured where the kernel allows it, and a row that
# says why where it does not. Prints TAP. LAB is the program.
. scripts/tap.sh

has_policies plain || skip_rest "reactors" "this build lacks plain"

# without CALL:ERRNO PROGRAM ARGUMENT...: as run, but this system call is refused so; by EPERM, as in
# many containers, if nothing else is said.
cat >"$dir/without.py" <<'END'
import ctypes, errno, os, struct, sys

NUMBERS = {"x86_64": {"io_uring_setup": 425}, "aarch64": {"io_uring_setup": 425}}
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
name, _, why = sys.argv[1].partition(":")
call = NUMBERS[os.uname().machine][name]
refusal = 0x00050000 | getattr(errno, why or "EPERM")
code = b"".join(struct.pack("HBBI", *line) for line in (
    (LOAD, 0, 0, 0), (EQUAL, 0, 1, call), (RETURN, 0, 0, refusal), (RETURN, 0, 0, 0x7FFF0000)))
held = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 4, ctypes.addressof(held))
prctl = ctypes.CDLL(None, use_errno=True).prctl
if prctl(38, 1, 0, 0, 0) or prctl(22, 2, ctypes.c_char_p(program), 0, 0):
    sys.exit(77)
os.execvp(sys.argv[2], sys.argv[2:])
END
without()
{
    run $python "$dir/without.py" "$@"
}

# (A mutex that one fiber takes and another of the thread lets go is a fault to TSan.)
short="--mode plain+interval --threads 1 --units 3 --rounds 1 --window 0.05 --ramp 0.01 --control no"

lab list units
is "units say that they can" [ "$(grep -c '^  *uring ' "$out")" -ge 3 ]
lab run --unit thread:uring=1
refused "uring"
result "threads cannot"

# shellcheck disable=SC2086
lab run $short --workload echo,file:fsync=0,pipe --unit coroutine,greenlet
is "echo, files and pipes by epoll" sh -c "[ $status -eq 0 ] && ! grep -qE 'failed|not run' $out"

lab doctor --json
if grep -q '"loops can wait by it"' "$out"; then
    # shellcheck disable=SC2086
    lab run $short --workload echo,file:fsync=0,pipe --unit coroutine:uring=1,greenlet:uring=1 \
        --results "$dir/u.db"
    is "and by io_uring" sh -c "[ $status -eq 0 ] && ! grep -qE 'failed|not run' $out"
    lab query "$dir/u.db" "SELECT DISTINCT execution_unit FROM cells"
    is "the results say by what" grep -q 'greenlet:uring=1' "$out"
else
    echo "# io_uring is refused here"
fi

# shellcheck disable=SC2086
without io_uring_setup "$LAB" run $short --workload echo --unit greenlet,greenlet:uring=1
if [ "$status" -ne 77 ]; then
    is "where it is refused the cell says why, and others run" sh -c "[ $status -eq 0 ] &&
        grep -q 'not run: io_uring_setup is refused here: Operation not permitted' $out"
    without io_uring_setup "$LAB" doctor
    is "and so does lab doctor" grep -q '^absent *io_uring *EPERM: this kernel refuses it' "$out"
fi

# Before Linux 5.12 a ring's memory counts as locked: with too little of that it is refused.
unprivileged=
[ "$(id -u)" -ne 0 ] || unprivileged="setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock"
cat >"$dir/unlocked.sh" <<'END'
ulimit -l 0 && exec "$@"
END
# shellcheck disable=SC2086
run $unprivileged sh "$dir/unlocked.sh" "$LAB" run $short --workload echo --unit greenlet:uring=1
if [ "$status" -eq 0 ] && ! grep -q 'refused here' "$out"; then
    echo "# this kernel does not count a ring's memory: it is refused by a filter instead"
    # shellcheck disable=SC2086
    without io_uring_setup:ENOMEM "$LAB" run $short --workload echo --unit greenlet:uring=1
fi
if [ "$status" -ne 77 ]; then
    is "where memory may not be locked the cell says why" \
        grep -q 'not run: io_uring_setup is refused here: Cannot allocate memory' "$out"
    without io_uring_setup:ENOMEM "$LAB" doctor
    is "and lab doctor what limits it" grep -q '^absent *io_uring *ENOMEM: .*ulimit -l' "$out"
fi
plan
