"""How long one operation takes: the quantiles that each worker recorded."""

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

import drawing
from drawing import KINDS, PALE, Nothing, Panel, Picture, Point, joined

TITLE = "How long does one operation take?"
PLACE = 4
# A worker records four quantiles of each window. Of each, over all workers and windows of
# the cell: the lowest, the median, the highest.
QUERY = """\
WITH known AS (
    SELECT w.cell, s.p50_ns, s.p90_ns, s.p99_ns, s.max_ns
    FROM cells c JOIN windows w USING (cell) JOIN samples s USING (window)
    WHERE c.run = {run} AND NOT c.control AND w.kind = 'timed' AND s.role = 0
      AND w.status IN ('ok', 'early') AND s.p50_ns IS NOT NULL),
counts AS (SELECT cell, count(*) AS samples FROM known GROUP BY cell),
placed AS (
    SELECT cell, quantile, ns,
           row_number() OVER (PARTITION BY cell, quantile ORDER BY ns) AS place
    FROM (SELECT cell, quantile, CASE quantile WHEN 50 THEN p50_ns WHEN 90 THEN p90_ns
                                 WHEN 99 THEN p99_ns ELSE max_ns END AS ns
          FROM known, (SELECT 50 AS quantile UNION ALL VALUES (90), (99), (100))))
SELECT c.cell, c.workload, c.mode, c.threads, c.kind, c.unit, p.quantile, n.samples,
       avg(p.ns) FILTER (WHERE p.place IN ((n.samples + 1) / 2, (n.samples + 2) / 2)) AS middle,
       min(p.ns) AS low, max(p.ns) AS high
FROM placed p JOIN counts n USING (cell) JOIN cells c USING (cell)
WHERE p.place IN (1, (n.samples + 1) / 2, (n.samples + 2) / 2, n.samples)
GROUP BY c.cell, p.quantile ORDER BY c.number, p.quantile"""
QUANTILES = {  # its mark, the mark's size, how far below the row's middle it stands
    50: ("o", 6, -0.3), 90: ("|", 8, -0.1), 99: ("D", 4.8, 0.1), 100: ("x", 5, 0.3)}
COUNTS = 3  # of threads, at most, in a panel


def some_counts(threads, cores):
    """The fewest, the most that have a core each, the most."""
    within = [t for t in threads if t <= cores] or threads
    return sorted({threads[0], within[-1], threads[-1]})[:COUNTS]


def draw_row(axes, y, quantiles, style):
    """A stair from the median down to the worst; each with how workers and windows differ."""
    axes.plot([quantiles[name].middle for name in QUANTILES],
              [y + below for *_, below in QUANTILES.values()], color=style.colour, lw=0.7, zorder=2)
    for name, (marker, size, below) in QUANTILES.items():
        p = quantiles[name]
        axes.plot([p.low, p.high], [y + below] * 2, color=style.colour, alpha=0.35, lw=3,
                  solid_capstyle="butt", zorder=1)
        axes.plot([p.middle], [y + below], marker, ms=size, mew=1.5, color=style.colour,
                  mfc=style.colour if marker in "|x" else drawing.face(style), zorder=3)


def rows_of(rows, run):
    """By threads and line, from the top: what each quantile came to."""
    counts = some_counts(sorted({row["threads"] for row in rows}), run.cores)
    found = {}
    for row in rows:
        if row["threads"] in counts:
            key = row["threads"], run.style(row).label
            style, quantiles = found.setdefault(key, (run.style(row), {}))
            quantiles[row["quantile"]] = Point(row["threads"], row["middle"], row["low"],
                                               row["high"])
    return dict(sorted(found.items(), key=lambda item: item[0][0]))


def time_axis(axes):
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, numticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: drawing.duration(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("time of one operation")
    drawing.bare(axes, "x")
    axes.tick_params(axis="y", length=0)
    low, high = axes.get_xlim()
    if high < 30 * low:  # a decade at least must be labelled
        axes.set_xlim(low / 3, high * 3)


def panel(workload, rows, run):
    found = rows_of(rows, run)

    def draw(axes):
        levels, y, last = [], -1, None
        for threads, label in found:
            y += 1 if last == threads else 2
            if last != threads:
                axes.text(-0.02, y - 0.8, drawing.beside(threads), ha="right", color=PALE,
                          fontsize=8.5, va="center", transform=axes.get_yaxis_transform())
            style, quantiles = found[threads, label]
            draw_row(axes, y, quantiles, style)
            levels.append(y)
            last = threads
        axes.set_yticks(levels, [label for _, label in found])
        axes.set_ylim(levels[-1] + 0.6, -0.1)
        time_axis(axes)

    labels = [style for style, _ in found.values()]
    return Panel(
        workload, f"{KINDS[rows[0]['kind']][0]}, one {rows[0]['unit']}\n"
        "● half take at most this  ·  | 90 %  ·  ◆ 99 %  ·  × the worst",
        f"Latency of {workload}. " + "; ".join(
            f"{label} {drawing.beside(threads)}: "
            + ", ".join(f"{name} % within {drawing.duration(quantiles[name].middle)}"
                        for name in QUANTILES)
            for (threads, label), (_, quantiles) in found.items()),
        draw, height=0.5 + 0.42 * len(found), width=3.4,
        left=0.3 + 0.085 * max(len(style.label) for style in labels))


def picture(rows, run):
    if not rows:
        raise Nothing("no window of this run has recorded latencies")
    groups, left = drawing.chosen(rows, run)
    counts = {t for of in groups.values() for t in {row["threads"] for row in of}}
    return Picture([panel(name, of, run) for name, of in groups.items()], [
        "How to read it. To the right is slower, and each step of the scale is ten times the one "
        "before. Known is what every worker recorded of each of its windows: the time that half of "
        "its operations took at most, nine in ten, 99 in 100, and the worst. A mark is the median "
        "of these over workers and windows, the pale line behind it goes from the lowest to the "
        "highest. What lies between the marks nobody recorded; the thin line only leads the eye.",
        joined(["Hollow marks: unsafe.",
                "Of each workload the fewest threads, the most that have a core each, and the most."
                if len(counts) > COUNTS else "",
                *run.gaps(groups), left])])
