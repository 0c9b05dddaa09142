#!/usr/bin/python3
"""The same experiments in CPython, beside ours: one table for each, ready for the README.

    peers.py [--lab build/release/lab] [--rounds N] [--window S] [--real-time]

The windows alternate, ours, theirs, ours, so that a machine that is slow for a while is
slow for both. What is said is the median of the rounds.

A spinner that waits for the GIL gets it only if it wakes before the others take it back,
and where other programs keep the cores busy it wakes too late: the convoy then comes and
goes. --real-time (as root) runs both under SCHED_RR, where nothing else delays a waking.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import results

HERE = os.path.dirname(os.path.abspath(__file__))
SPINNERS = (0, 1, 2)
THREADS = (1, 2, 4)


class PeerError(Exception):
    """One line: which program, and what it said."""


def output_of(options, command):
    if options.real_time:
        command = ["chrt", "--rr", "1"] + command
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PeerError(f"{command[0]}: {error.strerror}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
        raise PeerError(f"{' '.join(command)}: status {done.returncode}: {said[-1]}")
    return done.stdout


def ours(options, workload, threads):
    """One window of the lab's `gil` mode."""
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "peers.csv")
        output_of(options, [options.lab, "run", "--workload", workload, "--mode", "gil",
                            "--threads", str(threads), "--rounds", "1",
                            "--window", str(options.window), "--csv", path])
        windows = results.read(path)
    if len(windows) != 1 or not windows[0].has_data:
        why = windows[0].note or windows[0].status if windows else "no window"
        raise PeerError(f"{options.lab}: {workload} with {threads} threads has no figure: {why}")
    return windows[0]


def theirs(options, twin, flag, threads):
    """One window of CPython's."""
    return json.loads(output_of(options, [sys.executable, os.path.join(HERE, twin), flag,
                                          str(threads), "--rounds", "1",
                                          "--window", str(options.window)]))


def echo_spin(options, spinners):
    our = ours(options, "echo_spin", spinners)
    if our.p50_ns is None:
        raise PeerError(f"{options.lab}: echo_spin records no latency")
    their = theirs(options, "twin_echo_spin.py", "--spinners", spinners)
    return {"our p50": our.p50_ns, "our rate": our.rate,
            "their p50": their["p50_ns"], "their rate": their["round_trips_per_s"]}


def fib(options, threads):
    our, their = ours(options, "fib", threads), theirs(options, "twin_fib.py", "--threads", threads)
    return {"our rate": our.rate, "their rate": their["calls_per_s"]}


def medians(samples):
    return {key: statistics.median(s[key] for s in samples) for key in samples[0]}


def measure(options, experiment, levels):
    """By level, the median of the rounds; the levels alternate too."""
    samples = {level: [] for level in levels}
    for number in range(options.rounds):
        for level in levels:
            print(f"{experiment.__name__}, round {number + 1} of {options.rounds}, {level}",
                  file=sys.stderr)
            samples[level].append(experiment(options, level))
    return {level: medians(samples[level]) for level in levels}


def duration(ns):
    return f"{ns / 1e6:.2f} ms" if ns >= 1e6 else f"{ns / 1e3:.1f} us"


def table(rows):
    """A Markdown table, aligned for the terminal."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(map(str.rjust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 1) + ":" for w in widths) + "|")
    return "\n".join(lines)


def echo_spin_table(figures, python):
    rows = [["spinners", "p50, lab", f"p50, {python}", "lab / CPython",
             "round trips/s, lab", f"round trips/s, {python}", "lab / CPython"]]
    for spinners, f in figures.items():
        rows.append([str(spinners), duration(f["our p50"]), duration(f["their p50"]),
                     f"{f['our p50'] / f['their p50']:.2f}", f"{f['our rate']:,.0f}",
                     f"{f['their rate']:,.0f}", f"{f['our rate'] / f['their rate']:.2f}"])
    return table(rows)


def fib_table(figures, python):
    """Speed-ups, not speeds: ours has no bytecode to interpret."""
    one = figures[THREADS[0]]
    rows = [["threads", "speed-up, lab", f"speed-up, {python}"]]
    for threads, f in figures.items():
        rows.append([str(threads), f"{f['our rate'] / one['our rate']:.2f}",
                     f"{f['their rate'] / one['their rate']:.2f}"])
    return table(rows)


def falls(figures, python):
    our, their = (figures[0][k] / figures[1][k] for k in ("our rate", "their rate"))
    return (f"One spinner divides the round trips by {our:.0f} in the lab, "
            f"by {their:.0f} in {python}.")


def main():
    parser = argparse.ArgumentParser(description="CPython beside the lab.")
    parser.add_argument("--lab", default="build/release/lab", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--window", type=float, default=1.5, metavar="S",
                        help="seconds of a window")
    parser.add_argument("--real-time", action="store_true", help="run both under SCHED_RR")
    parser.error = lambda words: parser.exit(2, f"peers.py: {words}\n")
    options = parser.parse_args()
    if options.rounds < 1 or options.window <= 0:
        parser.error("there is a round, and a window longer than 0 s")
    python = f"CPython {sys.version_info.major}.{sys.version_info.minor}"
    try:
        figures = measure(options, echo_spin, SPINNERS)
        print("echo_spin: 64 bytes there and back beside spinning threads, under the GIL\n")
        print(echo_spin_table(figures, python), falls(figures, python), sep="\n\n", end="\n\n",
              flush=True)
        figures = measure(options, fib, THREADS)
        print("fib: fib(12) again and again in each thread, under the GIL\n")
        print(fib_table(figures, python))
    except (PeerError, results.BadResults) as error:
        print(f"peers.py: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
