#!/usr/bin/python3
"""Makes a results file that nobody measured, and what `lab show --json` would say of it.

    fixture.py FOLDER [--samples N] [--csv]

For tests of what reads results. FOLDER gets results.db, results.json, and `lab`, a program
that answers `lab show FILE --json` with that JSON. The numbers are those of a made-up
machine of four cores and the same every time. With --samples there is one run of at least
that many; with --csv the view `tidy` is written to results.csv as well.
"""

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess

import results_file

CORES, BLOCKS = 4, 5
NASTY = "fib:note=<script>alert('$x$')</script>&"
WORKLOADS = {  # kind, unit, shares, operations per second of one thread, about
    "fib": ("cpu", "call", "nothing", 50e6, "recursive fib on boxed ints"),
    "fib_shared": ("cpu", "call", "reads", 48e6, "the same ints for all threads"),
    "sleep": ("io", "wait", "nothing", 920, "1 ms of waiting, then a little work on objects"),
    "echo": ("io", "round trip", "handover", 22000, "64 bytes there and back"),
    "echo_spin": ("mixed", "round trip", "nothing", 22000, "a client beside threads that spin"),
    NASTY: ("cpu", "call", "nothing", 40e6, "a name that means harm to HTML and to mathtext"),
}
CONTROL = ("cpu", "safe point", "nothing", 900e6, "nothing but safe points")
MODES = {  # policy, lock, safe, cost to one thread, serial share, coherence
    "gil": ("plain", "interval", 1, 0.99, 1.0, 0.002),
    "atomic": ("atomic", "none", 1, 0.44, 0.03, 0.0),
    "biased": ("biased", "none", 1, 0.86, 0.02, 0.001),
    "nolock": ("plain", "none", 0, 1.0, 0.01, 0.0),
}


def law(threads, serial, coherence):
    """Gunther's Universal Scalability Law: times one thread."""
    return threads / (1 + serial * (threads - 1) + coherence * threads * (threads - 1))


def expected(kind, shares, mode, threads):
    _, _, _, cost, serial, coherence = MODES[mode]
    if kind == "io":
        return 1.0 * threads if threads else 1.0
    if kind == "mixed":
        return 1.0 if threads == 0 or mode != "gil" else 0.008 / threads
    if shares == "reads" and mode == "atomic":
        coherence = 0.3
    return cost * law(min(threads, CORES), serial, coherence)


class Maker:
    """Fills a file row by row, as the lab would, and remembers what the judgement needs."""

    def __init__(self, path, blocks):
        self.db = results_file.create(path)
        self.db.execute("PRAGMA synchronous = OFF")
        self.dice = random.Random(20250102)
        self.blocks = blocks
        self.cells, self.number, self.window, self.sequence = [], 0, 0, 0

    def insert(self, table, **row):
        return results_file.insert(self.db, table, **row)

    def machine(self):
        xml = None
        if shutil.which("lstopo-no-graphics"):
            xml = subprocess.run(["lstopo-no-graphics", "-i", "package:1 l3:1 core:4 pu:1", "--of",
                                  "xml"], capture_output=True, text=True, check=True).stdout
        return self.insert("machines", key="0f1e2d3c4b5a6978", host="madeup",
                           synthetic="Package:1 L3Cache:1 Core:4 PU:1", hwloc_xml=xml)

    def run(self, machine, number, ended):
        run = self.insert(
            "runs", uuid=f"00000000-0000-4000-8000-{number:012}", machine=machine, matrix="quick",
            source="name: quick\n", plan="a1", build="b2", cores=CORES, seed=42,
            placing="shuffled", window_s=0.25, ramp_s=0.05, timeout_s=10, memory_bytes=1 << 32,
            bind="auto", rounds_least=BLOCKS, rounds_most=BLOCKS, precision=0, budget_s=0,
            started=f"2025-01-0{number + 1}T03:04:05Z", ended=ended)
        for name, value in (("kernel", "6.1.0-13-amd64"), ("cpu_model", "Made-up <CPU> & friends"),
                            ("governor", None), ("compiler", "gcc 12.2.0"), ("commit", "5cd0bb7")):
            self.insert("facts", run=run, moment="run", name=name, value=value)
        self.insert("facts", run=run, moment="before", name="load_1m", value="0.08")
        self.insert("facts", run=run, moment="after", name="load_1m", value="2.11")
        return run

    def cell(self, run, workload, mode, threads, control=0, refusal=None):
        kind, unit, shares, _, about = WORKLOADS.get(workload, CONTROL)
        policy, gil, safe, *_ = MODES[mode]
        counted = 1 if kind == "mixed" else threads
        cell = self.insert(
            "cells", run=run, number=self.number, workload=workload, mode=mode, policy=policy,
            gil=gil, heap="jemalloc", threads=threads, build="", control=control, about=about,
            kind=kind, unit=unit, shares=shares, counted=counted, workers=max(1, threads),
            execution_unit="thread", units=None, carriers=max(1, threads),
            base=0 if kind == "mixed" else 1, safe=safe,
            miscounts=int(not safe and shares == "reads"), refusal=refusal)
        self.number += 1
        return cell

    def measure(self, cell, kind, rate, counted, latency, block, status="ok"):
        """A timed window and its samples; the rate that it came to."""
        self.window += 1
        self.sequence += 1
        ok = status == "ok"
        self.db.execute(
            "INSERT INTO windows (window, cell, kind, block, sequence, started, started_ns,"
            " took_s, status, note, seconds, overlap, steal, busy, mhz, max_rss_bytes, lost)"
            " VALUES (?,?,'timed',?,?,?,?,0.31,?,?,?,?,0.0,0.01,NULL,?,0)",
            (self.window, cell, block, self.sequence, f"2025-01-02T03:{block % 60:02}:05Z",
             self.sequence * 310_000_000, status, "" if ok else "no end after 10 s",
             0.25 if ok else None, 1.0 if ok else None,
             (6 << 20) + self.dice.randrange(1 << 20) + counted * 400_000 if ok else None))
        if not ok:
            return None
        total, samples = 0, []
        for worker in range(counted):
            ops = max(1, int(0.25 * rate / counted * self.dice.gauss(1, 0.03)))
            p50 = int(latency * self.dice.lognormvariate(0, 0.05)) if latency else None
            samples.append((self.window, worker, ops, worker % CORES, p50,
                            *((int(p50 * k) for k in (1.3, 2.4, 9)) if p50 else (None,) * 3)))
            total += ops
        self.db.executemany(
            "INSERT INTO samples (window, role, worker, name, ops, cpu_s, observed_pu, binding,"
            " p50_ns, p90_ns, p99_ns, max_ns) VALUES (?,0,?,'worker',?,0.24,?,'bound',?,?,?,?)",
            samples)
        return total / 0.25

    def fill(self, run, workload, mode, threads, control=0):
        kind, _, shares, per_s, _ = WORKLOADS.get(workload, CONTROL)
        cell = self.cell(run, workload, mode, threads, control)
        counted = 1 if kind == "mixed" else threads
        rate = per_s * expected(kind, shares, mode, threads)
        latency = 1e9 / per_s if kind == "io" else 1e9 / rate if kind == "mixed" else None
        rates = {}
        for block in range(1, self.blocks + 1):
            late = (workload, mode, threads, block) == ("echo", "gil", 8, 5)
            got = self.measure(cell, kind, rate * self.dice.gauss(1, 0.04), counted, latency,
                               block, "timeout" if late else "ok")
            if got is not None:
                rates[block] = got
        if shares == "reads" and mode == "nolock" and threads > 1:
            self.window += 1
            self.insert("windows", window=self.window, cell=cell, kind="audit", block=0,
                        sequence=0, started="2025-01-02T03:04:05Z", started_ns=0, took_s=0.3,
                        status="ok", note="", seconds=0.25, published=60, off=41, over=1, under=87,
                        leaked=1, early=40, kept_bytes=4096, lost=0)
        self.cells.append({"run": run, "cell": cell, "workload": workload, "mode": mode,
                           "threads": threads, "rates": rates, "kind": kind, "control": control})
        return cell


def estimate(values):
    values = sorted(values)
    if not values:
        return None
    return {"median": statistics.median(values), "low": values[0], "high": values[-1],
            "confidence": 0.95, "count": len(values)}


def judge_cell(maker, of):
    """One of "cells" in the JSON."""
    row = maker.db.execute("SELECT * FROM cells WHERE cell = ?", (of["cell"],))
    row = dict(zip([c[0] for c in row.description], row.fetchone()))
    same = [c for c in maker.cells if (c["run"], c["workload"]) == (of["run"], of["workload"])
            and not c["control"]]
    find = {(c["mode"], c["threads"]): c["rates"] for c in same}

    def ratio(base):
        rates = find.get(base) or {}
        return estimate([r / rates[b] for b, r in of["rates"].items() if b in rates])

    jain, p50, rss = [[] for _ in range(3)]
    for fairness, p50_ns, memory in maker.db.execute(
            "SELECT fairness, p50_ns, max_rss_bytes FROM rates WHERE cell = ?", (of["cell"],)):
        jain.append(fairness)
        rss.append(memory)
        p50 += [p50_ns] if p50_ns else []
    audit = maker.db.execute("SELECT published, off, net, leaked, early FROM damage WHERE cell = ?",
                             (of["cell"],)).fetchone()
    own = ratio((of["mode"], row["base"]))
    notes = [f"round {b} {s}: {n}" for b, s, n in maker.db.execute(
        "SELECT block, status, note FROM windows WHERE cell = ? AND status <> 'ok'", (of["cell"],))]
    return {
        "cell": row["number"],
        **{k: row[k] for k in ("workload mode policy gil heap build execution_unit units threads "
                               "base kind unit about control refusal").split()},
        "safe": bool(row["safe"]), "windows": len(of["rates"]),
        "rate": estimate(of["rates"].values()), "fairness": estimate(jain),
        "p50_ns": estimate(p50), "of_nolock": ratio(("nolock", row["base"])), "speedup": own,
        "karp_flatt": None, "max_rss_bytes": statistics.median(rss) if rss else None,
        "audit": audit and dict(zip("published off net leaked early".split(), audit)), "lost": 0,
        "held_back": None,
        "warnings": ["steal: 12 % of the processors' time went to other machines"]
        if (of["workload"], of["mode"]) == ("sleep", "biased") else [], "notes": notes}


def judge_scaling(maker, run, workload, mode):
    """One of "scaling": the law that the numbers were made from, with a band around it."""
    of = [c for c in maker.cells if (c["run"], c["workload"], c["mode"]) == (run, workload, mode)]
    fit = {"workload": workload, "mode": mode, "heap": "jemalloc", "build": "",
           "execution_unit": "thread", "units": None, "refusal": None}
    if of[0]["kind"] != "cpu":
        return {**fit, "refusal": "fewer than four thread counts fit on the cores"}
    one = next(c for c in of if c["threads"] == 1)
    gain = statistics.median(one["rates"].values())
    serial, coherence = MODES[mode][4:]
    if workload == "fib_shared" and mode == "atomic":
        coherence = 0.3
    curve = []
    for step in range(4, 33):
        threads = step / 4
        middle = gain * law(threads, serial, coherence)
        wide = 0.02 + 0.03 * max(0, threads - CORES)
        curve.append({"threads": threads, "low": middle * (1 - wide), "median": middle,
                      "high": middle * (1 + wide), "extrapolated": threads > CORES})
    return {**fit, "gain": estimate([gain]), "serial": estimate([serial]),
            "coherence": estimate([coherence]), "peak": None,
            "words": f"{workload} under {mode}: {100 * serial:.0f} % is serial.", "curve": curve}


def judge(maker, run):
    record = maker.db.execute("SELECT * FROM runs JOIN machines USING (machine) WHERE run = ?",
                              (run,))
    record = dict(zip([c[0] for c in record.description], record.fetchone()))
    keys = "run uuid matrix host synthetic cores started ended seed rounds_least window_s".split()
    cells = [c for c in maker.cells if c["run"] == run]
    pairs = dict.fromkeys((c["workload"], c["mode"]) for c in cells
                          if not c["control"] and c["workload"] != "empty")
    facts = dict(maker.db.execute("SELECT name, value FROM facts WHERE run = ? AND moment = 'run'",
                                  (run,)))
    return {
        "run": {**{k: record[k] for k in keys}, "machine": record["key"], "facts": facts},
        "floor": {"ratio": 0.021, "pairs": BLOCKS, "confidence": 0.9375},
        "cells": [judge_cell(maker, c) for c in cells],
        "scaling": [judge_scaling(maker, run, *pair) for pair in pairs
                    if pair[0] not in ("echo_spin",)],
        "findings": [
            "Computing (fib): 4 threads do 1.00 times the work of one under gil [0.97 .. 1.04], "
            "3.67 under atomic [3.50 .. 3.80].",
            "A name <b>that means harm</b> & more."]}


def ordinary(maker):
    machine = maker.machine()
    for number in (1, 2):
        run = maker.run(machine, number, "2025-01-03T03:09:05Z" if number == 1 else None)
        for control in (1, 2):
            maker.fill(run, "empty", "gil", 1, control)
        for workload, (kind, *_) in WORKLOADS.items():
            counts = (0, 1, 2) if kind == "mixed" else (1, 2, 3, 4, 8)
            for mode in MODES:
                for threads in counts if workload != NASTY else (1,):
                    maker.fill(run, workload, mode, threads)
        cell = maker.cell(run, "fib_shared", "nolock", 16, refusal="two threads rebuild one table")
        maker.cells.append({"run": run, "cell": cell, "workload": "fib_shared", "mode": "nolock",
                            "threads": 16, "rates": {}, "kind": "cpu", "control": 0})


def large(maker, samples):
    """One run, of as many blocks as it takes."""
    machine = maker.machine()
    per_block = sum(1 if kind == "mixed" else t for kind, *_ in WORKLOADS.values()
                    for t in (1, 2, 3, 4, 8)) * len(MODES)
    maker.blocks = -(-samples // per_block)
    run = maker.run(machine, 1, "2025-01-03T03:09:05Z")
    for workload in WORKLOADS:
        for mode in MODES:
            for threads in (1, 2, 3, 4, 8):
                maker.fill(run, workload, mode, threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--samples", type=int, default=0)
    parser.add_argument("--csv", action="store_true")
    options = parser.parse_args()
    place = os.path.join(options.folder, "results")
    maker = Maker(place + ".db", BLOCKS)
    large(maker, options.samples) if options.samples else ordinary(maker)
    maker.db.commit()
    for name in ("rates", "damage"):  # once, not once for each cell
        maker.db.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM main.{name}")
        maker.db.execute(f"CREATE INDEX temp.{name}_cell ON {name} (cell)")
    for run in dict.fromkeys(c["run"] for c in maker.cells):
        with open(f"{place}-{run}.json", "w", encoding="utf-8") as file:
            json.dump(judge(maker, run), file)
    last = maker.cells[-1]["run"]
    with open(os.path.join(options.folder, "lab"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n# Stands in for `lab show FILE --json [--run N]`.\n"
                   f'[ "$1 $3" = "show --json" ] && cat "{place}-${{5:-{last}}}.json"\n')
    os.chmod(file.name, 0o755)
    if options.csv:
        rows = maker.db.execute("SELECT * FROM tidy")
        with open(place + ".csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([c[0] for c in rows.description])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
