"""Which unit and mode does most, from all computing to all waiting."""

import math
import re
from dataclasses import dataclass, field
from statistics import median

from matplotlib.patches import Rectangle

import drawing
from drawing import COLOURS, INK, Nothing, Panel, Picture, joined

TITLE = "Who wins where, from all computing to all waiting?"
PLACE = 8
QUERY = """
SELECT c.cell, c.workload, c.mode, c.policy, c.execution_unit, c.units, c.threads, c.safe, r.rate,
       (SELECT sum(s.cpu_s) FROM samples s WHERE s.window = r.window) / nullif(r.rate * w.seconds, 0)
           AS cpu_s
FROM rates r JOIN windows w USING (window) JOIN cells c ON c.cell = r.cell
WHERE r.run = {run} AND NOT c.control AND c.heap || c.build = (
    SELECT heap || build FROM cells WHERE run = {run} AND workload GLOB 'cpu_fraction*' LIMIT 1)
  AND (c.workload GLOB 'cpu_fraction*' OR c.workload = 'countdown' AND c.units IS NULL AND c.threads = 1)
ORDER BY c.number"""
NEAR = 0.05  # so near to the best nobody who chooses asks for the difference
CELL, ROW = 0.45, 0.235  # inches
NEVER = (math.inf, math.inf)  # of a window in which nothing was done
USUAL = {"waits_percent": 50, "operation_us": 1000}


@dataclass
class Row:
    """A line of the map: a unit on so many threads, under one mode."""
    name: str
    safe: bool
    plain: bool
    mode: str
    windows: dict = field(default_factory=dict)  # share of waiting: [(seconds for one, cpu seconds)]

    def at(self, share, price):
        """Seconds for an operation and processor seconds, where counting takes so much longer: there
        an operation is longer, and waits for less of it. Between two shares it is a straight line."""
        length = price * (1 - share) + share
        there = share / length
        shares = sorted(self.windows)
        low = max((s for s in shares if s <= there + 1e-9), default=None)
        high = min((s for s in shares if s >= there - 1e-9), default=None)
        if low is None or high is None:
            return None
        weight = (there - low) / (high - low) if high > low else 0
        return [length * ((1 - weight) * a + weight * b if weight else a) for a, b in
                zip(self.middle(low), self.middle(high))]

    def middle(self, share):
        return [median(values) for values in zip(*self.windows[share])]


def parameter(row, name):
    found = re.search(rf":{name}=(\d+)", row["workload"])
    return int(found[1]) if found else USUAL[name]


def parallel(row):
    return row["units"] or row["threads"]


def name_of(row):
    unit, threads = row["execution_unit"], row["threads"]
    if row["units"] and unit in ("process", "interpreter"):
        unit = f"{threads} {unit}{'es' if unit == 'process' else 's'}"
    elif row["units"] and threads > 1:
        unit = f"{unit} on {threads}"
    return f"{unit}, {row['mode']}{'' if row['safe'] else ' (unsafe)'}"


def prices(rows):
    """By mode: how much longer its counts take one thread than plain ones."""
    rates = {}
    for row in rows:
        if row["workload"] == "countdown" and row["rate"]:
            rates.setdefault(row["mode"], []).append(row["rate"])
    plain = rates.get("gil") or rates.get("nolock")
    return {mode: median(plain) / median(of) for mode, of in rates.items()} if plain else {}


def maps(rows):
    """By how many run in parallel: the lines, by name."""
    found = {}
    for row in rows:
        if row["workload"] == "countdown" or row["rate"] and row["cpu_s"] is None:
            continue
        line = found.setdefault(parallel(row), {}).setdefault(name_of(row), Row(
            name_of(row), bool(row["safe"]), row["policy"] == "plain", row["mode"]))
        line.windows.setdefault(parameter(row, "waits_percent") / 100, []).append(
            (1 / row["rate"], row["cpu_s"]) if row["rate"] else NEVER)
    return {count: dict(sorted(lines.items(), key=lambda item: not item[0].startswith("thread")))
            for count, lines in sorted(found.items())}


def fill(lines, shares, price):
    """By name and share: seconds for an operation, processor seconds; what cannot be known is not
    there."""
    cells = {}
    for line in lines.values():
        of = 1 if line.plain else price.get(line.mode)
        for share in shares:
            value = of and line.at(share, of)
            if value:
                cells[line.name, share] = value
    return cells


def winner(cells, lines, share):
    """Of the safe ones that are near the best, one that takes next to the least processor time: the
    first of them, as threads come first."""
    of = {name: cells[name, share] for name, line in lines.items()
          if line.safe and (name, share) in cells}
    for what in 0, 1:
        least = min((value[what] for value in of.values()), default=None)
        of = {name: value for name, value in of.items() if value[what] <= least * (1 + NEAR)}
    return next(iter(of), None)


def number(value):
    return f"{value:.2f}" if value < 9.995 else f"{value:.0f}"


def draw_cell(axes, x, y, value, line, wins):
    axes.add_patch(Rectangle((x, y), 1, 1, color=COLOURS[0], alpha=0.5 * min(1, value), lw=0))
    axes.text(x + 0.5, y + 0.52, number(value), ha="center", va="center", fontsize=7.5,
              color=INK, weight="bold" if wins else "normal",
              style="normal" if line.safe else "italic")


def panel(count, lines, price):
    shares = sorted({share for line in lines.values() for share in line.windows})
    cells = fill(lines, shares, price)
    best = {share: min((value[0] for (name, at), value in cells.items()
                        if at == share and lines[name].safe), default=None) for share in shares}
    wins = {share: winner(cells, lines, share) for share in shares}
    names = [name for name in lines if any((name, share) in cells for share in shares)]

    def draw(axes):
        for y, name in enumerate(names):
            for x, share in enumerate(shares):
                if (name, share) in cells and math.isfinite(best[share] or math.inf):
                    draw_cell(axes, x, y, best[share] / cells[name, share][0], lines[name],
                              wins[share] == name)
        for x, share in enumerate(shares):
            if wins[share]:
                axes.add_patch(Rectangle((x + 0.04, names.index(wins[share]) + 0.06), 0.92, 0.88,
                                         fill=False, ec=INK, lw=1.8, zorder=4))
        axes.set_xlim(0, len(shares))
        axes.set_ylim(len(names), 0)
        axes.set_xticks([x + 0.5 for x in range(len(shares))],
                        [f"{100 * share:.0f}" for share in shares])
        axes.set_yticks([y + 0.5 for y in range(len(names))], names, fontsize=8.5)
        axes.set_xlabel("% of an operation that waits")
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)

    words = who_wins(wins)
    return words, Panel(
        f"{count} in parallel", "of the best safe rate of each column\nframed: the winner",
        f"Rates with {count} in parallel. The winners: {words}.", draw,
        width=CELL * len(shares), height=max(1, ROW * len(names)),
        left=0.35 + 0.073 * max(map(len, names), default=0), right=0.25)


def who_wins(wins):
    """'to 50 % loops on 2, biased; from 75 % coroutine, gil': runs of one winner."""
    runs = []
    for share, name in wins.items():
        if name and runs and runs[-1][0] == name:
            runs[-1][2] = share
        elif name:
            runs.append([name, share, share])
    return "; ".join(f"{percent(first)}{f' to {percent(last)}' if last > first else ''} % {name}"
                     for name, first, last in runs)


def percent(share):
    return f"{100 * share:.0f}"


def nearest_millisecond(rows):
    """The length of an operation that is drawn: of several, the one nearest to a millisecond."""
    lengths = {parameter(row, "operation_us") for row in rows if row["workload"] != "countdown"}
    return min(lengths, key=lambda us: abs(math.log(us / 1000)))


def picture(rows, run):
    if all(row["workload"] == "countdown" for row in rows):
        raise Nothing("it needs the workload cpu_fraction: benches/matrices/cpu-vs-io.yaml")
    length = nearest_millisecond(rows)
    rows = [row for row in rows
            if row["workload"] == "countdown" or parameter(row, "operation_us") == length]
    price = prices(rows)
    counting = {row["mode"]: price[row["mode"]] for row in rows
                if row["policy"] != "plain" and row["mode"] in price}
    unpriced = sorted({row["mode"] for row in rows if row["policy"] != "plain"} - set(price))
    drawn = {count: panel(count, lines, price) for count, lines in maps(rows).items()
             if any(line.safe for line in lines.values())}
    drawn = dict(list(drawn.items())[:drawing.MOST_PANELS])
    return Picture([of for _, of in drawn.values()], [
        "How to read it. A map is of one count of operations that are under way at once. To the right "
        "they wait for more of their time and compute less; a row is what carries them, and the mode. "
        "The number is a rate, of the best that any safe mode reached in that column, and the darker "
        "the nearer to it. Where a column is dark all over it does not matter what is chosen.",
        joined([f"Operations of {drawing.duration(1000 * length)}. Framed: of those that are within "
                f"{100 * NEAR:.0f} % of the best, the first that takes no more than as much above the "
                "least processor time for an operation. These are medians: whether noise could have "
                "made the winner, `lab advise` and `lab show --crossovers` tell.",
                "Italics: unsafe, nothing guards the counts; never a winner."
                if any(not row["safe"] for row in rows) else "",
                "Rows do equal work: where counting is slower, as the workload countdown says ("
                + ", ".join(f"{mode} {number(value)}×" for mode, value in counting.items())
                + "), an operation takes longer, and waits for less of it." if counting else "",
                f"Not drawn: {', '.join(unpriced)}, whose counts' cost was not measured (countdown, one "
                "thread)." if unpriced else ""]),
        *(f"{count} in parallel: {words}." for count, (words, _) in drawn.items() if words)],
        columns=2)
