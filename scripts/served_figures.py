#!/usr/bin/python3
"""The figures that this project set itself for waiting and serving, each a ratio to a control.

    served_figures.py LAB [PEER-SERVERS] [--rounds N] [--window S] [--only GROUP]

LAB is build/release/lab, PEER-SERVERS the program beside it, without which echo is not compared.
Subject and control take turns, so that a slow minute is nobody's own; a figure is the median of the
rounds' ratios, with an interval that holds the true median with 95 % (the sign test's; of fewer than
six rounds the least and the most). What this machine cannot show is skipped, with a word.

  loops  two event loops on two processors against one. The load needs processor time, too. Where
         there are three processors it has one of its own; on two it shares, so the line below says
         what the servers had of both.
  idle   what a server takes of memory with 10 000 connections that say nothing
  http   10 000 clients of one loop, from 250 addresses, that each ask when they are answered
  echo   100 connections, against a loop without objects and other libraries (served_peers.py)
  spin   an open loop beside a thread that spins, without a lock, each bound to its processor
  wait   what only waits, under a GIL against without one; and, without a goal, what asks the kernel
         all the time

Exits with 0 whether or not the figures are reached, with 1 if it cannot measure.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

import results
import served_peers
from figures import median_interval
from run_figures import Figure, Run

CLIENTS, MEGABYTE = 10000, 1 << 20
OPENING_S = 60
RAMP_S = 3  # until the server has taken all that wait in its queue
WAITING = ("sleep", "fetch_many")
# Closed loops, in which somebody always has an answer to read: they compute, in the kernel.
ASKING = ("echo", "echo_unix", "echo_udp")


@dataclass
class Taken:
    """Values by round that were measured here, in the place of a Run."""
    values: list = field(default_factory=list)

    def over_rounds(self, _value):
        return self.values


def line(name, values, low=0, high=float("inf")):
    print(Figure(name, Taken(values), None, low, high).report(), flush=True)


def skip(name, why):
    print(f"{name:64} skipped: {why}", flush=True)


def measured(options, run, *figures):
    run.measure(options.lab, options.rounds, options.window)
    for figure in figures:
        print(figure.report(), flush=True)


def workloads_of(lab):
    said = served_peers.lines_of([lab, "list", "workloads"])
    return {text.split()[0] for text in said if text.startswith("  ") and text.split()}


# ---- loops ----

def each_s(of, workload, threads):
    """Processor time of the servers for each answer."""
    window = of(workload, "atomic", threads)
    return window.cpus_s["server"] / (window.rate * window.seconds)


def tell_notes(servers):
    for server in servers:
        for note in sorted(server.notes):
            print(f"  {server.name}: {note}", flush=True)


def bare_loops(options):
    """What the kernel and this machine make of a second loop."""
    name = "  the same of two bare loops, driven by lab load"
    if not options.servers:
        skip(name, "the program peer-servers was not named")
        return
    one, two = (served_peers.Server(server, "", [options.servers, server], spread=True)
                for server in (served_peers.BARE, served_peers.PAIR))
    served_peers.measure(options, [one, two])
    if one.why or two.why:
        skip(name, one.why or two.why)
        return
    line(name, two.ratios(one))
    tell_notes([one, two])


def loops(options):
    names = ("two loops: processor time of a round trip over that of one",
             "two loops, 200 us of computing: throughput over that of one")
    if len(os.sched_getaffinity(0)) < 2:
        for name in names:
            skip(name, "there is one processor")
        return
    serving = ["--unit", "loops", "--units", "100", "--mode", "atomic", "--threads", "1,2",
               "--control", "no"]
    echo = Run(["--workload", "echo_served", *serving])
    measured(options, echo,
             Figure(names[0], echo, lambda of: each_s(of, "echo_served", 2) /
                    each_s(of, "echo_served", 1), high=1.1))
    bare_loops(options)
    work = "http:cpu_us=200"
    http = Run(["--workload", work, *serving])
    measured(options, http,
             Figure(names[1], http, lambda of: of(work, "atomic", 2).rate /
                    of(work, "atomic", 1).rate, 1.85),
             Figure("  of both processors, the two loops had", http,
                    lambda of: of(work, "atomic", 2).cpus_s["server"] /
                    of(work, "atomic", 2).seconds))


# ---- many connections ----

def resident_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        words = next(text.split() for text in status if text.startswith("VmRSS:"))
    return int(words[1]) * 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Crowd:
    """A server of one loop, and a load of thousands; what it took while all were there."""

    def __init__(self, options, kind, *arguments):
        self.said, self.note, self.resident = None, "", 0
        self.options = options
        server = [options.lab, "serve", kind, "--unit", "coroutine", "--mode", "atomic",
                  "--patience", "1000"]
        with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process:
            try:
                self.drive(process, kind, arguments)
            finally:
                process.send_signal(signal.SIGTERM)
                process.stdout.close()

    def drive(self, process, kind, arguments):
        port = served_peers.port_of(process)
        if not port:
            self.note = "the server has not begun"
            return
        command = [self.options.lab, "load", kind, port, *arguments, "--ramp", str(RAMP_S),
                   "--seconds", str(self.options.window), "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as load:
            deadline = time.monotonic() + OPENING_S
            while load.poll() is None and time.monotonic() < deadline:
                if descriptors(process.pid) > CLIENTS:
                    self.resident = max(self.resident, resident_bytes(process.pid))
                time.sleep(0.02)
            try:
                out, err = load.communicate(timeout=OPENING_S + RAMP_S + self.options.window)
            finally:
                load.kill()
        self.note = err.strip().removeprefix("lab load: ")
        if out:
            self.said = served_peers.json.loads(out)


def crowds(options, *arguments):
    """Of each round; or a line why there is none."""
    found = []
    for _ in range(max(1, min(options.rounds, 3))):
        crowd = Crowd(options, *arguments)
        if not crowd.said or not crowd.resident:
            return [], crowd.note or "not all came"
        found.append(crowd)
    return found, ""


def tell_crowds(found):
    for note in sorted({crowd.note for crowd in found} - {""}):
        print(f"  {note}", flush=True)


def idle(options):
    name = f"{CLIENTS} idle connections: MB resident"
    found, why = crowds(options, "echo", "--connections", "1", "--idle", str(CLIENTS))
    if not found:
        skip(name, why)
        return
    line(name, [crowd.resident / MEGABYTE for crowd in found], high=64)
    tell_crowds(found)


def http(options):
    name = f"http, {CLIENTS} clients"
    found, why = crowds(options, "http", "--connections", str(CLIENTS))
    if not found:
        skip(name, why)
        return
    errors = sum(crowd.said["errors"] + crowd.said["errors_before"] for crowd in found)
    line(f"{name}: errors, of all rounds", [errors], high=0)
    line("  requests a second", [c.said["answers"] / c.said["seconds"] for c in found])
    line("  p99, ms", [crowd.said["p99_ns"] / 1e6 for crowd in found])
    line("  MB resident", [crowd.resident / MEGABYTE for crowd in found])
    tell_crowds(found)


# ---- echo beside others ----

def verdict(name, values, goal, is_reached):
    low, high = median_interval(values)
    median = served_peers.statistics.median(values)
    print(f"{name:64} {goal:16} {median:8.3f} [{low:.3f} {high:.3f}]  "
          f"{'reached' if is_reached(low, high) else 'NOT reached'}", flush=True)


def echo(options):
    ours, even, beaten = "lab, loops", ("libev", "libuv"), ("uvloop", "asyncio", "gevent")
    if not options.servers:
        skip("echo, 100 connections", "the program peer-servers was not named")
        return
    wanted = (served_peers.BARE, ours, *even, *beaten)
    servers = {s.name: s for s in served_peers.servers_of(options) if s.name in wanted}
    served_peers.measure(options, list(servers.values()))
    bare, own = servers[served_peers.BARE], servers[ours]
    if bare.why or own.why:
        skip("echo, 100 connections", bare.why or own.why)
        return
    line("echo, 100 connections: processor time over a bare loop's", own.ratios(bare), high=1.1)
    for name in even + beaten:
        other = servers.get(name)
        if not other or other.why:
            skip(f"  over {name}'s", other.why if other else "it is not in this build")
        elif name in even:
            verdict(f"  over {name}'s: not behind", own.ratios(other), "holds 1 or less",
                    lambda low, high: low <= 1)
        else:
            verdict(f"  over {name}'s: ahead", own.ratios(other), "below 1",
                    lambda low, high: high < 1)
    tell_notes(servers.values())


# ---- open loops, and what waits ----

def spin(options):
    name = "echo_open without a lock: p99 beside a spinner over alone"
    if len(os.sched_getaffinity(0)) < 2:
        skip(name, "there is one processor")
        return
    run = Run(["--workload", "echo_open", "--mode", "nolock,atomic", "--threads", "0,1", "--bind",
               "apart", "--control", "no"])
    measured(options, run, *(
        Figure(f"{name}, {mode}", run, lambda of, m=mode: of("echo_open", m, 1).p99_ns /
               of("echo_open", m, 0).p99_ns, high=2) for mode in ("nolock", "atomic")))


def wait(options):
    there = [name for name in WAITING + ASKING if name in workloads_of(options.lab)]
    run = Run(["--workload", ",".join(there), "--mode", "gil,nolock", "--threads", "8", "--control",
               "no"])
    measured(options, run, *(
        Figure(f"{name}, 8 threads: gil over nolock", run,
               lambda of, n=name: of(n, "gil", 8).rate / of(n, "nolock", 8).rate,
               *((0.95, 1.05) if name in WAITING else ()))
        for name in there))


GROUPS = {"loops": loops, "idle": idle, "http": http, "echo": echo, "spin": spin, "wait": wait}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("lab", help="the command, such as build/release/lab")
    parser.add_argument("servers", nargs="?", metavar="PEER-SERVERS",
                        help="such as build/release/peer-servers")
    parser.add_argument("--rounds", type=int, default=11, help="of each (%(default)s)")
    parser.add_argument("--window", type=float, default=1.0, help="seconds (%(default)s)")
    parser.add_argument("--only", action="append", metavar="GROUP", choices=GROUPS,
                        help=f"one of {', '.join(GROUPS)}; may be given several times")
    parser.error = lambda words: parser.exit(2, f"served_figures.py: {words}\n")
    options = parser.parse_args()
    options.connections = 100
    if options.rounds < 1 or options.window <= 0:
        parser.error("there is a round, and a window longer than 0 s")
    for name in options.only or GROUPS:
        GROUPS[name](options)


if __name__ == "__main__":
    try:
        main()
    except results.BadResults as error:
        sys.exit(f"served_figures.py: {error}")
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"served_figures.py: {error}")
