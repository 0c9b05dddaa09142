#!/usr/bin/python3
"""A results file for the tests of what reads them: no measurement, but every table filled.

    results_file.py FILE [--uuid U] [--machine KEY] [--blocks N] [--planned N] [--workers N]
                         [--rate R] [--load L] [--ended]

Cells: fib and sleep, gil and nolock, 1 and 2 threads, the twin of a control, one that is
refused, and an audit. A window's numbers follow from its place alone, so two files of one
run agree in the windows that both have. --rate multiplies what each worker did; --load is a fact.
"""
import argparse
import pathlib
import sqlite3

SCHEMA = pathlib.Path(__file__).parent.parent / "schema.sql"


def create(path):
    """A new results file, open, without a row."""
    db = sqlite3.connect(path)
    db.executescript(SCHEMA.read_text())
    return db


def insert(db, table, **row):
    """Adds a row; its number."""
    names = ", ".join(f'"{name}"' for name in row)
    return db.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})",
                      list(row.values())).lastrowid


def plan():
    """The dials of each cell; control and refusal among them."""
    for workload, kind in ("fib", "cpu"), ("sleep", "io"):
        for mode in "gil", "nolock":
            for threads in 1, 2:
                yield dict(workload=workload, kind=kind, mode=mode, threads=threads)
    yield dict(workload="empty", kind="cpu", mode="gil", threads=1, control=1)
    yield dict(workload="empty", kind="cpu", mode="gil", threads=1, control=2)
    yield dict(workload="echo", kind="io", mode="gil", threads=0, refusal="echo wants a thread")


def add_cell(db, run, number, dials):
    return insert(db, "cells", **{
        **dict(run=run, number=number, policy="plain", heap="jemalloc", build="", control=0,
               gil="interval" if dials["mode"] == "gil" else "none",
               about="a workload, with a comma", unit="call", shares="nothing",
               counted=dials["threads"], workers=dials["threads"],
               carriers=dials["threads"], execution_unit="thread", units=None, base=1,
               safe=int(dials["mode"] == "gil"), miscounts=int(dials["mode"] == "nolock")),
        **dials})


COUNTED = dict(live_objects=0, most_objects=64, asked_bytes=2048, taken_bytes=4096)
# And what the collector did in a window, if that is block 1.
PAUSED = {"young_collections": 1, "all_collections": 0, "garbage": 2, "pause_total_ns": 3000,
          "pause_p50_ns": 2980, "pause_p99_ns": 2980, "pause_max_ns": 3000}
# And what its processes used.
USED = dict(process_cpu_s=0.125, process_voluntary_switches=7, process_involuntary_switches=3,
            connections=4, grown_bytes=8192, latency_p50_ns=1001, latency_p90_ns=1500,
            latency_p99_ns=2001, latency_p999_ns=2002, latency_max_ns=2003)


def add_window(db, cell, number, dials, block, sequence, args):
    window = insert(db, "windows", cell=cell, kind="timed" if block else "audit", block=block,
                    sequence=sequence, started="2026-01-02T03:04:05Z", started_ns=sequence * 10**9,
                    took_s=0.3, status="ok", note='a "note", quoted' if block == 1 else "",
                    seconds=0.25, overlap=0.99, steal=None, busy=0.1 + 0.2, mhz=None,
                    max_rss_bytes=10**7, lost=0, published=5, off=2 - 2 * bool(block),
                    over=3 * (not block), under=1 * (not block), leaked=0, early=0, kept_bytes=0,
                    **(COUNTED | PAUSED | USED if block == 1 else {}))
    for worker in range(args.workers or dials["threads"]):
        slow = 1000 if dials["kind"] == "io" else 1
        ops = 10**6 + 10**4 * number + 1000 * (block * 7 % 10) + worker
        insert(db, "samples", window=window, role=0, worker=worker, name="worker",
               ops=int(ops / slow * args.rate), cpu_s=0.25 / 3, planned_pu=worker,
               observed_pu=worker, binding="bound",
               p50_ns=1000 + block if dials["kind"] == "io" else None,
               p99_ns=2000 + block if dials["kind"] == "io" else None)


def add_stats(db, cell, sequence):
    window = insert(db, "windows", cell=cell, kind="stats", block=0, sequence=sequence,
                    started="2026-01-02T03:04:05Z", started_ns=sequence * 10**9, took_s=0.3,
                    status="ok", note="", seconds=0.25, overlap=0.99, own_ops=10, foreign_ops=20,
                    retries=3, merges=4, queued=0, most_queued=0, most_held_bytes=0, crowded=0,
                    incomplete=0)
    insert(db, "contended", window=window, rank=1, type="int", site="a.c:1 in make", alone=1,
           objects=1, threads=2, own_ops=9, foreign_ops=20, retries=3)
    for role, name in (-1, "lock"), (0, "worker"):
        insert(db, "turns", window=window, role=role, worker=0, name=name, held_ns=30, waiting_ns=20,
               free_ns=50, forced=4, in_vain=3, voluntary=2, requests=5, waits=9, wait_p50_ns=1,
               wait_p90_ns=2, wait_p99_ns=3, wait_p999_ns=4, wait_max_ns=5)


def write(db, args):
    machine = insert(db, "machines", key=args.machine, host="host-" + args.machine,
                     synthetic="Package:1 Core:2 PU:1")
    run = insert(db, "runs", uuid=args.uuid, machine=machine, matrix="run", source="lab run",
                 plan="plan", build="build", cores=2, seed=1, placing="shuffled", window_s=0.25,
                 ramp_s=0.05, timeout_s=60, memory_bytes=10**9, bind="auto",
                 rounds_least=args.planned, rounds_most=args.planned, precision=0, budget_s=0,
                 started="2026-01-02T03:04:05Z",
                 ended="2026-01-02T03:05:05Z" if args.ended else None)
    insert(db, "facts", run=run, moment="run", name="kernel", value="6.1")
    insert(db, "facts", run=run, moment="run", name="build_mode", value="release")
    insert(db, "facts", run=run, moment="run", name="absent", value=None)
    insert(db, "facts", run=run, moment="before", name="load", value=args.load)
    cells = [(add_cell(db, run, number, dials), number, dials)
             for number, dials in enumerate(plan())]
    measured = [cell for cell in cells if "refusal" not in cell[2]]
    for cell, number, dials in cells:
        if dials["mode"] == "nolock":
            add_window(db, cell, number, dials, 0, number + 1, args)
    if args.stats:
        add_stats(db, measured[0][0], 50)
    for block in range(1, args.blocks + 1):
        for cell, number, dials in measured:
            add_window(db, cell, number, dials, block, 100 * block + number, args)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--uuid", default="11111111-1111-4111-8111-111111111111")
    parser.add_argument("--machine", default="aaaa")
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--planned", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1)
    parser.add_argument("--load", default="0.1")
    parser.add_argument("--ended", action="store_true")
    parser.add_argument("--stats", action="store_true")
    args = parser.parse_args()
    db = create(args.file)
    write(db, args)
    db.commit()


if __name__ == "__main__":
    main()
