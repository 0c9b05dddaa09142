#!/usr/bin/python3 -B
"""plan_figures.py - what a matrix of 100 000 cells costs before anything is measured.

    plan_figures.py LAB [--slack N]

Plans and stores one, and interrupts the lab as soon as its results file is begun: it ends when
all cells are in it, and its table is printed. Time, memory and file are held against what we set
ourselves, N times as much with --slack. The status is 1 if one is missed.
"""
import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

CELLS = 100000
GOALS = {"seconds, plan and store": 2, "MB of memory": 200, "MB of file": 200}
MODES = [f"plain+interval:interval_us={us}" for us in range(100, 1100, 100)]
WORKLOADS = "empty,fib,fib_shared,churn,sleep,echo,dict_count,shared_read,handoff,echo_spin"


def plan_and_store(lab, path):
    """Seconds and bytes of memory."""
    began = time.monotonic()
    process = subprocess.Popen([lab, "run", "--workload", WORKLOADS, "--mode", ",".join(MODES),
                                "--threads", "1..1000", "--results", path],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not os.path.exists(path) and time.monotonic() < began + 60:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    usage = os.wait4(process.pid, 0)[2]
    return time.monotonic() - began, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lab")
    parser.add_argument("--slack", type=float, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = place + "/results.db"
        seconds, memory_bytes = plan_and_store(asked.lab, path)
        base = sqlite3.connect(path)
        cells = base.execute("SELECT count(*) FROM cells WHERE NOT control").fetchone()[0]
        base.close()
        got = [seconds, memory_bytes / 1e6, os.path.getsize(path) / 1e6]
    if cells != CELLS:
        sys.exit(f"plan_figures.py: {cells} cells were stored, not {CELLS}")
    reached = [value <= goal * asked.slack for value, goal in zip(got, GOALS.values())]
    for (what, goal), value, is_good in zip(GOALS.items(), got, reached):
        print(f"{CELLS} cells: {what:<28} at most {goal * asked.slack:<8g} {value:8.2f}  "
              f"{'reached' if is_good else 'MISSED'}")
    return not all(reached)


if __name__ == "__main__":
    sys.exit(main())
