#!/usr/bin/python3
"""The figures that this project set itself for experiments and their record.

    record_figures.py LAB

What a cell costs beyond its windows; how long a million samples take to be shown and reported.
(scripts/plan_figures.py has what a large matrix costs before anything is measured.) Exits with 0
whether or not they are reached, with 1 if it cannot measure.
"""

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(HERE, "..", "lab", "tests", "fixture.py")
PYTHON = "/usr/bin/python3"


def tell(name, value, unit, most):
    print(f"{name}: {value:.3g} {unit} (at most {most}): "
          f"{'reached' if value <= most else 'NOT reached'}", flush=True)


def harness(lab, folder):
    """The process of a window, from before it starts until it is reaped, less ramp and window."""
    results = os.path.join(folder, "harness.db")
    subprocess.run([lab, "run", "--workload", "empty,fib", "--mode", "nolock,atomic", "--threads",
                    "1,2", "--rounds", "10", "--window", "0.05", "--ramp", "0.01", "--results",
                    results], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with sqlite3.connect(results) as db:
        beyond = [row[0] for row in db.execute(
            "SELECT (took_s - seconds - ramp_s) * 1e3 FROM windows JOIN cells USING (cell) "
            "JOIN runs USING (run) WHERE windows.kind = 'timed'")]
    tell("a cell costs beyond its window, median", statistics.median(beyond), "ms", 60)


def timed(command):
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def million(lab, folder):
    subprocess.run([PYTHON, FIXTURE, folder, "--samples", "1000000"], check=True,
                   stdout=subprocess.DEVNULL)
    results = os.path.join(folder, "results.db")
    with sqlite3.connect(results) as db:
        print(f"{db.execute('SELECT count(*) FROM samples').fetchone()[0]} samples:")
    tell("  lab show", timed([lab, "show", results]), "s", 10)
    tell("  lab show --json", timed([lab, "show", "--json", results]), "s", 10)
    tell("  lab query, medians of all cells",
         timed([lab, "query", results, "SELECT * FROM medians"]), "s", 10)
    tell("  lab report", timed([lab, "report", results, "-o", os.path.join(folder, "r.html")]),
         "s", 10)


def main():
    if len(sys.argv) != 2:
        print("record_figures.py: wants one argument, the lab", file=sys.stderr)
        return 2
    lab = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        harness(lab, folder)
        million(lab, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
