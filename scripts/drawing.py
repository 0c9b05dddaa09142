"""What the plots have in common: what they draw, in which colours, and on which sheet.

A plot is a file in scripts/plots/, and its name there is its name everywhere. It defines

    TITLE    the question that it answers
    PLACE    where it stands among the others; the first is the usual one
    QUERY    SQL that gives all the numbers it draws; {run} stands for the number of the run
    picture  (rows, run) -> Picture; raises Nothing, with the reason, if there is none

A picture is a list of panels and a caption. Who asked for it lays the panels out:
scripts/plot.py on one sheet, scripts/report.py each as a drawing of its own.
"""

import importlib
import json
import os
import sqlite3
import subprocess
import textwrap
from dataclasses import dataclass, field
from typing import Callable

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

import results

# After M. Okabe and K. Ito, Color Universal Design, 2008: told apart by colour-blind eyes
# too. The pale ones of that palette are darker here, for 3:1 on white. report.py gives each
# of these colours another shade in the dark, so a colour is never used but by these names.
COLOURS = "#0072B2 #D55E00 #00875F #C2629B #222222 #A67400 #3C8DC4 #7A5C1A".split()
MARKERS = "osD^vPX*"
INK, PALE, GRID, PAPER, ZONE = "#222223", "#666666", "#E2E2E2", "#FFFFFF", "#F2F2F2"
TINTS = {"Package": "#E6EFD6", "Core": "#D2D2D2", "NUMANode": "#EFDFDE", "PU": PAPER}
# Inches: a panel's plot, its axis left of it; the words above and below.
PLOT_WIDTH, PLOT_HEIGHT, AXIS, HEAD, FOOT = 3.2, 2.9, 0.75, 0.95, 0.6
MOST_PANELS, MOST_LINES = 12, len(COLOURS)

matplotlib.rcParams.update({
    "text.parse_math": False, "svg.hashsalt": "lab", "font.size": 10, "text.color": INK,
    "axes.edgecolor": INK, "axes.facecolor": "none", "figure.facecolor": PAPER,
    "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "figure.max_open_warning": 0})


KINDS = {"cpu": ("CPU-bound", "always computing"),
         "io": ("I/O-bound", "mostly waiting"),
         "mixed": ("Mixed", "computing and waiting")}


SIMULATED = "simulated: planned for another machine, nothing was bound"


class Nothing(Exception):
    """Why there is no picture, in a clause: 'no window in it records latencies'."""


@dataclass
class Panel:
    title: str
    small: str        # one or two lines under the title
    words: str        # what it shows, for who cannot see it
    draw: Callable    # of matplotlib axes
    width: float = PLOT_WIDTH
    height: float = PLOT_HEIGHT
    left: float = AXIS
    right: float = 0.2


@dataclass
class Picture:
    panels: list
    caption: list = field(default_factory=list)  # paragraphs
    columns: int = None  # side by side on a sheet; None: as they fit


@dataclass
class Style:
    name: str
    colour: str
    marker: str
    unsafe: bool

    @property
    def label(self):
        return self.name + (" (unsafe)" if self.unsafe else "")


def nth_look(number):
    """A colour and a mark for more lines than there are colours: no two alike."""
    again = number // len(COLOURS)
    return COLOURS[number % len(COLOURS)], MARKERS[(number + 3 * again) % len(MARKERS)]


@dataclass
class Point:
    threads: int
    middle: float
    low: float
    high: float
    cut: bool = False  # the interval is higher than the axis


@dataclass
class Line:
    style: Style
    points: list


def plots():
    """The names of all plots, in their order."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "plots")
    names = sorted(f[:-3].replace("_", "-") for f in os.listdir(folder) if f.endswith(".py"))
    return sorted(names, key=lambda name: plot(name).PLACE)


def plot(name):
    return importlib.import_module("plots." + name.replace("-", "_"))


def same(cell):
    """By what a cell in the file and one of `lab show` are known to be the same."""
    return tuple(cell[k] for k in ("workload", "mode", "heap", "build", "execution_unit",
                                        "units", "threads", "control"))


def units_words(cell):
    """What its workers are, as the lab says it: "greenlet x100"; nothing if they are threads."""
    return f"{cell['execution_unit']} x{cell['units']}" if cell["units"] else ""


class Run:
    """One run of a results file, and what `lab show` judges of it, if it was asked."""

    def __init__(self, connection, number, judged=None, workloads=None):
        self.answers = {}
        self.connection, self.number, self.judged = connection, number, judged
        self.workloads = workloads  # those to be drawn; None: a plot's own choice
        rows = connection.execute(
            "SELECT r.*, m.key, m.host, m.synthetic FROM runs r JOIN machines m USING (machine)"
            " WHERE run = ?", (number,)).fetchall()
        self.record = dict(rows[0])
        self.cells = {row["cell"]: row for row in connection.execute(
            "SELECT * FROM cells WHERE run = ? ORDER BY number", (number,))}
        self.estimates = {same(c): c for c in judged["cells"]} if judged else {}
        self.styles = self.all_styles()
        self.simulated = connection.execute("""
            SELECT 1 FROM cells JOIN windows USING (cell) JOIN samples USING (window)
            WHERE run = ? AND binding = 'simulated' LIMIT 1""", (number,)).fetchone() is not None

    @property
    def cores(self):
        return self.record["cores"]

    @property
    def cores_words(self):
        return counted(self.cores, "simulated core" if self.simulated else "core")

    def has_ideal(self, kind, threads):
        """Whether it is known what more threads can add; on cores that are not there it is not."""
        known = kind == "io" or kind == "cpu" and not self.simulated
        return known and len(threads) > 1 and threads[0] > 0

    def all_styles(self):
        """By dials: a mode's name, and which lock, heap, build and units where it has several;
        the units also where they are no threads."""
        dials = list(dict.fromkeys(self.dials(c) for c in self.cells.values()
                                   if not c["control"]))
        unsafe = {self.dials(c) for c in self.cells.values() if not c["safe"]}
        styles = {}
        for i, key in enumerate(dials):
            same = [other for other in dials if other[0] == key[0]]
            several = [key[k] for k in (1, 2, 3) if len({other[k] for other in same}) > 1]
            units = {other[4] for other in same}
            words = [key[4] or "threads"] if units != {""} else []
            name = ", ".join([key[0]] + [word or "this build" for word in several] + words)
            styles[key] = Style(name, COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)],
                                key in unsafe)
        return styles

    @staticmethod
    def dials(cell):
        return cell["mode"], cell["gil"], cell["heap"], cell["build"], units_words(cell)

    def style(self, row):
        return self.styles[self.dials(self.cells[row["cell"]])]

    def interval(self, row, name):
        """Of what `lab show` calls `name`; without it from the lowest to the highest window."""
        judged = (self.estimates.get(same(self.cells[row["cell"]])) or {}).get(name)
        if isinstance(judged, dict) and judged.get("low") is not None:
            return judged["low"], judged["high"]
        return row["low"], row["high"]

    def query(self, sql):
        """Of a million samples an answer may take a second: each question is asked once."""
        if sql not in self.answers:
            found = self.connection.execute(sql.format(run=self.number))
            self.answers[sql] = found.fetchall()
        return self.answers[sql]

    def gaps(self, workloads, concerns=lambda cell: True):
        """What is missing in these workloads, in words: nothing at all, or some windows."""
        none, some = {}, {}
        for row in self.query("SELECT * FROM gaps WHERE run = {run}"):
            cell = self.cells[row["cell"]]
            if row["workload"] not in workloads or cell["control"] or not concerns(cell):
                continue
            into, how = (some, f"{row['windows']} of {row['planned']}: {row['reason']}") \
                if row["windows"] else (none, row["reason"])
            name = f"{short(row['workload'])} under {self.styles[self.dials(cell)].name}"
            into.setdefault(how, {}).setdefault(name, []).append(row["threads"])
        return [gap_words("Not drawn", none), gap_words("Windows missing", some)]


def gap_words(what, gaps):
    """By reason: which cells, or how many if they are many."""
    said = []
    for how, names in gaps.items():
        cells = [f"{name} at {', '.join(map(str, sorted(threads)))} thread{'s' * (threads != [1])}"
                 for name, threads in names.items()]
        which = ", ".join(cells) if len(cells) < 4 else \
            f"{sum(map(len, names.values()))} cells such as {cells[0]}"
        said.append(f"{which} ({how})")
    if len(said) > 4:
        said[4:] = [f"and for {len(said) - 4} more reasons, which the table of cells tells"]
    return f"{what}: {'; '.join(said)}." if said else ""


def newest_run(connection, wanted=None):
    """The number of the run wanted, or of the last one that has something measured."""
    runs = [row[0] for row in connection.execute("SELECT run FROM runs ORDER BY started, run")]
    if wanted is not None and wanted not in runs:
        raise results.BadResults(f"no run {wanted} in this file; there are: "
                                 f"{', '.join(map(str, runs)) or 'none'}")
    for run in [wanted] if wanted is not None else reversed(runs):
        if connection.execute("""SELECT 1 FROM windows JOIN cells USING (cell) WHERE run = ?
                AND windows.kind = 'timed' AND status IN ('ok', 'early') LIMIT 1""",
                              (run,)).fetchone():
            return run
    raise results.BadResults(f"no timed window {'of that run' if wanted else 'in it'} has data")


class Question:
    """What `lab show` judges of a run; asked while something else is done."""

    def __init__(self, lab, path, number):
        self.command = [lab, "show", path, "--json", "--run", str(number)]
        try:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                            stderr=subprocess.PIPE, text=True)
        except OSError as error:
            raise results.BadResults(f"{lab}: {error.strerror}") from None

    def answer(self):
        out, error = self.process.communicate()
        if self.process.returncode:
            said = error.strip().splitlines() or [f"status {self.process.returncode}"]
            raise results.BadResults(f"{' '.join(self.command)}: {said[-1]}")
        try:
            return json.loads(out)
        except ValueError as mistake:
            raise results.BadResults(f"{' '.join(self.command)}: not JSON: {mistake}") from None


def open_run(path, wanted=None, lab=None, workloads=None):
    """A run of the file, ready to be drawn. BadResults: one line that says why not."""
    connection = results.connect(path)
    try:
        number = newest_run(connection, wanted)
        question = lab and Question(lab, path, number)
        results.keep_rates(connection)
        return Run(connection, number, question and question.answer(), workloads)
    except (sqlite3.Error, results.BadResults) as error:
        raise results.BadResults(f"{path}: {error}") from None


# Words and numbers.

def short(text, most=44):
    return text if len(text) <= most else text[:most - 1] + "…"


def in_words(rate):
    """25600000 -> '25.6 million'"""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if rate >= size:
            return f"{rate / size:.3g}{word}"
    return f"{rate:.3g}"


def times(value):
    return f"{value:.2f}×" if value < 9.995 else f"{value:.3g}×"


def duration(ns):
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def counted(number, noun):
    return f"{number} {noun}{'s' * (number != 1)}"


def beside(base):
    """What others are compared with: a count of threads; none are the neighbours of one."""
    return f"with {counted(base, 'thread')}" if base else "alone"


def joined(words):
    return " ".join(word for word in words if word)


# Rows into lines, workload by workload.

MEDIAN = """\
WITH placed AS (
    SELECT r.cell, {value} AS value,
           row_number() OVER (PARTITION BY r.cell ORDER BY {value}) AS place
    FROM {source}
    WHERE r.run = {{run}} AND NOT r.control AND {value} IS NOT NULL),
counts AS (
    SELECT cell, max(place) AS windows, min(value) AS low, max(value) AS high
    FROM placed GROUP BY cell)
SELECT c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads,
       c.kind, c.unit, c.safe, n.windows, avg(p.value) AS middle, n.low, n.high
FROM counts n JOIN cells c USING (cell) JOIN placed p
  ON p.cell = n.cell AND p.place IN ((n.windows + 1) / 2, (n.windows + 2) / 2)
GROUP BY c.cell ORDER BY c.number"""
# Pairs within a block, for what disturbed a block disturbed both of its windows.
# CROSS JOIN has SQLite go through the few cells first, not through the many windows.
BESIDE = """\
cells c CROSS JOIN cells b
           ON (b.run, b.workload, b.heap, b.build, b.execution_unit, b.threads, b.control)
            = (c.run, c.workload, c.heap, c.build, c.execution_unit, c.base, 0)
           AND b.units IS c.units AND b.mode = {mode}
         CROSS JOIN rates r ON r.cell = c.cell {further}
         CROSS JOIN rates base ON base.cell = b.cell AND base.block = r.block AND base.rate > 0"""


def median_query(value, source="rates r"):
    """SQL for the median over a cell's windows of `value`, of the lowest and the highest."""
    return MEDIAN.format(value=value, source=source)


def ratio_query(mode, further=""):
    """SQL for the same of the ratio to another mode's rate, with as few threads as it has."""
    return median_query("r.rate / base.rate", BESIDE.format(mode=mode, further=further))


def chosen(rows, run):
    """The rows by workload, of the workloads to be drawn; and which are too many for it."""
    groups = {}
    for row in rows:
        groups.setdefault(row["workload"], []).append(row)
    if run.workloads:
        groups = {name: of for name, of in groups.items() if name in run.workloads}
    if not groups:
        raise Nothing("none of the workloads has such figures")
    names = list(groups)
    left = f"For lack of room: {', '.join(map(short, names[MOST_PANELS:]))}." \
        if len(names) > MOST_PANELS else ""
    return {name: groups[name] for name in names[:MOST_PANELS]}, left


def lines_of(rows, run, name):
    """A line for each mode, with the intervals that `lab show` knows by `name`."""
    lines = {}
    for row in rows:
        style = run.style(row)
        line = lines.setdefault(style.label, Line(style, []))
        line.points.append(Point(row["threads"], row["middle"], *run.interval(row, name)))
    for line in lines.values():
        line.points.sort(key=lambda p: p.threads)
    return list(lines.values())[:MOST_LINES]


def too_many_lines(groups, run):
    most = max(len({run.style(row).label for row in rows}) for rows in groups.values())
    return f"For lack of room: the modes after the first {MOST_LINES}." if most > MOST_LINES else ""


def intervals(run):
    """What shades and whiskers are."""
    return ("Shades and whiskers: the interval of the median." if run.judged else
            "Shades and whiskers: from the lowest window to the highest.")


def no_ideal(run):
    return (f"No ideal for work that computes: the cores are {SIMULATED}." if run.simulated
            else "")


def unsafe_words(lines, marks="Hollow marks"):
    return (f"{marks}: unsafe, nothing guards the counts and answers can be wrong; it is "
            "there to measure the others by." if any(line.style.unsafe for line in lines) else "")


def line_words(lines, unit):
    """'gil: 1.00 at 1 thread, 0.97 at 2' and so on."""
    return "; ".join(
        f"{line.style.label}: " + ", ".join(f"{unit(p.middle)} at {p.threads}" for p in line.points)
        for line in lines)


# Marks on axes.

def face(style):
    return PAPER if style.unsafe else style.colour


def draw_lines(axes, lines):
    """The lines, the thickest first, so that those that coincide can all be seen."""
    for depth, line in enumerate(lines):
        threads = [p.threads for p in line.points]
        style = line.style
        axes.fill_between(threads, [p.low for p in line.points], [p.high for p in line.points],
                          color=style.colour, alpha=0.16, lw=0)
        axes.plot(threads, [p.middle for p in line.points], color=style.colour,
                  marker=style.marker, lw=max(1.3, 3.2 - 0.6 * depth), zorder=3 + depth,
                  ms=max(5, 8.5 - depth), mfc=face(style), mew=1.4)


def spread(heights, gap):
    """The heights, of 0 to 1, moved apart to at least `gap` in the same order."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    moved = list(heights)
    for _ in range(200):
        for low, high in zip(order, order[1:]):
            lack = gap - (moved[high] - moved[low])
            if lack > 1e-9:
                moved[low] -= lack / 2
                moved[high] += lack / 2
        moved[order[0]] = max(moved[order[0]], 0.02)
        moved[order[-1]] = min(moved[order[-1]], 1.0)
    return moved


def ends_of(lines):
    return [(line.style.label, line.style, line.points[-1].threads, line.points[-1].middle)
            for line in lines]


def names_width(lines):
    return 0.45 + 0.088 * max(min(len(line.style.label), 26) for line in lines)


def draw_labels(axes, ends):
    """Each name right of the end of its line, with its mark and a thread to it: dotted if the
    line ends early."""
    last = max(x for _, _, x, _ in ends)
    place = (axes.transScale + axes.transLimits).transform
    heights = spread([min(1, place((x, y))[1]) for _, _, x, y in ends], 0.068)
    for (name, style, x, y), height in zip(ends, heights):
        start, level = place((x, y))
        level = min(1, level)
        colour = style.colour if style else PALE
        axes.plot([start + 0.012, 1.0, 1.035], [level, level if x == last else height, height],
                  color=colour, lw=0.7, ls="-" if x == last else ":", zorder=1,
                  clip_on=False, transform=axes.transAxes)
        if style:
            axes.plot([1.06], [height], style.marker, color=colour, mfc=face(style), ms=6, mew=1.4,
                      clip_on=False, transform=axes.transAxes)
        axes.text(1.09, height, textwrap.fill(name, 26), va="center", transform=axes.transAxes,
                  fontsize=9.5, color=INK if style else PALE, linespacing=1,
                  weight="bold" if style else "normal")


def top_of(lines, kind, threads, run):
    """How high the axis reaches: to the intervals, unless one would flatten all the lines; and
    to the ideal, unless that would press them to the floor."""
    points = [p for line in lines for p in line.points]
    highest = min(max(p.high for p in points), 1.6 * max(p.middle for p in points))
    if run.has_ideal(kind, threads):
        ideal = ideal_at(kind, threads[-1], run.cores) / threads[0]
        highest = max(highest, min(ideal, 2.5 * highest))
    return 1.08 * highest


def cut(lines, top):
    """Notes whose interval goes on beyond the axis."""
    for line in lines:
        for p in line.points:
            p.cut = p.high > top


def mark_cut(axes, lines, top):
    """A small arrow where the axis cuts an interval."""
    for line in lines:
        above = [p.threads for p in line.points if p.cut]
        axes.plot(above, [0.97 * top] * len(above), "^", color=line.style.colour, ms=5, zorder=9)


def cut_words(lines):
    return ("An arrow at the edge: the interval goes on beyond it."
            if any(p.cut for line in lines for p in line.points) else "")


def bare(axes, grid):
    axes.grid(axis=grid, color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=3)
    for side in ("top", "right", "left" if grid == "y" else "bottom"):
        axes.spines[side].set_visible(False)


def thread_axis(axes, threads, run, farthest=None):
    """The counts of threads to the right, and where the cores end."""
    cores = run.cores
    farthest = farthest or threads[-1]
    span = farthest - threads[0] or 1
    ticks = []
    for t in reversed(threads):
        if not ticks or ticks[-1] - t >= 0.05 * span:
            ticks.append(t)
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(threads[0] - 0.05 * span, farthest + 0.05 * span)
    axes.set_xlabel("threads")
    bare(axes, "y")
    if threads[0] <= cores <= farthest:
        axes.axvline(cores, color=PALE, lw=0.8, zorder=1)
        axes.text(cores, 1.012, run.cores_words, color=PALE, fontsize=8.5,
                  ha="center" if cores < farthest else "right",
                  transform=axes.get_xaxis_transform())


def height_axis(axes, top, form):
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))
    axes.set_ylim(0, top)


def all_threads(lines):
    return sorted({p.threads for line in lines for p in line.points})


def ideal_at(kind, threads, cores):
    """Each thread adds as much as the first: while there are cores, if it needs a core."""
    return threads if kind == "io" else min(threads, cores)


def draw_ideal(axes, kind, threads, cores, top):
    """The dashed line, from the fewest threads at 1; its label, if its end is in sight."""
    fewest, most = threads[0], threads[-1]
    corner = max(fewest, ideal_at(kind, most, cores))
    level = corner / fewest
    axes.plot([fewest, corner, most], [1, level, level], color=PALE, lw=1.1, ls=(0, (4, 3)),
              zorder=2)
    if level <= top:
        return [("ideal", None, most, level)]
    axes.text(top * fewest, 0.985 * top, "ideal    ", color=PALE, fontsize=9.5, ha="right",
              va="top")
    return []


# Sheets.

def panel_size(panel):
    return panel.left + panel.width + panel.right, HEAD + panel.height + FOOT


def add_panel(figure, panel, left, top):
    """Draws a panel whose upper left corner lies there, in inches."""
    wide, high = figure.get_size_inches()
    axes = figure.add_axes(((left + panel.left) / wide, (top - HEAD - panel.height) / high,
                            panel.width / wide, panel.height / high))
    panel.draw(axes)
    room = int((panel.width + panel.right) / 0.118)
    axes.annotate(short(panel.title, room), (0, 1), xytext=(0, 47), textcoords="offset points",
                  xycoords="axes fraction", fontsize=12, weight="bold", va="bottom")
    axes.annotate(panel.small, (0, 1), xytext=(0, 22), textcoords="offset points", color=PALE,
                  xycoords="axes fraction", fontsize=8.5, va="bottom", linespacing=1.3)


def figure_of(panel):
    """A figure with this panel alone."""
    width, height = panel_size(panel)
    figure = pyplot.figure(figsize=(width, height))
    add_panel(figure, panel, 0, height)
    return figure


def sheet(picture, title, small_print, columns=None):
    """A figure with all panels, a title above, the caption and lines of small print below."""
    line, margin = 0.175, 0.3
    columns = columns or picture.columns or \
        min(len(picture.panels), 2 if len(picture.panels) <= 4 else 3)
    rows = [picture.panels[i:i + columns] for i in range(0, len(picture.panels), columns)]
    sizes = [panel_size(panel) for panel in picture.panels]
    column = max(w for w, _ in sizes)
    heights = [max(panel_size(panel)[1] for panel in row) for row in rows]
    width = max(columns * column, 8) + margin
    letters = int(14.2 * min(width - 2 * margin, 13))
    text = "\n".join(textwrap.fill(words, letters) for words in picture.caption if words)
    small = "\n".join(textwrap.fill(words, int(1.2 * letters)) for words in small_print)
    below = (text.count("\n") + 1) * line + small.count("\n") * 0.14 + 0.75
    height = 0.65 + sum(heights) + below
    figure = pyplot.figure(figsize=(width, height))
    top = height - 0.65
    for row, high in zip(rows, heights):
        for i, panel in enumerate(row):
            add_panel(figure, panel, margin / 2 + i * column, top)
        top -= high
    figure.text(margin / width, 1 - 0.2 / height, title, fontsize=15, weight="bold", va="top")
    figure.text(margin / width, (below - 0.1) / height, text, fontsize=9, va="top",
                linespacing=1.35)
    figure.text(margin / width, 0.2 / height, small, fontsize=7.5, color=PALE, va="bottom")
    return figure
