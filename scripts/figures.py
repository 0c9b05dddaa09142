#!/usr/bin/python3
"""The figures that this project set itself, each a ratio to a control.

    figures.py BENCH [--blocks N] [NAME...]

A figure is measured in blocks. A block is one fresh process (its own addresses) of the
micro-benchmarks' program, which repeats subject and control in random order, some
milliseconds each, so that both see the same neighbours and the same clock rate; it gives
one ratio, of the two medians. Printed are the median of the blocks' ratios and an interval
that holds the true median with 95 % confidence whatever their distribution (the one of the
sign test). All blocks of all figures take turns, so that a bad minute is nobody's own.

The time is that of the thread's CPU clock: most of this does not wait, and on a machine that
others use the wall clock mostly measures the others. Where threads wait for one another, as
those of a pool, it is the wall clock's.

Exits with 0 whether or not the figures are reached, and with 1 if it cannot measure.
"""
import argparse
import json
import math
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

REPETITIONS = 7  # of subject and of control in a block
SECONDS = 0.008  # of each, unless a figure says otherwise


@dataclass
class Figure:
    name: str
    subject: str
    control: str
    at_most: float
    seconds: float = SECONDS
    clock: str = "cpu_time"
    ratios: list = field(default_factory=list)  # one per block
    missing: str = ""  # why there is no ratio


def micro_figures():
    return [
        Figure("a plain pair against the bare add", "pair/plain", "bare_add", 1.05),
        Figure("an atomic pair against the bare locked add", "pair/atomic", "bare_atomic", 1.05),
        Figure("a locked pair against the bare mutex", "pair/locked", "bare_mutex", 1.05),
        Figure("a biased pair, by its owner, against plain", "pair/biased", "pair/plain", 1.15),
        Figure("a safe point against the empty loop", "safepoint", "bare_loop", 1.2),
        Figure("dynamic's pair, of an unpublished int, against plain", "pair/dynamic", "pair/plain",
               1.15),
        Figure("a generator's step, plain, against a bare indirect call",
               "generator_next/plain", "bare_call", 3.0),
        *(Figure(f"a generator's step, {policy}, against pair and swap",
                 f"generator_next_int/{policy}", f"pair_swap/{policy}", 1.1)
          for policy in ("atomic", "biased")),
        *(Figure(f"the same of a published one, {policy}",
                 f"generator_shared/{policy}", f"pair_swap/{policy}", 1.1)
          for policy in ("atomic", "biased")),
        *(Figure(f"a step 100 generators deep against 1 deep, {policy}",
                 f"delegate_hundred/{policy}", f"delegate_one/{policy}", 2.0)
          for policy in ("plain", "atomic")),
        Figure("an atomic pair against C++'s shared_ptr", "pair/atomic", "shared_ptr_pair", 1.05),
        Figure("an atomic pair against GLib's g_object_ref and unref", "pair/atomic",
               "glib_object_pair", 1.0),
        *(Figure(f"{words} a dict's {kind} against GHashTable", f"dict_{name}_{kind}/plain",
                 f"glib_{name}_{kind}", 1.0)
          for name, words in (("insert", "inserting"), ("look_up", "looking up"))
          for kind in ("int", "str")),
        Figure("a fiber's resume and yield against boost.context's", "fiber_switch/native",
               "boost_fiber_switch", 0.7),
        Figure("the same, control words kept, as boost does", "fiber_switch/strict",
               "boost_fiber_switch", 1.0),
        Figure("the same, of a fiber that several may try to resume", "fiber_switch_shared",
               "boost_fiber_switch", 0.75),
        Figure("a thousand native ones in turn, against one", "fiber_switch_1000/native",
               "fiber_switch/native", 3.0),
        Figure("a thousand native ones in turn against boost's", "fiber_switch_1000/native",
               "boost_fiber_switch_1000", 0.7),
        Figure("a fiber made, run and dropped against boost.context's", "fiber_create/native",
               "boost_fiber_create", 1.0),
        Figure("an int's new and free against bare mallocx and sdallocx",
               "int_new/plain/jemalloc", "bare_mallocx", 1.15),
        Figure("the same against bare malloc (jemalloc's) and sdallocx",
               "int_new/plain/jemalloc", "bare_malloc", 1.15),
        Figure("a block of freelist against bare malloc and sdallocx",
               "heap_pair/freelist", "bare_malloc", 0.5),
        Figure("the same against bare mallocx and sdallocx",
               "heap_pair/freelist", "bare_mallocx", 0.5),
        Figure("the lock prompt, let go and taken, against two exchanges",
               "gil_alone/prompt", "bare_exchange", 1.5),
        Figure("a call that an event loop makes, against a loop without objects",
               "call_soon/plain", "bare_call_soon", 2.0),
        Figure("the same by way of its inbox", "call_threadsafe/plain", "bare_call_threadsafe",
               2.0),
        Figure("a timer set and fired, one of a million, against the same", "timer/plain",
               "bare_timer", 1.6, seconds=0.3),
        *(Figure(f"a pool's call, pipelined, against bare threads ({policy})",
                 f"pool_submit/{policy}", "bare_pool", 2.0, clock="real_time")
          for policy in ("atomic", "biased")),
        *(Figure(f"the same for an event loop, against a pool's call ({policy})",
                 f"run_in_executor/{policy}", f"pool_submit/{policy}", 2.5, seconds=0.3,
                 clock="real_time")
          for policy in ("atomic", "biased")),
    ]


def times_of(bench, names, seconds, clock, repetitions=REPETITIONS):
    """ns per iteration, a list per name, in no order."""
    command = [
        bench, f"--benchmark_filter=^({'|'.join(names)})/manual_time", "--benchmark_format=json",
        f"--benchmark_repetitions={repetitions}", f"--benchmark_min_time={seconds}",
        "--benchmark_enable_random_interleaving=true",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"figures.py: {bench} failed:\n{done.stderr}")
    times = {name: [] for name in names}
    for row in json.loads(done.stdout)["benchmarks"]:
        if row["run_type"] == "iteration" and not row.get("error_occurred"):
            times[row["run_name"].removesuffix("/manual_time")].append(row[clock])
    return times


def measure_block(bench, figure):
    times = times_of(bench, [figure.subject, figure.control], figure.seconds, figure.clock)
    for name, samples in times.items():
        if not samples:
            figure.missing = f"{name} failed"
            return
    figure.ratios.append(statistics.median(times[figure.subject]) /
                         statistics.median(times[figure.control]))


def known(bench):
    listing = subprocess.run([bench, "--benchmark_list_tests"], check=True, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return {line.removesuffix("/manual_time") for line in listing.split()}


def median_interval(values, confidence=0.95):
    """The narrowest pair of order statistics around the median that is wide enough."""
    values, n = sorted(values), len(values)
    outside, low = 0.5**n, 0
    while low + 1 < n / 2 and 2 * (outside + math.comb(n, low + 1) * 0.5**n) <= 1 - confidence:
        low += 1
        outside += math.comb(n, low) * 0.5**n
    return values[low], values[n - 1 - low]


def report(figure):
    print(f"{figure.name:58}at most {figure.at_most:4.2f}   ", end="")
    if not figure.ratios:
        print(f"not measured: {figure.missing}")
        return
    median = statistics.median(figure.ratios)
    low, high = median_interval(figure.ratios)
    verdict = "reached" if median <= figure.at_most else "NOT reached"
    print(f"{median:6.3f} [{low:.3f} {high:.3f}]   {verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bench", help="the program, such as build/release/bench")
    parser.add_argument("names", nargs="*", help="only figures whose subject is one of these")
    parser.add_argument("--blocks", type=int, default=25, help="of each figure (%(default)s)")
    options = parser.parse_args()
    figures = micro_figures()
    for name in set(options.names) - {figure.subject for figure in figures}:
        parser.error(f"no figure is about '{name}'; there are: "
                     f"{' '.join(dict.fromkeys(figure.subject for figure in figures))}")
    if options.blocks < 1:
        parser.error("--blocks must be at least 1")
    try:
        there = known(options.bench)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"figures.py: cannot run {options.bench}: {error}")

    figures = [f for f in figures if not options.names or f.subject in options.names]
    for figure in figures:
        absent = [n for n in (figure.subject, figure.control) if n not in there]
        figure.missing = f"no {absent[0]} in this build" if absent else ""
    for _ in range(options.blocks):
        for figure in figures:
            if not figure.missing:
                measure_block(options.bench, figure)
    for figure in figures:
        report(figure)
    if not any(figure.ratios for figure in figures):
        sys.exit("figures.py: nothing could be measured")


if __name__ == "__main__":
    main()
