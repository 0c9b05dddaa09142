#!/usr/bin/python3
"""The figures that this project set itself for whole runs, each a ratio to a control.

    run_figures.py LAB [--rounds N] [--window SECONDS] [counting|locks]

`lab run` measures subject and control in the same rounds, interleaved; a figure is the
median over the rounds of their ratio, with an interval that holds the true median with
95 % confidence (the sign test's). A speed-up is of 2 threads over 1 unless it says
otherwise. Exits with 0 whether or not the figures are reached, with 1 if it cannot measure.
"""
import argparse
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Callable

from figures import median_interval
import results


@dataclass
class Run:
    """One call of `lab run`, and the windows that it gave, by cell and round."""
    arguments: list
    rounds: int = None  # None: as the command line has it
    window: float = None
    windows: dict = None

    def measure(self, lab, rounds, window):
        rounds, window = self.rounds or rounds, self.window or window
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/run.csv"
            command = [lab, "run", *self.arguments, "--rounds", str(rounds), "--window",
                       str(window), "--csv", path]
            try:
                done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                      text=True)
            except OSError as error:
                sys.exit(f"run_figures.py: {lab}: {error.strerror}")
            if done.returncode:
                sys.exit(f"run_figures.py: {' '.join(command)} failed:\n{done.stderr}")
            self.windows = {(w.workload, w.mode, w.threads, w.round): w
                            for w in results.read(path) if w.has_data}

    def over_rounds(self, value):
        """What `value` says of each round, where all that it needs is there."""
        values = []
        for number in sorted({key[3] for key in self.windows}):
            try:
                values.append(value(lambda *cell: self.windows[(*cell, number)]))
            except (KeyError, TypeError, ZeroDivisionError):
                pass  # a window failed, or nothing was served in it
        return values


@dataclass
class Figure:
    name: str
    run: Run
    value: Callable  # of a function (workload, mode, threads) -> Window
    low: float = 0
    high: float = float("inf")

    def report(self):
        values = self.run.over_rounds(self.value)
        if not values:
            return f"{self.name:64} not measured"
        median = statistics.median(values)
        low, high = median_interval(values)
        if not self.low and self.high == float("inf"):
            return f"{self.name:64} {'':16} {median:8.3f} [{low:.3f} {high:.3f}]"
        goal = (f"{self.low:g} to {self.high:g}" if self.low and self.high != float("inf")
                else f"at least {self.low:g}" if self.low else f"at most {self.high:g}")
        verdict = "reached" if self.low <= median <= self.high else "NOT reached"
        return f"{self.name:64} {goal:16} {median:8.3f} [{low:.3f} {high:.3f}]  {verdict}"


def speed_up(of, workload, mode, threads=2):
    return of(workload, mode, threads).rate / of(workload, mode, 1).rate


def beside_empty(workload, mode):
    return lambda of: speed_up(of, workload, mode) / speed_up(of, "empty", mode)


def held_back(of, threads):
    window = of("blocked_owner", "biased_suspend", threads)
    return window.held_back / window.handed_over


def counting_figures():
    cpu = Run(["--workload", "empty,fib,churn,fib_shared", "--mode", "gil,atomic,biased",
               "--threads", "1,2"])
    hot = Run(["--workload", "empty,hot_object", "--mode", "atomic,sharded,immortal+none",
               "--threads", "1,2"])
    held = Run(["--workload", "blocked_owner", "--mode", "biased,biased_suspend",
                "--threads", "1,2"])
    sleep = Run(["--workload", "sleep", "--mode", "gil,atomic,biased,nolock", "--threads", "1,16"])
    echo = Run(["--workload", "echo", "--mode", "gil,atomic,biased,nolock", "--threads", "1,8"])
    spin = Run(["--workload", "echo_spin", "--mode", "gil", "--threads", "0,1", "--bind", "no"])
    figures = [Figure("fib under gil, speed-up", cpu, lambda of: speed_up(of, "fib", "gil"),
                      0.95, 1.05)]
    for mode in ("atomic", "biased"):
        for workload in ("fib", "churn"):
            figures.append(Figure(f"{workload} under {mode}, speed-up over that of empty", cpu,
                                  beside_empty(workload, mode), 0.95))
    figures.append(Figure("fib_shared under atomic, speed-up", cpu,
                          lambda of: speed_up(of, "fib_shared", "atomic"), high=1))
    for mode in ("sharded", "immortal+none"):
        figures.append(Figure(f"hot_object under {mode}, speed-up over that of empty", hot,
                              beside_empty("hot_object", mode), 0.95))
    figures.append(Figure("hot_object under atomic, speed-up", hot,
                          lambda of: speed_up(of, "hot_object", "atomic"), high=1))
    figures.append(Figure("biased_suspend, owner blocked: held back of what was dropped", held,
                          lambda of: max(held_back(of, threads) for threads in (1, 2)), high=0.01))
    for mode in ("gil", "atomic", "biased", "nolock"):
        figures.append(Figure(f"sleep under {mode}, 16 threads over 16 times one", sleep,
                              lambda of, m=mode: speed_up(of, "sleep", m, 16) / 16, 0.9))
    for mode in ("gil", "atomic", "biased", "nolock"):
        figures.append(Figure(f"echo under {mode}, 8 clients over one", echo,
                              lambda of, m=mode: speed_up(of, "echo", m, 8), 2))
    figures.append(Figure("echo_spin under gil, one spinner: p50 over the interval", spin,
                          lambda of: of("echo_spin", "gil", 1).p50_ns / 5e6, 0.9, 1.1))
    figures.append(Figure("echo_spin under gil: round trips alone over beside one spinner", spin,
                          lambda of: of("echo_spin", "gil", 0).rate /
                          of("echo_spin", "gil", 1).rate, 100))
    return figures


ASKED = 10000  # requests a second, of echo_open


def kept(of, lock, spinners, workload="echo_open"):
    """What spinners do beside it, of what as many do under the same lock where nobody waits."""
    return (of(workload, lock, spinners).background /
            of("countdown", lock, spinners).rate)


def lock_figures():
    beside = Run(["--workload", "countdown,echo_open,echo_spin", "--mode",
                  "plain+prompt,nolock", "--threads", "0,1,2,4", "--bind", "apart"])
    equals = Run(["--workload", "countdown", "--mode", "plain+prompt", "--threads", "2"], 20, 0.1)
    battle = Run(["--workload", "countdown", "--mode", "plain+tick,plain+interval", "--threads",
                  "1,2"])
    figures = []
    for k, times, share in ((1, 2, 0.95), (2, 2, 0.95), (4, 3, 0.9)):
        name = f"prompt, open loop, {k} spinner{'s' * (k > 1)}"
        figures += [
            Figure(f"{name}: served of what was asked", beside,
                   lambda of, k=k: of("echo_open", "plain+prompt", k).rate / ASKED, 0.99),
            Figure(f"{name}: p99 over that with none", beside,
                   lambda of, k=k: of("echo_open", "plain+prompt", k).p99_ns /
                   of("echo_open", "plain+prompt", 0).p99_ns, high=times),
            Figure(f"{name}: kept by them", beside,
                   lambda of, k=k: kept(of, "plain+prompt", k), share),
            Figure(f"{name}: the same without a lock", beside,
                   lambda of, k=k: kept(of, "nolock", k))]
    for k in (1, 2, 4):
        name = f"prompt, closed loop, {k} spinner{'s' * (k > 1)}"
        figures += [
            Figure(f"{name}: round trips over those without a lock", beside,
                   lambda of, k=k: of("echo_spin", "plain+prompt", k).rate /
                   of("echo_spin", "nolock", k).rate, 0.8),
            Figure(f"{name}: kept by them", beside,
                   lambda of, k=k: kept(of, "plain+prompt", k, "echo_spin"))]
    return figures + [
        Figure("prompt, two equal threads: Jain's index over 100 ms", equals,
               lambda of: of("countdown", "plain+prompt", 2).fairness, 0.99),
        Figure("tick, two threads that compute: over one after the other", battle,
               lambda of: speed_up(of, "countdown", "plain+tick"), high=1),
        Figure("interval, the same", battle,
               lambda of: speed_up(of, "countdown", "plain+interval"))]


GROUPS = {"counting": counting_figures, "locks": lock_figures}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lab", help="the command, such as build/release/lab")
    parser.add_argument("--rounds", type=int, default=11, help="of each cell (%(default)s)")
    parser.add_argument("--window", type=float, default=0.5, help="seconds (%(default)s)")
    parser.add_argument("groups", nargs="*", metavar="GROUP", default=[],
                        help=f"{' or '.join(GROUPS)}; default: all")
    options = parser.parse_args()
    for name in set(options.groups) - set(GROUPS):
        parser.error(f"no group '{name}'; there are: {', '.join(GROUPS)}")
    figures = [f for name in options.groups or GROUPS for f in GROUPS[name]()]
    for figure in figures:
        if figure.run.windows is None:
            figure.run.measure(options.lab, options.rounds, options.window)
        print(figure.report(), flush=True)


if __name__ == "__main__":
    try:
        main()
    except results.BadResults as error:
        sys.exit(f"run_figures.py: {error}")
