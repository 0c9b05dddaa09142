#!/usr/bin/python3
"""The micro-benchmarks of coroutines in CPython and in libraries for it: one job by one peer.

    twin_coroutines.py JOB PEER [--count N] [--list]

prints one JSON object: `ns`, of an operation; `count`, how many; `peer`, with its version. With
--list, what jobs there are and who can do them. A job is that of the lab's micro-benchmark of the
same name (benches/micro/). Time is the thread's own, as what the lab's is compared by, where no
thread waits for another; else it is the wall clock's.

Where there are several ways to do a job, it is the fastest that was found: loops run in C where they
can (`drain`), functions that are called are C's (`calls`), a task that gives up its turn yields.

Exits with 3 if the peer is not installed.
"""

import argparse
import importlib
import json
import platform
import random
import sys
import time
import types
from collections import deque
from itertools import count as counter, islice, repeat, starmap

BATCH, BURST, WORKERS, TASKS, SLEEPERS, DEPTH = 1000, 64, 2, 100, 10000, 100
SLEEP_S, LONGEST_TIMER_S = 0.001, 1.0
ABSENT = 3

cpu_clock, wall_clock = time.thread_time_ns, time.perf_counter_ns


def drain(iterable):
    """Does all that the iterable does, and keeps nothing: without a line of bytecode."""
    deque(iterable, maxlen=0)


def calls():
    """A function of C's without arguments, that counts: call it once more to hear how often."""
    return counter().__next__


def check(so_often, count):
    if so_often != count:
        sys.exit(f"twin_coroutines.py: {so_often} calls, not {count}")


# CPython's generators.

def generator_next(count):
    def endless():
        while True:
            yield

    steps = endless()
    start = cpu_clock()
    drain(islice(steps, count))
    return cpu_clock() - start


def delegate_hundred(count):
    def deep(levels):
        if levels:
            yield from deep(levels - 1)
        while True:
            yield

    steps = deep(DEPTH)
    next(steps)
    start = cpu_clock()
    drain(islice(steps, count))
    return cpu_clock() - start


# asyncio, on its own loop and on uvloop's.

def on_loop(job):
    """For `async def job(loop, count)`, a function of the count for asyncio, and one for uvloop."""
    def on(new_loop, count):
        loop = new_loop()
        try:
            return loop.run_until_complete(job(loop, count))
        finally:
            loop.close()

    def on_asyncio(count):
        import asyncio
        return on(asyncio.SelectorEventLoop, count)

    def on_uvloop(count):
        import uvloop
        return on(uvloop.new_event_loop, count)

    return {"asyncio": on_asyncio, "uvloop": on_uvloop}


@types.coroutine
def turn():
    yield


async def in_batches(call, done, count):
    """`call` takes a function, and the loop calls it in its next turn."""
    start = cpu_clock()
    for _ in range(count // BATCH):
        drain(starmap(call, repeat((done,), BATCH)))
        await turn()
    took = cpu_clock() - start
    check(done(), count)
    return took


async def call_soon(loop, count):
    return await in_batches(loop.call_soon, calls(), count)


async def call_threadsafe(loop, count):
    return await in_batches(loop.call_soon_threadsafe, calls(), count)


def delays(count):
    """Of timers, in seconds: the same each time."""
    chance = random.Random(12345)
    return [chance.uniform(0.001, LONGEST_TIMER_S) for _ in range(count)]


async def set_and_fire(call_later, count):
    import asyncio
    done, when = calls(), delays(count)
    start = cpu_clock()
    for delay in when:
        call_later(delay, done)
    await asyncio.sleep(LONGEST_TIMER_S + 0.1)
    took = cpu_clock() - start
    check(done(), count)
    return took


async def timer(loop, count):
    return await set_and_fire(loop.call_later, count)


async def task_switch(loop, count):
    import asyncio

    @types.coroutine
    def passes():
        for _ in repeat(None, count // TASKS):
            yield

    start = cpu_clock()
    await asyncio.gather(*[loop.create_task(passes()) for _ in range(TASKS)])
    return cpu_clock() - start


async def task_join(loop, count):
    async def child():
        pass

    start = cpu_clock()
    for _ in range(count):
        await loop.create_task(child())
    return cpu_clock() - start


async def ping_pong(loop, there, back, count):
    async def answer():
        for _ in range(count):
            await back.put(await there.get())

    answering = loop.create_task(answer())
    start = cpu_clock()
    for _ in range(count):
        await there.put(None)
        await back.get()
    await answering
    return cpu_clock() - start


async def queue_round_trip(loop, count):
    import asyncio
    return await ping_pong(loop, asyncio.Queue(), asyncio.Queue(), count)


async def gather_sleepers(_loop, count):
    import asyncio
    start = cpu_clock()
    for _ in range(count // SLEEPERS):
        await asyncio.gather(*map(asyncio.sleep, repeat(SLEEP_S, SLEEPERS)))
    return cpu_clock() - start


# tornado, which is asyncio's loop with names of its own.

def on_tornado(job):
    def on(count):
        from tornado.ioloop import IOLoop
        loop = IOLoop(make_current=False)
        try:
            return loop.run_sync(lambda: job(loop, count))
        finally:
            loop.close(all_fds=True)

    return {"tornado": on}


async def tornado_call_soon(loop, count):
    return await in_batches(loop.add_callback, calls(), count)


async def tornado_timer(loop, count):
    return await set_and_fire(loop.call_later, count)


async def tornado_queue_round_trip(loop, count):
    from tornado.queues import Queue
    return await ping_pong(loop.asyncio_loop, Queue(), Queue(), count)


async def tornado_gather_sleepers(_loop, count):
    from tornado import gen
    start = cpu_clock()
    for _ in range(count // SLEEPERS):
        await gen.multi([gen.sleep(SLEEP_S) for _ in range(SLEEPERS)])
    return cpu_clock() - start


# greenlet, and gevent.

def greenlet_switch(count):
    from greenlet import getcurrent, greenlet
    main = getcurrent()

    def body():
        switch = main.switch
        while True:
            switch()

    other = greenlet(body)
    other.switch()
    start = cpu_clock()
    drain(starmap(other.switch, repeat((), count)))
    return cpu_clock() - start


def gevent_in_batches(call, count):
    import gevent
    done = calls()
    gevent.sleep(0)
    start = cpu_clock()
    for _ in range(count // BATCH):
        drain(starmap(call, repeat((done,), BATCH)))
        gevent.sleep(0)
    took = cpu_clock() - start
    check(done(), count)
    return took


def gevent_call_soon(count):
    import gevent
    return gevent_in_batches(gevent.get_hub().loop.run_callback, count)


def gevent_call_threadsafe(count):
    import gevent
    return gevent_in_batches(gevent.get_hub().loop.run_callback_threadsafe, count)


def gevent_timer(count):
    import gevent
    new_timer, done, when = gevent.get_hub().loop.timer, calls(), delays(count)
    start = cpu_clock()
    timers = [new_timer(delay) for delay in when]  # they are stopped when they are forgotten
    for one in timers:
        one.start(done)
    gevent.sleep(LONGEST_TIMER_S + 0.1)
    took = cpu_clock() - start
    check(done(), count)
    return took


def gevent_task_switch(count):
    import gevent

    def passes():
        for _ in repeat(None, count // TASKS):
            gevent.sleep(0)

    start = cpu_clock()
    gevent.joinall([gevent.spawn(passes) for _ in range(TASKS)])
    return cpu_clock() - start


def gevent_task_join(count):
    import gevent

    def child():
        pass

    gevent.sleep(0)
    start = cpu_clock()
    for _ in range(count):
        gevent.spawn(child).join()
    return cpu_clock() - start


def gevent_queue_round_trip(count):
    import gevent
    from gevent.queue import Queue
    there, back = Queue(), Queue()

    def answer():
        for _ in range(count):
            back.put(there.get())

    answering = gevent.spawn(answer)
    start = cpu_clock()
    for _ in range(count):
        there.put(None)
        back.get()
    answering.join()
    return cpu_clock() - start


def gevent_gather_sleepers(count):
    import gevent
    start = cpu_clock()
    for _ in range(count // SLEEPERS):
        gevent.joinall([gevent.spawn(gevent.sleep, SLEEP_S) for _ in range(SLEEPERS)])
    return cpu_clock() - start


# Pools of two threads.

def nothing():
    pass


def in_bursts(submit, take, count):
    start = wall_clock()
    for _ in range(count // BURST):
        for job in [submit(nothing) for _ in range(BURST)]:
            take(job)
    return wall_clock() - start


def futures_pool_submit(count):
    from concurrent.futures import Future, ThreadPoolExecutor
    with ThreadPoolExecutor(WORKERS) as pool:
        in_bursts(pool.submit, Future.result, BURST)  # so that its threads are there
        return in_bursts(pool.submit, Future.result, count)


def gevent_pool_submit(count):
    from gevent.threadpool import ThreadPool
    pool = ThreadPool(WORKERS)
    in_bursts(pool.spawn, lambda job: job.get(), BURST)
    took = in_bursts(pool.spawn, lambda job: job.get(), count)
    pool.kill()
    return took


# By job: how many operations, of which size of a batch, and who can do it.
JOBS = {
    "generator_next": (2_000_000, 1, {"CPython": generator_next}),
    "delegate_hundred": (50_000, 1, {"CPython": delegate_hundred}),
    "greenlet_switch": (500_000, 1, {"greenlet": greenlet_switch}),
    "call_soon": (200_000, BATCH, {**on_loop(call_soon), **on_tornado(tornado_call_soon),
                                   "gevent": gevent_call_soon}),
    "call_threadsafe": (50_000, BATCH, {**on_loop(call_threadsafe),
                                        "gevent": gevent_call_threadsafe}),
    "timer": (1_000_000, 1, {**on_loop(timer), **on_tornado(tornado_timer),
                             "gevent": gevent_timer}),
    "task_switch": (200_000, TASKS, {**on_loop(task_switch), "gevent": gevent_task_switch}),
    "task_join": (50_000, 1, {**on_loop(task_join), "gevent": gevent_task_join}),
    "queue_round_trip": (30_000, 1, {**on_loop(queue_round_trip),
                                    **on_tornado(tornado_queue_round_trip),
                                    "gevent": gevent_queue_round_trip}),
    "gather_sleepers": (20_000, SLEEPERS, {**on_loop(gather_sleepers),
                                           **on_tornado(tornado_gather_sleepers),
                                           "gevent": gevent_gather_sleepers}),
    "pool_submit": (20 * BURST * BURST, BURST, {"CPython": futures_pool_submit,
                                                "gevent": gevent_pool_submit}),
}
SCRIPTED = {peer for _, _, peers in JOBS.values() for peer in peers}


def version_of(peer):
    """None: it is not installed."""
    if peer in ("CPython", "asyncio"):
        return f"{peer} {platform.python_version()}"
    try:
        module = importlib.import_module(peer)
    except ImportError:
        return None
    return f"{peer} {getattr(module, '__version__', None) or module.version}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("job", nargs="?", help=", ".join(JOBS))
    parser.add_argument("peer", nargs="?")
    parser.add_argument("--count", type=int, metavar="N", help="operations; of whole batches")
    parser.add_argument("--list", action="store_true", help="who does what")
    parser.error = lambda words: parser.exit(2, f"twin_coroutines.py: {words}\n")
    options = parser.parse_args()
    if options.list:
        for job, (_, _, peers) in JOBS.items():
            print(f"{job:18} {' '.join(peers)}")
        return
    if options.job not in JOBS:
        parser.error(f"no job '{options.job}'; there are: {', '.join(JOBS)}")
    count, batch, peers = JOBS[options.job]
    if options.peer not in peers:
        parser.error(f"no peer '{options.peer}' does {options.job}; there are: {', '.join(peers)}")
    count = options.count if options.count is not None else count
    if count < batch or count % batch:
        parser.error(f"--count must be a multiple of {batch}")
    version = version_of(options.peer)
    if not version:
        print(f"twin_coroutines.py: {options.peer} is not installed", file=sys.stderr)
        sys.exit(ABSENT)
    took = peers[options.peer](count)
    print(json.dumps({"job": options.job, "peer": version, "count": count,
                      "ns": round(took / count, 3)}))


if __name__ == "__main__":
    main()
