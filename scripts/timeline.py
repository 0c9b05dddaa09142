#!/usr/bin/python3
"""Draws a trace of `lab run --trace`, as PNG or SVG: a lane per thread, who ran and who waited.

    timeline.py TRACE -o picture.png [--cell N,M] [--from 20ms] [--to 60ms]

A panel for each cell of the trace, or for those that are asked for by their number. Times
are from the beginning of the window.
"""

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass, field

try:
    import drawing
except ImportError as error:
    sys.exit(f"timeline.py: {error}; Debian's package is python3-matplotlib")
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

# Told apart by height as well as by colour.
STATES = {"running": (drawing.COLOURS[0], 0.62), "waiting": (drawing.COLOURS[1], 0.24),
          "detached": ("#B4B4B4", 0.05)}
OFTEN = "#A9CFE8"  # many runs, each too short to be seen
MOST_LANES, MOST_CELLS, LANE, WIDTH, DPI = 20, 6, 0.42, 8.6, 150
UNITS = (("s", 1e6), ("ms", 1e3), ("µs", 1.0))


def fail(words):
    print(f"timeline.py: {words}", file=sys.stderr)
    sys.exit(2)


@dataclass
class Lane:
    name: str = ""
    slices: dict = field(default_factory=lambda: {state: [] for state in STATES})  # from, to
    requests: list = field(default_factory=list)
    dropped: int = 0


@dataclass
class Cell:
    number: int
    title: str = ""
    lanes: dict = field(default_factory=dict)

    def lane(self, number):
        return self.lanes.setdefault(number, Lane(f"thread {number}"))

    def threads(self):
        """Without the lane of what was asked from outside, which is nobody's."""
        return sum(any(lane.slices.values()) for lane in self.lanes.values())

    def end(self):
        return max((to for lane in self.lanes.values() for of in lane.slices.values()
                    for _, to in of), default=0)


def take(cell, event):
    """What one event says of its cell."""
    kind, name, arguments = event["ph"], event["name"], event.get("args", {})
    if kind == "M" and name == "process_name":
        cell.title = str(arguments["name"])
        return
    lane = cell.lane(event["tid"])
    if kind == "M" and name == "thread_name":
        lane.name = str(arguments["name"])
    elif kind == "X" and name in STATES:
        lane.slices[name].append((float(event["ts"]), float(event["ts"]) + float(event["dur"])))
    elif kind == "i" and name == "drop request":
        lane.requests.append(float(event["ts"]))
    elif kind == "i" and name == "dropped":
        lane.dropped = int(arguments["moments"])


def read(path):
    """The cells of a trace that have lanes, by number."""
    cells = {}
    try:
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
        for event in trace["traceEvents"]:
            take(cells.setdefault(event["pid"], Cell(event["pid"])), event)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fail(f"{path}: is no trace of `lab run --trace`")
    cells = {number: cell for number, cell in sorted(cells.items()) if cell.end() > 0}
    if not cells:
        fail(f"{path}: nothing to draw: no thread did anything in it")
    return cells


def moment(text, option):
    """'20ms' -> 20000.0: microseconds. A bare number is in milliseconds."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|ms|us|µs)?", text)
    if not found:
        fail(f"{option}: '{text}' is no time; try 20ms")
    return float(found[1]) * {"s": 1e6, "us": 1.0, "µs": 1.0}.get(found[2], 1e3)


def chosen(cells, wanted):
    if not wanted:
        return list(cells.values())
    picked = []
    for word in wanted.split(","):
        if not word.isdecimal() or int(word) not in cells:
            fail(f"--cell: no cell '{word}'; there are: "
                 + ", ".join(f"{n} ({c.title})" for n, c in cells.items()))
        picked.append(cells[int(word)])
    return picked


@dataclass
class Bar:
    """Slices that touch on paper."""
    low: float
    high: float
    filled: float  # what of it is theirs

    @property
    def sparse(self):
        """It would look as if it went on without a break."""
        return self.filled < (self.high - self.low) / 2


def bars_of(slices, start, end, pixel):
    """What lies in the range, each at least so wide."""
    bars = []
    for low, high in slices:
        low, high = max(low, start), min(high, end)
        if high <= low:
            continue
        shown = max(high, low + pixel)
        if bars and low <= bars[-1].high:
            bars[-1].high = max(bars[-1].high, shown)
            bars[-1].filled += high - low
        else:
            # Alone, it may be as thin as it likes: a line is read as a moment.
            bars.append(Bar(low, shown, shown - low))
    return bars


def spent(lane, state, start, end):
    """Its time in that state, in the range."""
    return sum(max(0.0, min(high, end) - max(low, start)) for low, high in lane.slices[state])


def share_words(lane, start, end):
    """Of the time of which something is known."""
    times = {state: spent(lane, state, start, end) for state in STATES}
    whole = sum(times.values())
    if not whole:
        return "not there"
    return "  ".join(f"{100 * times[s] / whole:3.0f} %" for s in ("running", "waiting"))


def draw_lane(axes, lane, height, start, end, unit):
    pixel = (end - start) / (WIDTH * DPI)
    for state in reversed(STATES):
        colour, thick = STATES[state]
        # A run is always seen; a wait or a call only if there is room for it.
        slices = [s for s in lane.slices[state] if state == "running" or s[1] - s[0] >= pixel / 2]
        bars = bars_of(slices, start, end, pixel)
        for shade, of in ((OFTEN, [b for b in bars if b.sparse]),
                          (colour, [b for b in bars if not b.sparse])):
            axes.broken_barh([(b.low / unit, (b.high - b.low) / unit) for b in of],
                             (height - thick / 2, thick), facecolor=shade, lw=0,
                             zorder=3 if state == "running" else 2)
    asked = [t / unit for t in lane.requests if start <= t <= end]
    axes.vlines(asked, height + 0.33, height + 0.47, color=drawing.INK, lw=1.0, zorder=4)


def panel(cell, start, end):
    lanes = [lane for _, lane in sorted(cell.lanes.items())][:MOST_LANES]
    name, unit = next(u for u in UNITS if (end - start) / u[1] >= 2 or u[1] == 1.0)

    def draw(axes):
        for i, lane in enumerate(lanes):
            height = len(lanes) - 1 - i
            draw_lane(axes, lane, height, start, end, unit)
            axes.text(1.01, height, share_words(lane, start, end), va="center", fontsize=9,
                      transform=axes.get_yaxis_transform())
        axes.text(1.01, len(lanes) - 0.35, "ran  waited", fontsize=8.5, color=drawing.PALE,
                  va="bottom", transform=axes.get_yaxis_transform())
        axes.set_yticks(range(len(lanes)), [drawing.short(lane.name, 22) for lane in reversed(lanes)])
        axes.set_ylim(-0.6, len(lanes) - 0.4)
        axes.set_xlim(start / unit, end / unit)
        axes.set_xlabel(f"{name} since the window began")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=drawing.GRID, zorder=0)
        axes.set_axisbelow(True)
        for side in "top", "right", "left":
            axes.spines[side].set_visible(False)
        legend(axes)

    words = "; ".join(f"{lane.name}: ran, waited {share_words(lane, start, end)}" for lane in lanes)
    return drawing.Panel(cell.title, f"cell {cell.number} of the trace, {drawing.counted(cell.threads(), 'thread')}",
                         words, draw, width=WIDTH, height=LANE * max(len(lanes), 2), left=1.55,
                         right=1.0)


def legend(axes):
    handles = [Patch(color=colour, label=state) for state, (colour, _) in STATES.items()]
    handles.insert(1, Patch(color=OFTEN, label="runs often, for short"))
    handles.append(Line2D([], [], color=drawing.INK, marker="|", ls="", ms=7, label="asks for the lock"))
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.02), ncol=5, frameon=False,
                fontsize=9, handlelength=1.2, columnspacing=1.4, borderaxespad=0.2)


def caption(cells, left):
    lost = [f"{lane.dropped:,} of {lane.name} in cell {cell.number}"
            for cell in cells for lane in cell.lanes.values() if lane.dropped]
    many = [cell for cell in cells if len(cell.lanes) > MOST_LANES]
    return [
        "How to read it. A lane is a thread. Blue and thick: it runs, with the lock if there is one; "
        "pale, if it ran so often and so shortly that there is no room for the gaps. "
        "Orange, thinner: it waits for the lock. A grey line: it is detached, in a call that blocks, "
        "and needs no lock. A tick above a lane: this thread asks the one that runs to let go. Look "
        "for what follows a grey line: orange there is what a call costs a thread beyond the call.",
        drawing.joined([
            "A run is drawn at least a pixel wide, a wait only from half a pixel on. Percentages are "
            "of the time shown.",
            f"Rings were full: the oldest moments are missing, {'; '.join(lost)}; before that a lane "
            "is empty." if lost else "",
            f"Of {many[0].title} the first {MOST_LANES} threads." if many else "",
            f"Not drawn: {', '.join(cell.title for cell in left)}." if left else ""])]


def options_of():
    parser = argparse.ArgumentParser(description="Draws a trace of `lab run --trace`.")
    parser.add_argument("trace", help="the file that it wrote")
    parser.add_argument("-o", "--output", required=True, help="picture.png or picture.svg")
    parser.add_argument("--cell", help="which of them, by number; default: all")
    parser.add_argument("--from", dest="start", default="0", help="as 20ms or 300us; default: 0")
    parser.add_argument("--to", dest="end", help="likewise; default: the end")
    parser.error = fail
    return parser.parse_args()


def main():
    options = options_of()
    if os.path.splitext(options.output)[1] not in (".png", ".svg"):
        fail(f"{options.output}: a picture's name ends in .png or .svg")
    start = moment(options.start, "--from")
    end = moment(options.end, "--to") if options.end else float("inf")
    cells = chosen(read(options.trace), options.cell)
    shown, left = cells[:MOST_CELLS], cells[MOST_CELLS:]
    if start >= min(end, *(cell.end() for cell in shown)):
        fail(f"--from: nothing is left between '{options.start}' and the end of what is shown")
    end = min(end, max(cell.end() for cell in shown))  # all panels to one scale
    picture = drawing.Picture([panel(cell, start, end) for cell in shown], caption(shown, left))
    figure = drawing.sheet(picture, "Who has the lock, and who waits for it",
                           [f"{os.path.basename(options.trace)}  ·  lab run --trace  ·  kernel's "
                            "monotonic clock"], columns=1)
    try:
        figure.savefig(options.output, dpi=DPI)
    except OSError as error:
        fail(f"{options.output}: {error.strerror}")


if __name__ == "__main__":
    main()
