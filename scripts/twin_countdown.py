#!/usr/bin/python3
"""The workload countdown in CPython: N threads, each counting down again and again.

    twin_countdown.py [--threads N] [--window S] [--rounds N] [--interval S]

prints one JSON object a round. What is counted is steps.
"""

import twin

BATCH = 1000


def work(index, counts, stopping):
    while not stopping.is_set():
        n = BATCH
        while n > 0:
            n -= 1
        counts[index] += BATCH


if __name__ == "__main__":
    twin.main("twin_countdown.py", __doc__, work)
