#!/usr/bin/python3
"""The same experiments in CPython, beside ours: one table for each, ready for the README.

    peers.py [--lab build/release/lab] [--rounds N] [--window S] [--real-time] [EXPERIMENT...]

The windows alternate, ours, theirs, ours, so that a machine that is slow for a while is
slow for both. What the tables say is the median of the rounds. What the figures say is the
median of the rounds' ratios, and the range that holds it with 95 %.

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

from figures import median_interval
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
                            "--threads", str(threads), "--rounds", "1", "--bind", "no",
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


def computing(workload, twin):
    def compute(options, threads):
        our = ours(options, workload, threads)
        their = theirs(options, twin, "--threads", threads)
        return {"our rate": our.rate, "their rate": their["ops_per_s"]}

    compute.__name__ = workload
    return compute


fib = computing("fib", "twin_fib.py")
countdown = computing("countdown", "twin_countdown.py")


def medians(samples):
    return {key: statistics.median(s[key] for s in samples) for key in samples[0]}


def measure(options, experiment, levels):
    """By level, the rounds; the levels alternate too."""
    samples = {level: [] for level in levels}
    for number in range(options.rounds):
        for level in levels:
            print(f"{experiment.__name__}, round {number + 1} of {options.rounds}, {level} "
                  f"{'spinners' if experiment is echo_spin else 'threads'}", file=sys.stderr)
            samples[level].append(experiment(options, level))
    return samples


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


def speed_up_table(figures, python):
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


def figure(name, ratios, factor):
    """Whether the lab behaves as CPython does, within a factor."""
    middle = statistics.median(ratios)
    low, high = median_interval(ratios) if len(ratios) > 5 else (float("nan"),) * 2
    verdict = "reached" if 1 / factor <= middle <= factor else "NOT reached"
    return (f"{name:50} within {factor:4g} times  {middle:6.3f} [{low:.3f} {high:.3f}]  {verdict}")


def echo_spin_figures(samples):
    def ratios(level, key):
        return [s[f"our {key}"] / s[f"their {key}"] for s in samples[level]]

    yield figure("p50 beside 1 spinner, lab over CPython", ratios(1, "p50"), 1.1)
    yield figure("round trips beside 1 spinner", ratios(1, "rate"), 1.5)
    yield figure("round trips beside 2 spinners", ratios(2, "rate"), 3)


def countdown_figures(samples):
    def speed_ups(whose, threads):
        return [s[whose] / one[whose] for s, one in zip(samples[threads], samples[THREADS[0]])]

    for threads in THREADS[1:]:
        ratios = [our / their for our, their in zip(speed_ups("our rate", threads),
                                                    speed_ups("their rate", threads))]
        yield figure(f"countdown's speed-up in {threads} threads, lab over CPython", ratios, 1.05)


# The experiment, its levels, what it is; what is made of its medians, and of its rounds.
EXPERIMENTS = {
    "echo_spin": (echo_spin, SPINNERS, "64 bytes there and back beside spinning threads",
                  (echo_spin_table, falls), echo_spin_figures),
    "countdown": (countdown, THREADS, "a loop that counts down in each thread",
                  (speed_up_table,), countdown_figures),
    "fib": (fib, THREADS, "fib(12) again and again in each thread", (speed_up_table,),
            lambda samples: ()),
}


def report(options, python, experiment, levels, about, words, figures):
    samples = measure(options, experiment, levels)
    middle = {level: medians(of) for level, of in samples.items()}
    print(f"{experiment.__name__}: {about}, under the GIL",
          *(word(middle, python) for word in words), sep="\n\n", end="\n\n")
    for line in figures(samples):
        print(line)
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description="CPython beside the lab.")
    parser.add_argument("experiment", nargs="*",
                        help=f"{', '.join(EXPERIMENTS)}; default: all of them")
    parser.add_argument("--lab", default="build/release/lab", help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=10, metavar="N")
    parser.add_argument("--window", type=float, default=1.5, metavar="S",
                        help="seconds of a window")
    parser.add_argument("--real-time", action="store_true", help="run both under SCHED_RR")
    parser.error = lambda words: parser.exit(2, f"peers.py: {words}\n")
    options = parser.parse_args()
    if options.rounds < 1 or options.window <= 0:
        parser.error("--rounds must be at least 1, and --window longer than 0 s")
    for name in options.experiment:
        if name not in EXPERIMENTS:
            parser.error(f"no experiment '{name}'; there are: {', '.join(EXPERIMENTS)}")
    python = f"CPython {sys.version_info.major}.{sys.version_info.minor}"
    try:
        for name in options.experiment or EXPERIMENTS:
            report(options, python, *EXPERIMENTS[name])
    except (PeerError, results.BadResults) as error:
        print(f"peers.py: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
