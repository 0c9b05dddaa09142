#!/usr/bin/python3
"""What a round trip of an echo costs its server, beside others: one table.

    served_peers.py LAB PEER-SERVERS [NAME...] [--connections N] [--rounds N] [--window S] [--json]

LAB is build/release/lab, PEER-SERVERS the program beside it. Each server runs in a process of its own
on one processor, and `lab load` drives it from another: 64 bytes over loopback TCP, in a closed loop.
In each round all are driven one after the other, so that a machine that is slow for a while is slow
for all. The figure is the server's processor time, of user and kernel, for each round trip; `to bare`
is the median of the rounds' ratios to an epoll loop without anything, with the range that holds it
with 95 % (six rounds and more).
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

import coroutine_peers
import figures
import twin_served

HERE = os.path.dirname(os.path.abspath(__file__))
TWIN = os.path.join(HERE, "twin_served.py")
BARE, PAIR, LEAST_ROUNDS, LONGEST_S = "bare", "bare_pair", 6, 120
OURS = ("thread", "greenlet", "coroutine", "loops")


@dataclass
class Server:
    """A program that prints the port that it serves."""
    name: str
    about: str
    command: list
    each_ns: list = field(default_factory=list)
    rates: list = field(default_factory=list)
    p99_us: list = field(default_factory=list)
    notes: set = field(default_factory=set)
    why: str = ""
    spread: bool = False  # over all processors, as its load is

    def ratios(self, bare):
        return [own / other for own, other in zip(self.each_ns, bare.each_ns)]

    def range(self, bare):
        ratios = self.ratios(bare)
        return figures.median_interval(ratios) if len(ratios) >= LEAST_ROUNDS else (None, None)


def lines_of(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def servers_of(options):
    found = [Server(name, about, [options.servers, name], spread=name == PAIR)
             for name, about in (line.split("\t") for line in lines_of([options.servers]))]
    for unit in OURS:
        found.append(Server(f"lab, {unit}", "atomic" if unit != "loops" else "atomic, one loop",
                            [options.lab, "serve", "echo", "--unit", unit, "--mode", "atomic",
                             "--patience", "1000"]))
    found += [Server(name, twin_served.version_of(name) or "", [sys.executable, "-B", TWIN, name])
              for name in twin_served.SERVERS]
    for server in found:
        if not server.about:
            server.why = "not installed"
    return found


def on_processors(numbers):
    return lambda: os.sched_setaffinity(0, numbers)


def port_of(process):
    """The last word of its first line that is a number, as in `... on 127.0.0.1:8080 (...)`."""
    words = process.stdout.readline().replace(":", " ").replace("(", " ").split()
    return next((word for word in reversed(words) if word.isdigit()), None)


def load_says(options, port, pid, processors):
    command = [options.lab, "load", "echo", port, "--connections", str(options.connections),
               "--seconds", str(options.window), "--pid", str(pid), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=LONGEST_S + options.window,
                          preexec_fn=on_processors(processors))
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    return json.loads(done.stdout), done.stderr.strip()


def measure_one(options, server, processors):
    own, others = (processors,) * 2 if server.spread else (processors[:1], processors[-1:])
    with subprocess.Popen(server.command, stdout=subprocess.PIPE, text=True,
                          preexec_fn=on_processors(own)) as process:
        try:
            port = port_of(process)
            said, note = load_says(options, port, process.pid, others) if port else \
                (None, f"status {process.wait()}")
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.close()
    if not said or not said["answers"] or "server_cpu_ns" not in said:
        server.why = note or ("its processor time is not known" if said and said["answers"] else "no answer")
        return
    if note:
        server.notes.add(note.removeprefix("lab load: "))
    server.each_ns.append(said["server_cpu_ns"] / said["answers"])
    server.rates.append(said["answers"] / said["seconds"])
    server.p99_us.append(said["p99_ns"] / 1e3)


def measure(options, servers):
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        print("served_peers.py: server and load share one processor", file=sys.stderr)
    for turn in range(options.rounds):
        print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
        for server in servers:
            if not server.why:
                measure_one(options, server, processors)


def table_of(servers, bare):
    lines = [["server", "on", "server's ns each", "to bare", "interval", "answers/s", "p99, us"]]
    for server in servers:
        if server.why:
            lines.append([server.name, server.about, server.why, "", "", "", ""])
            continue
        low, high = server.range(bare)
        lines.append([server.name, server.about, f"{statistics.median(server.each_ns):,.0f}",
                      f"{statistics.median(server.ratios(bare)):.2f}",
                      f"{low:.2f} .. {high:.2f}" if low is not None else "",
                      f"{statistics.median(server.rates):,.0f}",
                      f"{statistics.median(server.p99_us):,.0f}"])
    return lines


def as_json(servers, bare):
    return [{"server": s.name, "about": s.about, "why": s.why or None, "each_ns": s.each_ns,
             "to_bare": s.ratios(bare), "rate": s.rates, "p99_us": s.p99_us,
             "notes": sorted(s.notes)} for s in servers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("lab")
    parser.add_argument("servers")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of servers; default: all")
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--window", type=float, default=2.0, help="seconds")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.error = lambda words: parser.exit(2, f"served_peers.py: {words}\n")
    options = parser.parse_intermixed_args()
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}? 1 or more")
    servers = servers_of(options)
    unknown = set(options.names) - {server.name for server in servers}
    if unknown:
        parser.error(f"no server {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(server.name for server in servers)}")
    if options.names:
        servers = [s for s in servers if s.name in options.names or s.name == BARE]
    else:  # what needs several processors is for served_figures.py
        servers = [s for s in servers if not s.spread]
    bare = servers[0]
    measure(options, servers)
    if not bare.each_ns:
        print(f"served_peers.py: {BARE}: {bare.why}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(as_json(servers, bare), indent=1))
        return 0
    print(coroutine_peers.table_of(table_of(servers, bare), left=(0, 1)))
    for server in servers:
        for note in sorted(server.notes):
            print(f"{server.name}: {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
