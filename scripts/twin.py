"""Threads that compute under CPython's GIL, window by window: what the twins have in common."""

import argparse
import json
import platform
import sys
import threading
import time

RAMP_SECONDS = 0.2


def run_round(work, threads, seconds):
    counts, stopping = [0] * threads, threading.Event()
    workers = [threading.Thread(target=work, args=(i, counts, stopping)) for i in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(RAMP_SECONDS)
    begin, before = time.perf_counter(), sum(counts)
    time.sleep(seconds)
    elapsed, done = time.perf_counter() - begin, sum(counts) - before
    stopping.set()
    for worker in workers:
        worker.join()
    return {
        "python": platform.python_version(),
        "interval": sys.getswitchinterval(),
        "threads": threads,
        "seconds": round(elapsed, 4),
        "ops_per_s": round(done / elapsed),
    }


def main(name, about, work):
    """`work(index, counts, stopping)` runs in each thread, and adds to counts[index]."""
    parser = argparse.ArgumentParser(description=about.split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--window", type=float, default=1.5, metavar="S",
                        help="seconds of a round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--interval", type=float, metavar="S",
                        help="seconds, for sys.setswitchinterval (CPython's own: 0.005)")
    parser.error = lambda words: parser.exit(2, f"{name}: {words}\n")
    options = parser.parse_args()
    if options.threads < 1 or options.window <= 0 or options.rounds < 1:
        parser.error("there is a thread, a window longer than 0 s, and a round")
    if options.interval is not None:
        if options.interval <= 0:
            parser.error("an interval is longer than 0 s")
        sys.setswitchinterval(options.interval)
    for _ in range(options.rounds):
        print(json.dumps(run_round(work, options.threads, options.window)), flush=True)
