#!/usr/bin/python3
"""The workload fib in CPython: N threads, each computing fib(12) again and again.

    twin_fib.py [--threads N] [--window S] [--rounds N]

prints one JSON object a round. What is counted is calls, 465 for each fib(12).
"""

import argparse
import json
import platform
import sys
import threading
import time

ARGUMENT, ANSWER, CALLS = 12, 144, 465
RAMP_SECONDS = 0.2


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work(index, counts, stopping):
    while not stopping.is_set():
        if fib(ARGUMENT) != ANSWER:
            sys.exit("twin_fib.py: a wrong answer")
        counts[index] += CALLS


def run_round(threads, seconds):
    counts, stopping = [0] * threads, threading.Event()
    workers = [threading.Thread(target=work, args=(i, counts, stopping)) for i in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(RAMP_SECONDS)
    begin, before = time.perf_counter(), sum(counts)
    time.sleep(seconds)
    elapsed, calls = time.perf_counter() - begin, sum(counts) - before
    stopping.set()
    for worker in workers:
        worker.join()
    return {
        "python": platform.python_version(),
        "threads": threads,
        "seconds": round(elapsed, 4),
        "calls_per_s": round(calls / elapsed),
    }


def main():
    parser = argparse.ArgumentParser(description="The workload fib in CPython.")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--window", type=float, default=1.5, metavar="S",
                        help="seconds of a round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.error = lambda words: parser.exit(2, f"twin_fib.py: {words}\n")
    options = parser.parse_args()
    if options.threads < 1 or options.window <= 0 or options.rounds < 1:
        parser.error("there is a thread, a window longer than 0 s, and a round")
    for _ in range(options.rounds):
        print(json.dumps(run_round(options.threads, options.window)), flush=True)


if __name__ == "__main__":
    main()
