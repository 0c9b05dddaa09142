#!/usr/bin/python3
"""What CPython does with chains of generators that are made by chance: see test_chains.c.

    chains.py FIRST COUNT

Prints the version of Python, and then the trace of each seed, a line each.
"""
import inspect
import sys

MEMBERS, ACTS, NESTED_MOST = 6, 40, 2
WORD = (1 << 64) - 1


class Chance:
    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 & WORD) | 1

    def below(self, limit):
        x = self.state
        x ^= x << 13 & WORD
        x ^= x >> 7
        x ^= x << 17 & WORD
        self.state = x
        return (x >> 11) % limit


class World:
    def __init__(self, seed):
        self.trace, self.nested = [], 0
        self.chance = Chance(seed)
        self.own = [Chance(seed * 31 + i + 1) for i in range(MEMBERS)]
        self.numbers = [0] * MEMBERS
        self.pool = [self.body(i) for i in range(MEMBERS)]

    def number(self, i):
        self.numbers[i] += 1
        return i * 100 + self.numbers[i]

    def body(self, i):
        while True:
            act = self.own[i].below(12)
            if act == 11:
                return self.number(i)
            if act == 10:
                raise ValueError(f"v{self.number(i)}")
            if act == 9:
                self.nest(i)
                continue
            try:
                if act < 5:
                    got = yield self.number(i)
                else:
                    got = yield from self.pool[self.own[i].below(MEMBERS)]
                self.trace.append(f"{i}<{got}")
            except BaseException as e:
                self.trace.append(f"{i}!{describe(e)}")
                answer = self.own[i].below(5)
                if answer == 0:
                    raise
                if answer == 2:
                    return self.number(i)
                if answer == 3:
                    raise RuntimeError(f"r{self.number(i)}")

    def nest(self, i):
        other = self.own[i].below(MEMBERS)
        if self.nested < NESTED_MOST:
            self.nested += 1
            self.step(other, lambda g: next(g), "(")
            self.nested -= 1
            self.trace.append(")")

    def step(self, i, act, sign):
        self.trace.append(f"{sign}{i}")
        self.show()
        try:
            result = f"={act(self.pool[i])}"
        except StopIteration as stop:
            result = f"#{stop.value}"
        except BaseException as e:
            result = f"!{describe(e)}"
        self.trace.append(result)
        self.show()

    def show(self):
        def place(g):
            # While something is thrown through it, CPython 3.11 tells even of one that runs.
            return str(self.pool.index(g.gi_yieldfrom)) if g.gi_yieldfrom and not g.gi_running else "-"
        self.trace.append("".join(inspect.getgeneratorstate(g)[4:6] + place(g) for g in self.pool))

    def run(self):
        for _ in range(ACTS):
            i, what, value = (self.chance.below(n) for n in (MEMBERS, 10, 3))
            if what < 4:
                self.step(i, lambda g: next(g), "n")
            elif what < 7:
                self.step(i, lambda g: g.send(value + 7), "s")
            elif what < 9:
                kind = (KeyError, GeneratorExit, StopIteration)[value]
                self.step(i, lambda g: g.throw(kind()), "t")
            else:
                self.step(i, lambda g: g.close() and None, "c")
        return " ".join(self.trace)


def describe(e):
    """It and what led to it."""
    names = []
    while e:
        names.append(type(e).__name__ + (f":{e}" if str(e) and not isinstance(e, StopIteration) else ""))
        e = e.__context__
    return "<-".join(names).replace(" ", "_")


def main():
    sys.unraisablehook = lambda unraisable: None
    first, count = int(sys.argv[1]), int(sys.argv[2])
    print("%d.%d" % sys.version_info[:2])
    for seed in range(first, first + count):
        print(World(seed).run())


if __name__ == "__main__":
    main()
