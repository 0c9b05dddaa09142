#!/usr/bin/python3
"""A results file of cpu_fraction that nobody measured, on a machine whose laws are known.

    waiting_file.py FILE [--machine KEY] [--blocks N] [--noisy UNIT] [--floor SHARE] [--wild MODE]
                    [--most N] [--without WORKLOAD] [--units UNIT,...] [--operation US]

Four cores. An operation takes 1 ms alone, computes what it does not wait, and costs its unit some
processor time besides: a thread 6 us, and 0.5 us more for each of those there are; a task 10 us; a
process 60 us more than a thread of four, for its messages. Under gil, and on one loop, one core
computes; else four. A worker is never faster than one operation at a time. Counting under biased
takes 1.1 times as long, under atomic 1.5 times: the workload countdown says so.

So: what waits 95 % of its time is as fast under gil with 16 threads, and what waits 90 % is not; a
task is cheaper than a thread from 16 on; processes beat 16 threads up to 90 %; the best at 500 in
parallel that compute 300 us and wait 2000 are loops under biased.

--noisy makes windows of a unit differ wildly, --wild those of a mode; --floor all those of the control.
"""
import argparse
import math
import random

import results_file

SHARES = 0, 25, 50, 75, 90, 95, 99, 100
PARALLEL = 1, 4, 16, 64, 512
CORES = 4
MODES = {"gil": ("plain", "interval", 1), "nolock": ("plain", "none", 0),
         "biased": ("biased", "none", 1), "atomic": ("atomic", "none", 1)}
PRICES = {"gil": 1, "nolock": 1, "biased": 1.1, "atomic": 1.5}


def overhead_us(unit, parallel):
    return {"thread": 6 + 0.5 * parallel, "coroutine": 10, "loops": 10, "process": 68}[unit]


def law(unit, mode, parallel, share, length_us):
    """Operations a second, and the processor time of one."""
    cost_us = length_us * (1 - share / 100) + overhead_us(unit, parallel)
    wait_us = length_us * share / 100
    cores = 1 if unit == "coroutine" or mode == "gil" and unit != "process" else CORES
    rate = min(parallel / (cost_us + wait_us), cores / cost_us)
    return rate * 1e6, cost_us / 1e6


def plan(args):
    """Each cell: its dials, the rate, processor seconds for each operation."""
    for control in 1, 2:
        yield dict(workload="empty", mode="nolock", threads=1, control=control), 1e6, 1e-6
    for mode in MODES:
        if args.without != "countdown":
            yield dict(workload="countdown", mode=mode, threads=1), 5e7 / PRICES[mode], 2e-8
    for unit, modes in ("thread", MODES), ("coroutine", ["gil"]), ("loops", MODES), ("process", ["gil"]):
        carriers = 1 if unit == "coroutine" else CORES
        if args.units and unit not in args.units.split(","):
            continue
        for mode in modes:
            for parallel in PARALLEL:
                if parallel > args.most or unit not in ("thread", "coroutine") and parallel < CORES:
                    continue
                for share in SHARES:
                    label = f"cpu_fraction:waits_percent={share}"
                    if args.operation != 1000:
                        label += f":operation_us={args.operation}"
                    yield (dict(workload=label, mode=mode, execution_unit=unit,
                                units=None if unit == "thread" else parallel,
                                threads=parallel if unit == "thread" else carriers),
                           *law(unit, mode, parallel, share, args.operation))


def add_window(db, cell, block, sequence, rate, cpu_s):
    ops = max(1, round(rate))
    window = results_file.insert(
        db, "windows", cell=cell, kind="timed", block=block, sequence=sequence,
        started="2026-01-02T03:04:05Z", started_ns=sequence * 10**9, took_s=1.1, status="ok", note="",
        seconds=1.0, overlap=1.0, lost=0)
    results_file.insert(db, "samples", window=window, role=0, worker=0, name="worker", ops=ops,
                        cpu_s=ops * cpu_s, binding="unbound")


def write(db, args):
    dice = random.Random(7)
    machine = results_file.insert(db, "machines", key=args.machine, host="madeup")
    run = results_file.insert(
        db, "runs", uuid=args.uuid, machine=machine, matrix="cpu-vs-io", source="", plan="plan",
        build="build", cores=CORES, seed=1, placing="shuffled", window_s=1, ramp_s=0, timeout_s=60,
        memory_bytes=10**9, bind="auto", rounds_least=args.blocks, rounds_most=args.blocks, precision=0,
        budget_s=0, started="2026-01-02T03:04:05Z", ended="2026-01-02T03:05:05Z")
    cells = []
    for number, (dials, rate, cpu_s) in enumerate(plan(args)):
        policy, lock, safe = MODES[dials["mode"]]
        dials = dict(execution_unit="thread", units=None, control=0) | dials
        parallel = dials["units"] or dials["threads"]
        cell = results_file.insert(
            db, "cells", run=run, number=number, policy=policy, gil=lock, heap="jemalloc", build="",
            about="made up", kind="mixed", unit="operation", shares="nothing", counted=parallel,
            workers=parallel, carriers=dials["threads"], base=1, safe=safe, miscounts=0, **dials)
        cells.append((cell, dials, rate, cpu_s))
    for block in range(1, args.blocks + 1):
        common = dice.lognormvariate(0, 0.05)  # what disturbs a block disturbs all of it
        for place, (cell, dials, rate, cpu_s) in enumerate(cells):
            wild = args.noisy == dials["execution_unit"] or args.wild == dials["mode"] \
                and not dials["control"]
            sigma = args.floor if dials["control"] else 0.004
            # In which direction is not left to the dice: of every two blocks one is good.
            off = (-1) ** block * (0.5 + abs(dice.gauss(0, 0.2))) if wild else dice.gauss(0, sigma)
            add_window(db, cell, block, len(cells) * block + place,
                       rate * common * math.exp(off), cpu_s * math.exp(dice.gauss(0, 0.004)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--machine", default="aaaa")
    parser.add_argument("--uuid", default="22222222-2222-4222-8222-222222222222")
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--noisy")
    parser.add_argument("--wild")
    parser.add_argument("--floor", type=float, default=0.004)
    parser.add_argument("--most", type=int, default=512)
    parser.add_argument("--without")
    parser.add_argument("--units")
    parser.add_argument("--operation", type=int, default=1000)
    args = parser.parse_args()
    db = results_file.create(args.file)
    write(db, args)
    db.commit()


if __name__ == "__main__":
    main()
