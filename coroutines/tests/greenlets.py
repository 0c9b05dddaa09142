#!/usr/bin/python3
"""What greenlets of Python's greenlet do that switch by chance: see test_greenlet_worlds.c.

    greenlets.py FIRST COUNT

Prints the version of greenlet, and then the trace of each seed, a line each.
"""
import gc
import os
import sys

import greenlet
from greenlet import GreenletExit

MEMBERS, ACTS = 5, 80
WORD = (1 << 64) - 1


class World:
    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 & WORD) | 1
        self.trace, self.acts, self.made = [], ACTS, 0
        self.pool = [greenlet.getcurrent()]
        for _ in range(1, MEMBERS):
            self.pool.append(self.make(0))

    def below(self, limit):
        x = self.state
        x ^= x << 13 & WORD
        x ^= x >> 7
        x ^= x << 17 & WORD
        self.state = x
        return (x >> 11) % limit

    def say(self, *words):
        self.trace.append(":".join(map(str, words)))

    def make(self, parent):
        self.made += 1
        name = self.made
        return greenlet.greenlet(lambda value=None: self.body(name, value), self.pool[parent])

    @staticmethod
    def show(value):
        """greenlet 2.0.2 begins one that is passed a GreenletExit without it: here None."""
        return "exit" if value is None or isinstance(value, GreenletExit) else value

    def body(self, name, value):
        self.say("begin", name, self.show(value))
        while self.acts:
            result = self.act(name)
            if result is not None:
                return result
        return 0

    def act(self, name):
        self.acts -= 1
        what, target, number = self.below(14), self.below(MEMBERS), self.below(100)
        if what == 10 and name:
            self.say("return", name, number)
            return number
        if what == 11 and name:
            self.say("raise", name, number)
            raise KeyError(str(number))
        try:
            got = self.do(what, target, number)
        except GreenletExit:
            self.say("exit", name)
            if name:
                raise
        except (ValueError, KeyError, AttributeError) as e:
            self.say("caught", name, type(e).__name__, e.args[0])
        else:
            if got is not None:
                self.say("got", name, self.show(got))
        return None

    def do(self, what, target, number):
        if what < 5:
            return self.pool[target].switch(number)
        if what == 5:
            return self.pool[target].throw(ValueError(str(number)))
        if what == 6:
            return self.pool[target].throw()
        if what == 7:
            self.pool[target].parent = self.pool[number % MEMBERS]
        elif what in (8, 12, 13) and target:
            self.pool[target] = self.make(number % MEMBERS)
        elif what == 9:
            self.say("is", target, int(self.pool[target].dead), int(bool(self.pool[target])))
        return None

    def run(self):
        while self.acts:
            self.act(0)
        for i in range(1, MEMBERS):
            self.pool[i] = None
        self.say("end")
        return " ".join(self.trace)


def main():
    gc.disable()
    print(greenlet.__version__)
    for seed in range(int(sys.argv[1]), int(sys.argv[1]) + int(sys.argv[2])):
        print(World(seed).run())
    sys.stdout.flush()
    os._exit(0)


main()
