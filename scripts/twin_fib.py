#!/usr/bin/python3
"""The workload fib in CPython: N threads, each computing fib(12) again and again.

    twin_fib.py [--threads N] [--window S] [--rounds N] [--interval S]

prints one JSON object a round. What is counted is calls, 465 for each fib(12).
"""

import sys

import twin

ARGUMENT, ANSWER, CALLS = 12, 144, 465


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def work(index, counts, stopping):
    while not stopping.is_set():
        if fib(ARGUMENT) != ANSWER:
            sys.exit("twin_fib.py: a wrong answer")
        counts[index] += CALLS


if __name__ == "__main__":
    twin.main("twin_fib.py", __doc__, work)
