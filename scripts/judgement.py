#!/usr/bin/python3
"""Does the lab claim differences that are not there, and find one that is?

    judgement.py LAB [--equal RUNS] [--planted RUNS] [--seconds S]

Equal: two copies of one program, 40 cells each, are compared RUNS times, which makes 40 RUNS
comparisons; how many differences are claimed? At a level of 5 % each, a binomial bound says how
many would still be luck. Planted: `fib` beside a `fib` that does 5 % of its work uncounted, in
RUNS runs of S seconds; how often is the slowdown found?
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

WINDOW, RAMP, PROCESS = 0.05, 0.005, 0.012
CLAIMS = ("faster", "slower")


def measure(lab, results, *options):
    command = [lab, "run", "--window", str(WINDOW), "--ramp", str(RAMP), "--results", results]
    subprocess.run(command + list(options), check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def compare(lab, results, a, b):
    said = subprocess.run([lab, "compare", "--json", "--in", results, a, b], check=True,
                          stdout=subprocess.PIPE)
    return json.loads(said.stdout)


def binomial_bound(trials, chance, share=0.95):
    """The least number that at most so many successes stay within, with this share."""
    term, total, k = (1 - chance) ** trials, 0.0, 0
    while True:
        total += term
        if total >= share:
            return k
        term *= (trials - k) / (k + 1) * chance / (1 - chance)
        k += 1


def equal(lab, folder, runs):
    twin = shutil.copy(lab, os.path.join(folder, "twin"))
    comparisons, claimed = 0, 0
    for run in range(1, runs + 1):
        results = os.path.join(folder, f"equal{run}.db")
        measure(lab, results, "--build", f"self,{twin}", "--workload",
                "fib,fib_shared,churn,handoff,sleep", "--mode", "gil,atomic,biased,nolock",
                "--threads", "1,2", "--rounds", "12", "--seed", str(run))
        cells = compare(lab, results, "build=self", f"build={twin}")["cells"]
        comparisons += len(cells)
        claimed += sum(cell["claim"] in CLAIMS for cell in cells)
        print(f"equal, run {run} of {runs}: {claimed} claims in {comparisons} comparisons",
              flush=True)
    bound = binomial_bound(comparisons, 0.05)
    print(f"equal builds: {claimed} differences claimed in {comparisons} comparisons "
          f"(at most {bound}): {'reached' if claimed <= bound else 'NOT reached'}")
    return claimed <= bound


def planted(lab, folder, runs, seconds):
    rounds = int(seconds / (4 * (WINDOW + RAMP + PROCESS)))
    found = 0
    longest = 0.0
    for run in range(1, runs + 1):
        results = os.path.join(folder, f"planted{run}.db")
        began = time.monotonic()
        measure(lab, results, "--workload", "fib,fib:uncounted_percent=5", "--mode", "gil",
                "--threads", "1", "--rounds", str(rounds), "--seed", str(run))
        longest = max(longest, time.monotonic() - began)
        said = compare(lab, results, "workload=fib", "workload=fib:uncounted_percent=5")
        cell = said["cells"][0]
        found += cell["claim"] == "slower"
        print(f"planted, run {run} of {runs}: {cell['claim']}, {cell['ratio']:.3f} "
              f"({cell['low']:.3f} to {cell['high']:.3f}), floor {100 * said['floor']:.1f} %; "
              f"found {found}", flush=True)
    good = found >= 0.95 * runs
    print(f"a planted slowdown of 5 %: found in {found} of {runs} runs of at most {longest:.0f} s "
          f"(19 of 20 wanted): {'reached' if good else 'NOT reached'}")
    return good


def main():
    parser = argparse.ArgumentParser(description="What the lab claims, and what it finds.")
    parser.add_argument("lab")
    parser.add_argument("--equal", type=int, default=5, metavar="RUNS")
    parser.add_argument("--planted", type=int, default=20, metavar="RUNS")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    lab = os.path.abspath(options.lab)
    with tempfile.TemporaryDirectory() as folder:
        good = not options.equal or equal(lab, folder, options.equal)
        good &= not options.planted or planted(lab, folder, options.planted, options.seconds)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
