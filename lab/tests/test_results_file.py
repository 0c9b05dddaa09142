#!/usr/bin/python3 -B
"""test_results_file.py - what may happen to a results file, and to the lab that writes it.
Prints TAP."""
import contextlib
import fcntl
import glob
import os
import pty
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time

from tap import is_true, lacks_policies, plan, skip

LAB = os.path.abspath(os.environ.get("LAB", "build/release/lab"))
PLACE = tempfile.mkdtemp()
MARK = f"TEST_RESULTS_FILE={os.getpid()}"
QUICK = ["--workload", "fib_shared", "--mode", "atomic,nolock", "--threads", "2", "--rounds", "3",
         "--window", "2ms", "--ramp", "0"]
LONG = ["--workload", "empty", "--mode", "gil", "--threads", "1", "--rounds", "10000",
        "--window", "2ms", "--ramp", "0"]
HOUR = ["--workload", "empty", "--mode", "gil", "--threads", "1", "--window", "1h"]
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}


def start(*words, env=(), **how):
    name, value = MARK.split("=")
    return subprocess.Popen([LAB, *words], env={**os.environ, name: value, **dict(env)}, text=True,
                            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                               "stderr": subprocess.PIPE, **how})


class Done:
    """A lab that has come to its end: status, out, err."""

    def __init__(self, lab):
        try:
            self.out, self.err = lab.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            lab.kill()
            self.out, self.err = lab.communicate()
        self.status = lab.returncode

    def __repr__(self):
        return f"status {self.status}, {self.out[:80]!r}, {self.err[-300:]!r}"


def run(*words, **how):
    return Done(start(*words, **how))


def wait_until(condition, lab):
    """While the lab lives."""
    while lab.poll() is None and not condition():
        time.sleep(0.002)


def children():
    """Processes that a lab of ours has started."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as file, \
                open(os.path.dirname(path) + "/cmdline", "rb") as line:
            if MARK.encode() in file.read().split(b"\0") and b"\0cell\0" in line.read():
                found.append(int(path.split("/")[2]))
    return found


def nobody_is_left():
    limit = time.monotonic() + 20
    while children() and time.monotonic() < limit:
        time.sleep(0.002)
    return not children()


def ask(path, sql):
    base = sqlite3.connect(path, timeout=10)
    try:
        return base.execute(sql).fetchall()
    finally:
        base.close()


def count(path):
    """Windows in the file; 0 if there is none yet."""
    try:
        return ask(f"{path}", "SELECT count(*) FROM windows")[0][0] if os.path.exists(path) else 0
    except sqlite3.OperationalError:
        return 0


def is_whole(path):
    """At rest, too: one file."""
    return not glob.glob(glob.escape(path) + "-*") and \
        ask(path, "PRAGMA integrity_check") == [("ok",)]


def folder(name):
    path = f"{PLACE}/{name}"
    os.mkdir(path)
    os.chmod(path, 0o777)
    return path


def tree(path):
    """All that is in a folder, byte by byte."""
    found = {}
    for at in sorted(glob.glob(path + "/*")):
        if os.path.isfile(at):
            with open(at, "rb") as file:
                found[at] = file.read()
        else:
            found[at] = None
    return found


GOOD = f"{PLACE}/good.db"  # a finished run


def refused(name, path, words, commands=("run", "status"), place=None, **how):
    """One line that holds the words, status 2, and no byte is changed."""
    for command in commands:
        before = tree(place) if place else None
        done = run(*(["run", *QUICK, "--results", path] if command == "run" else ["status", path]),
                   **how)
        is_true(f"lab {command} refuses {name}",
                done.status == 2 and not done.out and done.err.count("\n") == 1 and
                words in done.err and (not place or tree(place) == before), done, words)


def changed(path, sql):
    shutil.copy(GOOD, path)
    base = sqlite3.connect(path)
    base.execute(sql)
    base.commit()
    base.close()
    return path


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)
    return path


def test_refusals():
    at = folder("refused")
    with open(GOOD, "rb") as file:
        good = file.read()
    refused("a file of a later schema", changed(at + "/later", "PRAGMA user_version = 99"),
            "a later lab", place=at)
    refused("a file of an earlier schema", changed(at + "/earlier", "PRAGMA user_version = 0"),
            "an earlier lab", place=at)
    refused("another program's database", changed(at + "/other", "PRAGMA application_id = 1"),
            "no results file", place=at)
    refused("garbage", write(at + "/garbage", random.randbytes(5000)), "not a results", place=at)
    refused("a few words", write(at + "/words", b"dear diary\n"), "not a results", place=at)
    refused("half a file", write(at + "/half", good[:len(good) // 2]), "half: ", place=at)
    refused("an empty file", write(at + "/empty", b""), "is empty", ["status"], place=at)
    refused("a folder", at, "is a folder", place=at)
    os.mkfifo(at + "/pipe")
    refused("a pipe, and does not wait for it", at + "/pipe", "no plain file", place=at)
    refused("a device", "/dev/null", "no plain file")
    refused("a file in no folder", at + "/no/such.db", "o such file", place=at)
    refused("no name", "", "", place=at)
    refused("a file that is not there", at + "/none", "no such file", ["status"], place=at)
    os.symlink("nowhere", at + "/dangling")
    refused("a link to nowhere", at + "/dangling", "no such file", ["status"], place=at)


def left_by_a_killed_lab(path):
    """A results file with its log beside it; how many windows."""
    lab = start("run", *LONG, "--results", path)
    wait_until(lambda: count(path) >= 3, lab)
    lab.kill()
    lab.communicate()
    copy = folder("copy-" + os.path.basename(path))
    for end in "", "-wal":
        shutil.copy(path + end, f"{copy}/r{end}")
    return count(copy + "/r")


def test_read_only():
    at = folder("read-only")
    shutil.copy(GOOD, at + "/file")
    os.chmod(at + "/file", 0o444)
    refused("a file that is read-only", at + "/file", "cannot be written", ["run"], at, **NOBODY)
    os.chmod(at + "/file", 0o666)
    windows = left_by_a_killed_lab(at + "/left")
    is_true("a killed lab leaves its log", os.path.exists(at + "/left-wal") and windows >= 3)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(at + "/left-shm")
    for end in "", "-wal":
        os.chmod(at + "/left" + end, 0o644)
    os.chmod(at, 0o555)
    refused("a new file in a folder that is read-only", at + "/new", "cannot be written", ["run"],
            at, **NOBODY)
    refused("to write where no journal can be", at + "/file", "file: ", ["run"], at, **NOBODY)
    before = tree(at)
    done = run("status", at + "/file", **NOBODY)
    is_true("a folder that is read-only can be read", done.status == 0 and "finished" in done.out,
            done)
    done = run("query", at + "/left", "SELECT count(*) FROM windows", **NOBODY)
    is_true("the log that a killed lab has left there, too",
            done.status == 0 and str(windows) in done.out.split(), done, windows)
    is_true("and nothing is written there", tree(at) == before)
    os.chmod(at, 0o777)


def test_names():
    at = folder("names")
    names = ["a?mode=memory", "50%41", "a#b", "file:x.db", " two  blanks ", "größe €",
             "x" * 200, "'; --", "new\nline", "--", "a.db-wal"]
    for name in names:
        lab = run("run", *QUICK, "--results=" + name, cwd=at)
        done = run("status", "--", name, cwd=at)
        is_true(f"a file's name may be {name[:20]!r}",
                lab.status == 0 and done.status == 0 and "finished" in done.out and
                count(f"{at}/{name}") == 13, lab, done)
    is_true("no other files are made", sorted(os.listdir(at)) == sorted(names), os.listdir(at))
    os.symlink("größe €", at + "/link")
    done = run("run", *QUICK, "--again", "--results", at + "/link")
    is_true("a link is followed", done.status == 0 and count(at + "/größe €") == 26 and
            os.path.islink(at + "/link"), done)
    done = run("run", *QUICK, "--results", write(at + "/empty", b""))
    is_true("an empty file is a new one", done.status == 0 and count(at + "/empty") == 13, done)


def test_two_labs():
    path = folder("two") + "/r.db"
    first = start("run", *HOUR, "--results", path, "--csv", path + ".csv")
    wait_until(children, first)
    before = os.stat(path + ".csv").st_size
    done = run("run", *QUICK, "--results", path, "--csv", path + ".csv", "--replace")
    is_true("a second lab refuses in a line", done.status == 2 and not done.out and
            done.err.count("\n") == 1 and "another lab" in done.err, done)
    is_true("and leaves the first one's CSV alone",
            before > 0 and os.stat(path + ".csv").st_size == before)
    done = run("status", path)
    is_true("lab status reads meanwhile", done.status == 0 and "running" in done.out, done)
    done = run("status", path, **NOBODY)
    is_true("also as who may only read", done.status == 0 and "running" in done.out, done)
    is_true("and so does Python", ask(f"{path}", "SELECT count(*) FROM runs") == [(1,)])
    first.kill()
    first.communicate()
    done = run("run", *QUICK, "--results", path)
    is_true("when the first is killed, another goes on at once",
            done.status == 0 and count(path) == 13, done)
    done = run("status", path)
    is_true("the killed run is stopped, the other is finished", "stopped" in done.out and
            "finished" in done.out and "running" not in done.out, done)


def limit_files(size_bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def test_full_disk():
    at = folder("full")
    refused("to make a file that may not grow", at + "/new", "new: ", ["run"],
            preexec_fn=limit_files(8192))
    done = run("run", *QUICK, "--results", at + "/new")
    is_true("which can be made when there is room", done.status == 0 and count(at + "/new") == 13,
            done)
    path = at + "/r.db"
    done = run("run", *LONG, "--results", path, preexec_fn=limit_files(400000))
    is_true("a file that can grow no more ends the run in a line", done.status == 1 and
            [line.startswith("window ") for line in done.err.splitlines()].count(False) == 1 and
            path in done.err and "per s" in done.out, done)
    base = sqlite3.connect(path)
    kept = base.execute("SELECT sequence FROM windows ORDER BY window").fetchall()
    whole = base.execute("PRAGMA integrity_check").fetchall()
    base.close()
    is_true("what was kept is whole", whole == [("ok",)] and len(kept) > 10 and
            kept == [(i + 1,) for i in range(len(kept))], whole, len(kept))
    lab = start("run", *LONG, "--results", path)
    wait_until(lambda: count(path) > len(kept), lab)
    lab.send_signal(signal.SIGINT)
    done = Done(lab)
    is_true("and goes on when there is room", count(path) > len(kept) and is_whole(path), done)
    test_full_tmpfs(at)
    done = run("run", *QUICK, "--csv", "/dev/full", "--replace")
    is_true("a CSV that cannot be written is refused", done.status == 2 and "--csv" in done.err and
            done.err.count("\n") == 1, done)


def test_full_tmpfs(at):
    """A real full disk, in a name space of mounts of our own."""
    tiny = folder("tiny")
    script = (f"mount -t tmpfs -o size=300k tmpfs '{tiny}' || exit 99\n"
              f"cd '{tiny}'; '{LAB}' run {' '.join(LONG)} --results r.db 2>err >'{at}/out'\n"
              f"echo $? >'{at}/status'; cp r.db* '{at}'")
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, check=False,
                          text=True)
    if done.returncode == 99 or not os.path.exists(at + "/status"):
        skip("a disk that is full", "no mount is allowed here")
        return
    with open(at + "/status", encoding="ascii") as file:
        status = file.read()
    is_true("a disk that is full ends the run, and keeps what was on it", status == "1\n" and
            count(at + "/r.db") > 3, status, done.stderr)


def loses(name, act):
    """`act` takes the file away from under a run: which ends, and says so."""
    at = folder("lost-" + name.replace(" ", "-"))
    lab = start("run", *LONG, "--results", "r.db", cwd=at)
    wait_until(lambda: count(at + "/r.db") >= 2, lab)
    act(at)
    done = Done(lab)
    is_true(f"{name}: the run ends, says so, and shows what it measured", done.status == 1 and
            "deleted or replaced" in done.err and "per s" in done.out, done)
    return at


def test_lost_file():
    loses("the file is deleted", lambda at: os.unlink(at + "/r.db"))
    with open(GOOD, "rb") as file:
        good = file.read()

    def replace(at):
        shutil.copy(GOOD, at + "/other")
        os.replace(at + "/other", at + "/r.db")

    at = loses("the file is replaced", replace)
    with open(at + "/r.db", "rb") as file:
        is_true("and what replaced it is as it was", file.read() == good)
    loses("its folder is deleted", shutil.rmtree)
    at = folder("vanished")
    done = subprocess.run(["sh", "-c", 'rmdir "$0"; exec "$@"', at, LAB, "run", *QUICK,
                           "--results", "r.db"], cwd=at, capture_output=True, text=True,
                          check=False, timeout=60)
    is_true("a folder that has vanished before is a line", done.returncode == 2 and
            done.stderr.count("\n") == 1, done)


CLOCK = """
#include <time.h>
#include <sys/syscall.h>
#include <unistd.h>
static long calls;
static long shift(void) { return ++calls % 2 ? 86400 : -86400; }
int clock_gettime(clockid_t clock, struct timespec *t)
{
    int status = (int)syscall(SYS_clock_gettime, clock, t);
    if (clock == CLOCK_REALTIME)
        t->tv_sec += shift();
    return status;
}
time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}
"""


def test_clock():
    at = folder("clock")
    write(at + "/clock.c", CLOCK.encode())
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                    at + "/clock.so", at + "/clock.c"], check=True)
    asan = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    done = run("run", *QUICK, "--results", at + "/r.db",
               env={"LD_PRELOAD": at + "/clock.so", "ASAN_OPTIONS": asan})
    rows = ask(at + "/r.db", "SELECT started_ns, status, substr(started, 1, 10) "
                             "FROM windows ORDER BY sequence")
    is_true("a clock that jumps by days disturbs no window", done.status == 0 and
            len(rows) == 13 and all(row[1] == "ok" for row in rows), done)
    is_true("the times of day jump, the order does not", len({row[2] for row in rows}) > 1 and
            rows == sorted(rows), rows)


def test_stopped():
    path = folder("stopped") + "/r.db"
    lab = start("run", *LONG, "--timeout", "2s", "--results", path)
    for _ in range(3):
        before = count(path)
        wait_until(lambda: count(path) > before and children(), lab)
        everybody = [lab.pid, *children()]
        for pid in everybody:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        time.sleep(2.5)  # longer than a window may take
        for pid in everybody:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    before = count(path)
    wait_until(lambda: count(path) > before, lab)
    lab.send_signal(signal.SIGTERM)
    done = Done(lab)
    bad = ask(path, "SELECT * FROM windows WHERE status <> 'ok'")
    is_true("a lab that is stopped and continued goes on", done.status == 143 and not bad and
            is_whole(path), done, bad)


def ends(name, act, status, **how):
    """`act` on a lab in the midst of a run; everything is put in order, and it goes on later."""
    path = folder("ends-" + name.replace(" ", "-")) + "/r.db"
    lab = start("run", *LONG, "--results", path, **how)
    wait_until(lambda: count(path) >= 2 and children(), lab)
    act(lab)
    done = Done(lab)
    is_true(f"{name}: status {status}, the file is whole, nobody is left",
            done.status == status and is_whole(path) and count(path) >= 2 and nobody_is_left(),
            done)


def twice(lab):
    lab.send_signal(signal.SIGINT)
    lab.send_signal(signal.SIGINT)


def test_signals():
    for name in "INT", "TERM", "HUP":
        which = getattr(signal, "SIG" + name)
        ends("SIG" + name, lambda lab, s=which: lab.send_signal(s), 128 + which)
    ends("SIGINT twice", twice, 130)
    reader, writer = os.pipe()
    os.close(reader)

    def interrupt(lab):
        lab.send_signal(signal.SIGINT)

    ends("a closed standard output", interrupt, 1, stdout=writer)
    ends("a closed standard error", interrupt, 130, stderr=writer)
    os.close(writer)
    path = folder("nohup") + "/r.db"
    lab = start("run", *LONG, "--results", path,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    wait_until(lambda: count(path) >= 2, lab)
    lab.send_signal(signal.SIGHUP)
    before = count(path)
    wait_until(lambda: count(path) > before + 1, lab)
    is_true("with nohup a hangup is nothing", lab.poll() is None)
    lab.send_signal(signal.SIGINT)
    Done(lab)


def test_terminal():
    ours, theirs = pty.openpty()
    path = folder("terminal") + "/r.db"

    def take():
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    lab = start("run", *LONG, "--results", path, stdin=theirs, stdout=theirs, stderr=theirs,
                preexec_fn=take)
    os.close(theirs)
    os.set_blocking(ours, False)

    def read_on():
        with contextlib.suppress(OSError):
            os.read(ours, 65536)
        return count(path) >= 2

    wait_until(read_on, lab)
    os.close(ours)
    status = lab.wait(60)
    is_true("a terminal that is closed ends the run in order", status != -signal.SIGHUP and
            is_whole(path) and count(path) >= 2 and nobody_is_left(), status)


def test_many_cells():
    """Ten times what scripts/plan_figures.py wants: other programs may run beside a test."""
    if "/asan/" in LAB or "/tsan/" in LAB:
        skip("a hundred thousand cells are planned and stored", "a sanitizer takes its own time")
        return
    done = subprocess.run(["scripts/plan_figures.py", LAB, "--slack", "10"], capture_output=True,
                          text=True, check=False)
    is_true("a hundred thousand cells are planned and stored", done.returncode == 0,
            done.stdout, done.stderr)


def main():
    if lacks_policies(LAB, "plain", "atomic"):
        skip("", "this build lacks plain or atomic")
        plan()
        return
    random.seed(int(os.environ.get("TEST_SEED", 1)))
    os.chmod(PLACE, 0o755)
    try:
        done = run("run", *QUICK, "--results", GOOD)
        is_true("a results file is made, and put to rest", done.status == 0 and is_whole(GOOD),
                done)
        for test in (test_refusals, test_read_only, test_names, test_two_labs, test_full_disk,
                     test_lost_file, test_clock, test_stopped, test_signals, test_terminal,
                     test_many_cells):
            test()
    finally:
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["chmod", "-R", "u+w", PLACE], check=False)
        shutil.rmtree(PLACE)
    plan()


if __name__ == "__main__":
    sys.exit(main())
