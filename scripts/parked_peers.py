#!/usr/bin/python3
"""How much memory takes what waits: a parked coroutine, greenlet or thread of CPython's peers.

    parked_peers.py [--counts 1,100,10000,100000] [--json] [UNIT...]

Each figure is of a fresh process: so many are made and parked, and the memory that is resident more
than before is divided by how many they are. Of few it is mostly pages that were begun. Before the
first look one was made and parked, so that what all share is there. What the kernel keeps for
a thread (a stack of 16 KiB, and more) is not resident in the process, and not in the figure.

A peer that is not installed, or a number that cannot be had, is said, and is no failure.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import threading

from coroutine_peers import table_of
from twin_coroutines import version_of

COUNTS = (1, 100, 10000, 100000)
LONGEST_S, FOR_EVER_S = 300, 36000
THREAD_STACK_BYTES = 64 << 10
CANNOT = 4


def generators(count):
    def one():
        yield

    made = [one() for _ in range(count)]
    for generator in made:
        next(generator)
    return made


def coroutines(count):
    import types

    @types.coroutine
    def park():
        yield

    async def one():
        await park()

    made = [one() for _ in range(count)]
    for coroutine in made:
        coroutine.send(None)
    return made


def tasks_of(loop, count):
    import asyncio
    made = [loop.create_task(asyncio.sleep(FOR_EVER_S)) for _ in range(count)]
    loop.run_until_complete(asyncio.sleep(0))
    return loop, made


def asyncio_tasks(count, loops=[]):  # one loop for all calls
    import asyncio
    if not loops:
        loops.append(asyncio.SelectorEventLoop())
    return tasks_of(loops[0], count)


def uvloop_tasks(count, loops=[]):
    import uvloop
    if not loops:
        loops.append(uvloop.new_event_loop())
    return tasks_of(loops[0], count)


def greenlets(count, of=lambda park: park):
    from greenlet import getcurrent, greenlet
    body = of(getcurrent().switch)
    made = [greenlet(body) for _ in range(count)]
    for one in made:
        one.switch()
    return made


def python_greenlets(count):
    def of(park):
        def body():
            park()
        return body

    return greenlets(count, of)


def gevent_greenlets(count):
    import gevent
    made = [gevent.spawn(gevent.sleep, FOR_EVER_S) for _ in range(count)]
    gevent.sleep(0)
    return made


def threads(count):
    threading.stack_size(THREAD_STACK_BYTES)
    never, ready = threading.Lock(), threading.Semaphore(0)
    never.acquire()

    def wait():
        ready.release()
        never.acquire()

    made = [threading.Thread(target=wait, daemon=True) for _ in range(count)]
    for thread in made:
        thread.start()
    for _ in made:
        ready.acquire()
    return made


# By unit: whose it is, and what makes so many.
UNITS = {
    "generator": ("CPython", generators),
    "coroutine": ("CPython", coroutines),
    "asyncio task in sleep": ("asyncio", asyncio_tasks),
    "uvloop task in sleep": ("uvloop", uvloop_tasks),
    "greenlet, of a function in C": ("greenlet", greenlets),
    "greenlet, of one in Python": ("greenlet", python_greenlets),
    "gevent greenlet in sleep": ("gevent", gevent_greenlets),
    "thread, stack of 64 KiB": ("CPython", threads),
}


def resident_bytes():
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def inside(unit, count):
    """In the fresh process."""
    make = UNITS[unit][1]
    try:
        first = make(1)
        before = resident_bytes()
        made = make(count)
        after = resident_bytes()
    except (MemoryError, RuntimeError, OSError) as error:
        print(f"{type(error).__name__}: {error}")
        sys.stdout.flush()
        os._exit(CANNOT)
    assert first and made
    print(json.dumps({"before_bytes": before, "after_bytes": after}))
    sys.stdout.flush()
    os._exit(0)  # to end them all one by one takes long, and some wait for ever


def measure(unit, count):
    found = {"unit": unit, "count": count, "peer": version_of(UNITS[unit][0])}
    if not found["peer"]:
        return {**found, "peer": UNITS[unit][0], "why": "not installed"}
    command = [sys.executable, "-B", os.path.abspath(__file__), "--inside", unit,
               "--counts", str(count)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        return {**found, "why": f"no end after {LONGEST_S} s"}
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or [f"status {done.returncode}"]
        return {**found, "why": said[-1], "failed": done.returncode != CANNOT}
    found.update(json.loads(done.stdout))
    found["bytes_each"] = (found["after_bytes"] - found["before_bytes"]) / count
    return found


def table(units, counts, all_found):
    rows = [["unit", "of", *(f"{count:,} of them" for count in counts)]]
    for unit in units:
        mine = [found for found in all_found if found["unit"] == unit]
        rows.append([unit, mine[0]["peer"], *(f"{found['bytes_each']:,.0f}"
                                              if "bytes_each" in found else found["why"]
                                              for found in mine)])
    return table_of(rows, left=(0, 1))


def counts_of(text):
    counts = [int(word) for word in text.split(",")]
    if min(counts) < 1:
        raise ValueError
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("units", nargs="*", metavar="UNIT", help=f"{', '.join(UNITS)}; default: all")
    parser.add_argument("--counts", type=counts_of, default=COUNTS, metavar="N,N")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--inside", metavar="UNIT", help=argparse.SUPPRESS)
    parser.error = lambda words: parser.exit(2, f"parked_peers.py: {words}\n")
    options = parser.parse_intermixed_args()
    if options.inside:
        inside(options.inside, options.counts[0])
    for unit in options.units:
        if unit not in UNITS:
            parser.error(f"no unit '{unit}'; there are: {', '.join(UNITS)}")
    units = options.units or list(UNITS)
    found = [measure(unit, count) for unit in units for count in options.counts]
    print(json.dumps(found, indent=1) if options.json else
          "Bytes of each:\n\n" + table(units, options.counts, found))
    return any(one.get("failed") for one in found)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
