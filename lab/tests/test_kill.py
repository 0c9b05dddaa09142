#!/usr/bin/python3 -B
"""test_kill.py - `kill -9` of a lab that writes a results file, at random instants. Prints TAP.

A run is killed and resumed until it comes to its end, then the next file is begun; so kills
fall into the creation of the file, windows, the audit, and the file's being put to rest. After
each, a copy of what is left is looked at, so that it is the lab that recovers, not this.

Fifty kills, as long as $KILL_SECONDS (25) last; in `make soak` a thousand.
"""
import csv
import glob
import os
import random
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

from tap import is_true, lacks_policies, plan, skip

LAB = os.environ.get("LAB", "build/release/lab")
SOAK = "SOAK_SECONDS" in os.environ
KILLS = 1000 if SOAK else 50
SECONDS = float(os.environ.get("KILL_SECONDS", 240 if SOAK else 25))
SEED = int(os.environ.get("TEST_SEED", 1))
ROUNDS, CELLS, WINDOWS = 3, 4, 13  # two cells and the twins; and an audit
MARK = f"TEST_KILL_{os.getpid()}=1"
OPENS = "the file opens, and is whole"
KEPT = "no finished window is lost"
WHOLE = "a window is there with all its samples, or not at all"
ORDER = "windows keep their order"
ALONE = "no process is left"
RESUMED = "the same command goes on, to the same end"
CSV = "the CSV has every sample"

faults = {what: [] for what in (OPENS, KEPT, WHOLE, ORDER, ALONE, RESUMED, CSV)}


def expect(what, holds, *why):
    if not holds:
        faults[what].append(" ".join(str(w) for w in why))


def command(folder, window):
    return [LAB, "run", "--workload", "fib_shared", "--mode", "atomic,nolock", "--threads", "2",
            "--rounds", str(ROUNDS), "--window", window, "--ramp", "0", "--replace",
            "--results", folder + "/results.db", "--csv", folder + "/samples.csv"]


def start(folder, window="2ms"):
    name, value = MARK.split("=")
    return subprocess.Popen(command(folder, window), env={**os.environ, name: value},
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def marked():
    """Processes that the killed lab has started; those that have ended have no environment."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as file:
                if MARK.encode() in file.read().split(b"\0"):
                    found.append(path)
        except OSError:
            pass
    return found


def expect_alone():
    """They die with the lab, but it is not they who tell us."""
    limit = time.monotonic() + 20
    while marked() and time.monotonic() < limit:
        time.sleep(0.002)
    expect(ALONE, not marked(), marked())


def windows_of(path):
    """Everything in the file, window by window: {sequence: (its row, its samples)}."""
    base = sqlite3.connect(path, timeout=10)
    try:
        if base.execute("PRAGMA application_id").fetchone()[0] == 0:
            tables = base.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            expect(OPENS, tables == 0, "tables, but no mark")
            return {}
        check = base.execute("PRAGMA integrity_check").fetchone()[0]
        expect(OPENS, check == "ok", check)
        strays = base.execute("PRAGMA foreign_key_check").fetchall()
        expect(OPENS, not strays, strays)
        runs = base.execute("SELECT count(*) FROM runs").fetchone()[0]
        expect(RESUMED, runs <= 1, runs, "runs")
        samples = {}
        for row in base.execute("SELECT * FROM samples ORDER BY window, role, worker"):
            samples.setdefault(row[0], []).append(row)
        rows = base.execute("SELECT w.*, c.workers FROM windows w JOIN cells c USING (cell) "
                            "ORDER BY window")
        names = [d[0] for d in rows.description]
        found, before = {}, None
        for row in rows:
            w = dict(zip(names, row))
            its = samples.get(w["window"], [])
            expect(WHOLE, w["status"] == "ok" and w["workers"] == len(its), w)
            expect(ORDER, before is None or before["sequence"] < w["sequence"] and
                   before["started_ns"] < w["started_ns"], before, w)
            found[w["sequence"]] = row, its
            before = w
        return found
    finally:
        base.close()


def copy_of(folder):
    """What the killed lab has left, log and journal, too."""
    place = folder + "/copy"
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    for end in "", "-wal", "-journal":
        if os.path.exists(folder + "/results.db" + end):
            shutil.copy(folder + "/results.db" + end, place + "/results.db" + end)
    return place + "/results.db"


def look(path, seen):
    """What the file holds; all that was seen before must be there as it was."""
    if not os.path.exists(path):
        expect(KEPT, not seen, "the file is gone")
        return seen
    try:
        found = windows_of(path)
    except sqlite3.Error as error:
        expect(OPENS, False, error)
        return seen
    for sequence, window in seen.items():
        expect(KEPT, found.get(sequence) == window, sequence, window)
    return found


def look_meanwhile(path, seen):
    """As a reader beside the lab: the last window that it sees."""
    try:
        base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        last = base.execute("SELECT max(sequence) FROM windows").fetchone()[0] or 0
        base.close()
        return max(last, max(seen, default=0))
    except sqlite3.OperationalError:  # there is no file yet, or no table
        return max(seen, default=0)


def csv_rows(path):
    """The complete lines."""
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        text = file.read()
    return list(csv.DictReader(text[:text.rfind("\n") + 1].splitlines()))


def after_kill(folder, seen, last_read):
    expect_alone()
    found = look(copy_of(folder), seen)
    expect(KEPT, last_read <= max(found, default=0), "a reader saw", last_read)
    written = {int(row["sequence"]) for row in csv_rows(folder + "/samples.csv")}
    expect(KEPT, written <= set(found), "the CSV has", written - set(found))
    return found


def at_end(folder, status, words, seen, reader=False):
    """A reader that was there when the lab went is the last, and cannot put the log away."""
    path = folder + "/results.db"
    expect(RESUMED, status == 0, "status", status, words[-300:])
    expect(RESUMED, reader or not glob.glob(path + "-*"), glob.glob(path + "-*"))
    found = look(path, seen)
    expect(RESUMED, sorted(found) == list(range(1, WINDOWS + 1)), sorted(found))
    base = sqlite3.connect(path)
    cells = base.execute("SELECT cell, kind, count(DISTINCT block), max(block) FROM windows "
                         "GROUP BY cell, kind").fetchall()
    expect(RESUMED, sum(c[1:] == ("timed", ROUNDS, ROUNDS) for c in cells) == CELLS and
           len(cells) == CELLS + 1, cells)
    expect(RESUMED, base.execute("SELECT ended NOT NULL AND pid IS NULL FROM runs")
           .fetchall() == [(1,)], "not ended")
    samples = base.execute("SELECT sequence, role_number, worker, ops FROM tidy").fetchall()
    base.close()
    rows = [tuple(int(row[k]) for k in ("sequence", "role_number", "worker", "ops"))
            for row in csv_rows(folder + "/samples.csv")]
    expect(CSV, sorted(rows) == sorted(samples), len(rows), len(samples))


def whole_run(folder):
    """How long one takes."""
    os.mkdir(folder)
    began = time.monotonic()
    lab = start(folder)
    words = lab.communicate()[1]
    took = time.monotonic() - began
    at_end(folder, lab.returncode, words, {})
    return took


def kill_in_a_long_window(folder):
    """A cell that would go on for an hour does not outlive the lab."""
    os.mkdir(folder)
    lab = start(folder, "1h")
    while len(marked()) < 2 and lab.poll() is None:
        time.sleep(0.002)
    lab.kill()
    lab.communicate()
    expect_alone()
    for path in marked():
        os.kill(int(path.split("/")[2]), signal.SIGKILL)


def wait_anywhere(lab, left):
    lab.wait(random.uniform(0, left))


def wait_for_file(lab, path):
    """Until the file is being made, and a little longer."""
    while not os.path.exists(path) and lab.poll() is None:
        pass
    lab.wait(random.uniform(0, 0.01))


def wait_for_table(lab):
    """Until it has measured all, and is about to put the file to rest."""
    select.select([lab.stdout], [], [])
    lab.wait(random.uniform(0, 0.01))


def kill_one(folder, left, seen):
    """Starts or resumes the run, and kills it: what is there then; None: it was faster."""
    chance = random.random()
    lab = start(folder)
    try:
        if not seen and chance < 0.4:
            wait_for_file(lab, folder + "/results.db")
        elif chance < 0.2:
            wait_for_table(lab)
        else:
            wait_anywhere(lab, left)
    except subprocess.TimeoutExpired:
        pass
    reader = random.random() < 0.5
    last_read = look_meanwhile(folder + "/results.db", seen) if reader else 0
    lab.kill()
    words = lab.communicate()[1]
    if lab.returncode == -signal.SIGKILL:
        return after_kill(folder, seen, last_read)
    at_end(folder, lab.returncode, words, seen, reader)
    return None


def main():
    if lacks_policies(LAB, "plain", "atomic"):
        skip("", "this build lacks plain or atomic")
        plan()
        return False
    random.seed(SEED)
    place = tempfile.mkdtemp()
    began, kills, files, seen = time.monotonic(), 0, 0, None
    try:
        kill_in_a_long_window(place + "/long")
        took = whole_run(place + "/whole")
        while kills < KILLS and time.monotonic() - began < SECONDS:
            if seen is None:
                files += 1
                folder = f"{place}/{files}"
                os.mkdir(folder)
                seen = {}
            seen = kill_one(folder, took * (1 - len(seen) / (WINDOWS + 1)), seen)
            kills += seen is not None
            took *= 1.03 if seen is not None else 0.8  # others use this machine, now and then
        if seen is not None:
            lab = start(folder)
            words = lab.communicate()[1]
            at_end(folder, lab.returncode, words, seen)
    finally:
        shutil.rmtree(place)
    for what, why in faults.items():
        is_true(f"{what}: {kills} kills, {files} files", not why, *why[:5])
    plan()
    print(f"# TEST_SEED={SEED}")
    return any(faults.values())


if __name__ == "__main__":
    sys.exit(main())
