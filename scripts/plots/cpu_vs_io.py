"""Throughput against threads, work that computes beside work that waits."""

import textwrap

import drawing
from drawing import KINDS, Nothing, Panel, Picture, counted, in_words, joined

TITLE = "Do more threads get more done?"
PLACE = 1
# 1x is what nolock does with the fewest threads; without nolock, the first mode. Of other units
# than threads only where there is nothing else.
QUERY = f"""\
SELECT cell, workload, kind, unit, mode, heap, build, threads, safe, windows, middle AS rate,
       middle / one AS middle, low / one AS low, high / one AS high, one, measure
FROM (SELECT *, first_value(middle) OVER least_threads AS one,
             first_value(mode || coalesce(', ' || execution_unit || ' x' || units, ''))
                 OVER least_threads AS measure
      FROM (
{textwrap.indent(drawing.median_query("r.rate"), 8 * " ")})
      WINDOW least_threads AS (PARTITION BY workload
                               ORDER BY threads, units IS NOT NULL, mode <> 'nolock', cell))
ORDER BY cell"""


def choose(rows, run):
    """Unless told which: the first workload that computes and the first that waits."""
    kinds = {row["workload"]: row["kind"] for row in rows}
    if run.workloads:
        return [name for name in kinds if name in run.workloads]
    first = [next((n for n, k in kinds.items() if k == kind), None) for kind in ("cpu", "io")]
    return [name for name in first if name] or list(kinds)[:1]


def scaled(row, run):
    """The interval of the rate, in times of one."""
    low, high = run.interval({"cell": row["cell"], "low": row["low"] * row["one"],
                              "high": row["high"] * row["one"]}, "rate")
    return low / row["one"], high / row["one"]


def panel(workload, rows, run):
    if not rows[0]["one"]:
        raise Nothing(f"{workload}: what the others are measured by did nothing")
    lines = drawing.lines_of(rows, run, None)
    intervals = {(run.style(row).label, row["threads"]): scaled(row, run) for row in rows}
    for line in lines:
        for p in line.points:
            p.low, p.high = intervals[line.style.label, p.threads]
    threads = drawing.all_threads(lines)
    kind, doing = KINDS[rows[0]["kind"]]
    top = drawing.top_of(lines, rows[0]["kind"], threads, run)
    drawing.cut(lines, top)
    one = f"{counted(threads[0], 'thread')} of {rows[0]['measure']}"

    def draw(axes):
        drawing.thread_axis(axes, threads, run)
        ends = drawing.ends_of(lines)
        if run.has_ideal(rows[0]["kind"], threads):
            ends += drawing.draw_ideal(axes, rows[0]["kind"], threads, run.cores, top)
        drawing.height_axis(axes, top, lambda value: f"{value:g}×")
        drawing.draw_lines(axes, lines)
        drawing.mark_cut(axes, lines, top)
        drawing.draw_labels(axes, ends)

    return lines, Panel(
        f"{kind}: {workload}",
        f"{doing}\n1× = {one}: {in_words(rows[0]['one'])} {rows[0]['unit']}s/s",
        f"Throughput of {workload} against threads, in times of {one}. "
        + drawing.line_words(lines, drawing.times), draw, right=drawing.names_width(lines))


def picture(rows, run):
    names = choose(rows, run)[:drawing.MOST_PANELS]
    if not names:
        raise Nothing("none of the workloads was measured")
    groups = {name: [row for row in rows if row["workload"] == name] for name in names}
    drawn = [panel(name, of, run) for name, of in groups.items()]
    kinds = {of[0]["kind"] for of in groups.values()}
    lines = [line for of, _ in drawn for line in of]
    return Picture([panel for _, panel in drawn], [
        joined(["How to read it. Each line is one way to let threads share counted objects; up is "
                "more work done in the same time. A line along the dashed one gains a full share "
                "from every thread; a flat line means that the threads take turns, however many "
                "there are. Where a line begins is what its safety costs a single thread.",
                "Computing needs a core, so there the ideal ends at the number of cores."
                if "cpu" in kinds and not run.simulated else "",
                "Waiting needs none." if "io" in kinds else ""]),
        joined(["Points: the median of a cell's windows.", drawing.intervals(run),
                drawing.cut_words(lines), drawing.no_ideal(run),
                drawing.unsafe_words(lines), *run.gaps(groups),
                drawing.too_many_lines(groups, run)])])
