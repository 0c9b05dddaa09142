#!/usr/bin/python3
"""What coroutines cost, beside what others take for the same: one table.

    coroutine_peers.py BENCH [--rounds N] [--json] [JOB...]

BENCH is build/release/bench-peers, which has the lab's micro-benchmarks and those of the C
libraries; CPython and libraries for it do the same jobs in scripts/twin_coroutines.py. In each
round all of a job's candidates are measured one after the other, in fresh processes, so that a
machine that is slow for a while is slow for all. Nanoseconds are medians of the rounds; the ratio
is the median of the rounds' ratios, the peer's time over the lab's, with the range that holds it
with 95 %. So above 1 the lab is ahead, below 1 it is behind; `level`, the range holds 1.

The time is the thread's own, but that of a pool, whose threads wait for each other, is the wall
clock's. The lab counts plainly, as CPython does under its lock; its pool atomically.

A peer that is not installed is absent, which is no failure. Exits with 0 whether or not the lab
is ahead, and with 1 if something could not be measured.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

import figures
import twin_coroutines

HERE = os.path.dirname(os.path.abspath(__file__))
TWIN = os.path.join(HERE, "twin_coroutines.py")
LONGEST_S = 600  # that a peer may take for a round
LEAST_ROUNDS = 6  # for a range


@dataclass
class Job:
    about: str
    subject: str  # the lab's micro-benchmark
    native: dict = field(default_factory=dict)  # by library, the micro-benchmark of its
    twin: str = ""  # the job of twin_coroutines.py
    seconds: float = 0.02  # of each repetition
    repetitions: int = 5
    clock: str = "cpu_time"

    def peers(self):
        scripted = twin_coroutines.JOBS[self.twin][2] if self.twin else {}
        return [*self.native, *scripted]


JOBS = {
    "switch": Job("a stack resumed, and its yield", "fiber_switch/native",
                  {"boost.context": "boost_fiber_switch"}),
    "switch_strict": Job("the same, control words kept as boost does", "fiber_switch/strict",
                         {"boost.context": "boost_fiber_switch"}),
    "switch_thousand": Job("the same, of a thousand in turn", "fiber_switch_1000/native",
                           {"boost.context": "boost_fiber_switch_1000"}),
    "create": Job("a stack made, run and dropped", "fiber_create/native",
                  {"boost.context": "boost_fiber_create"}),
    "greenlet_switch": Job("a greenlet switched to, and back", "greenlet_switch/plain",
                           twin="greenlet_switch"),
    "step": Job("a generator's step", "generator_next/plain", twin="generator_next"),
    "delegation": Job("a step through 100 delegations", "delegate_hundred/plain",
                      twin="delegate_hundred"),
    "call_soon": Job("a function called in the next turn", "call_soon/plain",
                     {"libuv": "libuv_call_soon", "libev": "libev_call_soon"}, "call_soon"),
    "call_threadsafe": Job("the same, as any thread may ask for it", "call_threadsafe/plain",
                           {"libuv": "libuv_call_threadsafe", "libev": "libev_call_threadsafe"},
                           "call_threadsafe"),
    "timer": Job("a timer set and fired, of a million", "timer/plain",
                 {"libuv": "libuv_timer", "libev": "libev_timer"}, "timer", seconds=1.5,
                 repetitions=3),
    "task_switch": Job("a task's turn, passed on", "task_switch/plain", twin="task_switch"),
    "task_join": Job("a task made and joined", "task_join/plain", twin="task_join"),
    "queue": Job("an object handed there and back by two tasks", "queue_round_trip/plain",
                 twin="queue_round_trip"),
    "gather": Job("a sleeper, of ten thousand at once", "gather_sleepers/plain",
                  twin="gather_sleepers", seconds=0.1),
    "pool": Job("a call of a pool of two, and its result", "pool_submit/atomic",
                {"libuv": "libuv_pool_submit"}, "pool_submit", seconds=0.05, clock="real_time"),
}


@dataclass
class Row:
    """A job and a peer; `why` says why there are no figures."""
    job: str
    peer: str
    ours: list = field(default_factory=list)  # ns, one a round
    theirs: list = field(default_factory=list)
    why: str = ""
    failed: bool = False

    def add(self, ours, theirs):
        self.ours.append(ours)
        self.theirs.append(theirs)

    def stop(self, why, failed=True):
        self.why, self.failed = why, failed

    def ratios(self):
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs)]

    def as_json(self):
        words = {"job": self.job, "about": JOBS[self.job].about, "lab": JOBS[self.job].subject,
                 "peer": self.peer}
        if not self.theirs:
            return {**words, "verdict": "failed" if self.failed else "absent", "why": self.why}
        low, high = self.range()
        return {**words, "lab_ns": statistics.median(self.ours),
                "peer_ns": statistics.median(self.theirs),
                "ratio": statistics.median(self.ratios()), "low": low, "high": high,
                "verdict": self.verdict()}

    def range(self):
        ratios = self.ratios()
        return figures.median_interval(ratios) if len(ratios) >= LEAST_ROUNDS else (None, None)

    def verdict(self):
        low, high = self.range()
        if low is None:
            low = high = statistics.median(self.ratios())
        return "ahead" if low > 1 else "behind" if high < 1 else "level"


def twin_says(job, peer):
    """The twin's JSON, or (why, whether that is a failure)."""
    command = [sys.executable, "-B", TWIN, job, peer]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return f"no end after {LONGEST_S} s", True
    if done.returncode == twin_coroutines.ABSENT:
        return "not installed", False
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return said[-1], True
    return json.loads(done.stdout)


def measure_native(bench, job, rows):
    """One process: the lab's ns, and those of the C libraries are added. None: it failed."""
    there = {row.peer: job.native[row.peer] for row in rows
             if row.peer in job.native and not row.why}
    times = figures.times_of(bench, [job.subject, *there.values()], job.seconds, job.clock,
                             job.repetitions)
    middle = {name: statistics.median(samples) for name, samples in times.items() if samples}
    ours = middle.get(job.subject)
    for row in rows:
        if not ours:
            row.stop(row.why or f"{job.subject} failed", row.failed or not row.why)
        elif row.peer in there and there[row.peer] not in middle:
            row.stop(f"{there[row.peer]} failed")
        elif row.peer in there:
            row.add(ours, middle[there[row.peer]])
    return ours


def measure_twins(job, rows, ours):
    for row in rows:
        if row.peer in job.native or row.why:
            continue
        said = twin_says(job.twin, row.peer)
        if isinstance(said, tuple):
            row.stop(*said)
        else:
            row.add(ours, said["ns"])


def measure_round(bench, name, rows):
    rows = [row for row in rows if row.job == name]
    if any(not row.why for row in rows):
        ours = measure_native(bench, JOBS[name], rows)
        measure_twins(JOBS[name], rows, ours)


def look_around(there, rows):
    """What is not in this build, and what is not installed, is known before anything runs."""
    for row in rows:
        job = JOBS[row.job]
        if job.subject not in there:
            row.stop(f"no {job.subject} in this build", failed=False)
        elif row.peer in job.native:
            if job.native[row.peer] not in there:
                row.stop("not installed", failed=False)
        elif not twin_coroutines.version_of(row.peer):
            row.stop("not installed", failed=False)


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cells(row):
    if not row.theirs:
        return ["", "", "", "", f"{'failed' if row.failed else 'absent'}: {row.why}"]
    low, high = row.range()
    wide = f"{number(low)} .. {number(high)}" if low is not None else ""
    return [number(statistics.median(row.ours)), number(statistics.median(row.theirs)),
            number(statistics.median(row.ratios())), wide, row.verdict()]


def table_of(lines, left):
    """A Markdown table, aligned for the terminal; the columns in `left` to the left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = ["| " + " | ".join(cell.ljust(w) if i in left else cell.rjust(w)
                              for i, (cell, w) in enumerate(zip(line, widths))) + " |"
            for line in lines]
    text.insert(1, "|" + "|".join("-" * (w + 2) if i in left else "-" * (w + 1) + ":"
                                  for i, w in enumerate(widths)) + "|")
    return "\n".join(text)


def table(rows):
    lines = [["job", "peer", "lab, ns", "peer, ns", "peer / lab", "interval", "the lab is"]]
    before = None
    for row in rows:
        lines.append([JOBS[row.job].about if row.job != before else "", row.peer, *cells(row)])
        before = row.job
    return table_of(lines, left=(0, 1, 6))


def summary(rows):
    by = {word: [row for row in rows if row.theirs and row.verdict() == word]
          for word in ("ahead", "level", "behind")}
    measured = sum(map(len, by.values()))
    text = f"Of {measured} comparisons the lab is ahead in {len(by['ahead'])}"
    for word in ("level", "behind"):
        if by[word]:
            text += f", {word} in {len(by[word])} (" + ", ".join(
                f"{row.peer}: {row.job}" for row in by[word]) + ")"
    absent = sorted({row.peer for row in rows if row.why == "not installed"})
    return text + "." + (f" Not installed: {', '.join(absent)}." if absent else "")


def versions(rows):
    found = {row.peer: twin_coroutines.version_of(row.peer) for row in rows
             if row.peer in twin_coroutines.SCRIPTED}
    return sorted({version for version in found.values() if version})


def measure(options, rows):
    names = list(dict.fromkeys(row.job for row in rows))
    for turn in range(options.rounds):
        for name in names:
            print(f"round {turn + 1} of {options.rounds}, {name}", file=sys.stderr)
            measure_round(options.bench, name, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("bench", help="the program, such as build/release/bench-peers")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"{', '.join(JOBS)}; default: all")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.error = lambda words: parser.exit(2, f"coroutine_peers.py: {words}\n")
    options = parser.parse_intermixed_args()
    for name in options.jobs:
        if name not in JOBS:
            parser.error(f"no job '{name}'; there are: {', '.join(JOBS)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    try:
        there = figures.known(options.bench)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"coroutine_peers.py: cannot run {options.bench}: {error}")
    rows = [Row(name, peer) for name in JOBS if name in options.jobs or not options.jobs
            for peer in JOBS[name].peers()]
    look_around(there, rows)
    measure(options, rows)
    if options.json:
        print(json.dumps({"versions": versions(rows), "rows": [row.as_json() for row in rows]},
                         indent=1))
    else:
        print(table(rows), summary(rows), f"Peers: {', '.join(versions(rows))}.", sep="\n\n")
    return any(row.failed for row in rows) or not any(row.theirs for row in rows)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
