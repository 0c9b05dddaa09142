#!/usr/bin/python3
"""The workload echo_spin in CPython: what our `gil` mode is held against.

Two threads of this process, a client and a server, exchange 64 bytes over a socketpair,
one message at a time, beside K threads that only count down. All of them need the GIL.
Every call on a socket lets go of it and must wait for it again, one switch interval for
each spinner in turn: Python issue 7946, the convoy effect. No thread is bound to a core.

    twin_echo_spin.py [--spinners K] [--window S] [--rounds N] [--interval S]

prints one JSON object a round.
"""

import argparse
import json
import platform
import socket
import sys
import threading
import time

MESSAGE = b"x" * 64
RAMP_SECONDS = 0.2
BATCH = 1000


def receive(sock, size):
    """Exactly `size` bytes, or b"" once the other end is closed."""
    parts = sock.recv(size)
    while 0 < len(parts) < size:
        more = sock.recv(size - len(parts))
        if not more:
            return b""
        parts += more
    return parts


def serve(sock):
    while message := receive(sock, len(MESSAGE)):
        sock.sendall(message)


def spin(index, counts, stopping):
    while not stopping.is_set():
        n = BATCH
        while n > 0:
            n -= 1
        counts[index] += BATCH


def exchange(sock, seconds):
    """Round trips until the time is over: the nanoseconds of each, and the seconds."""
    now, samples = time.perf_counter_ns, []
    begin = start = now()
    end = begin + int(seconds * 1e9)
    while start < end:
        sock.sendall(MESSAGE)
        if receive(sock, len(MESSAGE)) != MESSAGE:
            sys.exit("twin_echo_spin.py: the echo came back changed")
        stop = now()
        samples.append(stop - start)
        start = stop
    return samples, (start - begin) / 1e9


def quantile(values, q):
    return values[min(len(values) - 1, int(q * len(values)))]


def run_round(spinners, seconds):
    client, server = socket.socketpair()
    counts, stopping = [0] * spinners, threading.Event()
    threads = [threading.Thread(target=serve, args=(server,))]
    threads += [threading.Thread(target=spin, args=(i, counts, stopping)) for i in range(spinners)]
    for thread in threads:
        thread.start()
    exchange(client, RAMP_SECONDS)
    before = sum(counts)
    samples, elapsed = exchange(client, seconds)
    spins = sum(counts) - before
    stopping.set()
    client.close()
    for thread in threads:
        thread.join()
    server.close()
    samples.sort()
    return {
        "python": platform.python_version(),
        "interval": sys.getswitchinterval(),
        "spinners": spinners,
        "seconds": round(elapsed, 4),
        "p50_ns": quantile(samples, 0.5),
        "p99_ns": quantile(samples, 0.99),
        "round_trips_per_s": round(len(samples) / elapsed, 1),
        "spins_per_s": round(spins / elapsed),
    }


def main():
    parser = argparse.ArgumentParser(description="The workload echo_spin in CPython.")
    parser.add_argument("--spinners", type=int, default=1, metavar="K")
    parser.add_argument("--window", type=float, default=1.5, metavar="S",
                        help="seconds of a round")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--interval", type=float, metavar="S",
                        help="seconds, for sys.setswitchinterval (CPython's own: 0.005)")
    parser.error = lambda words: parser.exit(2, f"twin_echo_spin.py: {words}\n")
    options = parser.parse_args()
    if options.spinners < 0 or options.window <= 0 or options.rounds < 1:
        parser.error("K is at least 0, a window longer than 0 s, and there is a round")
    if options.interval is not None:
        if options.interval <= 0:
            parser.error("an interval is longer than 0 s")
        sys.setswitchinterval(options.interval)
    for _ in range(options.rounds):
        print(json.dumps(run_round(options.spinners, options.window)), flush=True)


if __name__ == "__main__":
    main()
