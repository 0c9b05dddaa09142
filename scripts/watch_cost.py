#!/usr/bin/python3
"""What it costs to watch a lock, and to trace it: windows of one cell in turn, with and without.

    watch_cost.py LAB [--windows 15] [--seconds 0.5]

With --watch and with --trace, in times of the window beside it that had neither: what the first
role did in a second, and in a second of processor time of all roles, which other programs disturb
less. The median, and the range that holds it with 95 %. `control` is another window with neither:
what differs by less is noise.
"""

import argparse
import os
import statistics
import subprocess
import tempfile

CELLS = (("fib", 2), ("echo_spin", 0))
KINDS = {"control": [], "--watch": ["--watch"], "--trace": ["--trace", "TRACE"]}


def rates(lab, cell, seconds, options):
    """Operations of the first role: a second, and a second of processor time."""
    workload, threads = cell
    done = subprocess.run(
        [lab, "cell", "--workload", workload, "--mode", "plain+interval", "--heap", "jemalloc",
         "--threads", str(threads), "--ramp-ns", "50000000", "--window-ns", str(int(seconds * 1e9)),
         "--bind", "no", *options], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    window = next(float(words[1]) for words in lines if words[0] == "window")
    workers = [words for words in lines if words[0] == "worker"]
    ops = sum(int(words[4]) for words in workers if words[2] == "0")
    return ops / window, ops / (sum(float(words[5]) for words in workers) or 1)


def interval(ratios):
    """Of the median: ranks that hold it with 95 % (sign test)."""
    ordered = sorted(ratios)
    depth = max(0, int((len(ordered) - 1.96 * len(ordered) ** 0.5) / 2))
    return ordered[depth], ordered[-1 - depth]


def compare(options, cell, trace):
    ratios = {kind: [] for kind in KINDS}
    for number in range(options.windows):
        for kind, words in KINDS.items():
            pair = [[], [trace if word == "TRACE" else word for word in words]]
            if number % 2:
                pair.reverse()
            got = [rates(options.lab, cell, options.seconds, words) for words in pair]
            base, with_it = reversed(got) if number % 2 else got
            if min(*base, *with_it) > 0:  # starved, it says nothing
                ratios[kind].append([a / b for a, b in zip(with_it, base)])
    for kind, of in ratios.items():
        said = [f"{statistics.median(each):.3f} ({interval(each)[0]:.3f} .. {interval(each)[1]:.3f})"
                for each in zip(*of)]
        print(f"{cell[0]:10} {cell[1]} threads  {kind:8} a second {said[0]}, of processor time "
              f"{said[1]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="What it costs to watch a lock, and to trace it.")
    parser.add_argument("lab")
    parser.add_argument("--windows", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for cell in CELLS:
            compare(options, cell, os.path.join(folder, "trace"))


if __name__ == "__main__":
    main()
