"""What becomes of those that wait when others compute."""

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

import drawing
from drawing import Nothing, Panel, Picture, joined

TITLE = "What becomes of who waits when others compute?"
PLACE = 6
QUERY = drawing.median_query("r.rate")
MOST_LINES = 14  # their names need room


def can_be_alone(rows):
    """By workload, those that were measured with no thread that computes, too."""
    groups = {}
    for row in rows:
        groups.setdefault(row["workload"], []).append(row)
    return {name: of for name, of in groups.items()
            if any(row["threads"] == 0 and row["middle"] for row in of)
            and any(row["threads"] for row in of)}


def styles_of(rows, run):
    """By mode: more than other plots can tell apart, so colours come again with another mark."""
    labels = list(dict.fromkeys(run.style(row).label for row in rows))
    unsafe = {run.style(row).label for row in rows if run.style(row).unsafe}
    return {label: drawing.Style(label.removesuffix(" (unsafe)"), *drawing.nth_look(i),
                                 label in unsafe)
            for i, label in enumerate(labels)}


def lines_of(rows, run, styles):
    """The best at the most threads first: it is drawn thickest, and named first."""
    lines = {}
    for row in rows:
        label = run.style(row).label
        line = lines.setdefault(label, drawing.Line(styles[label], []))
        line.points.append(drawing.Point(row["threads"], row["middle"], *run.interval(row, "rate")))
    for line in lines.values():
        line.points.sort(key=lambda p: p.threads)
    return sorted(lines.values(), key=lambda line: -line.points[-1].middle)[:MOST_LINES]


def draw_line(axes, line, floor):
    """What did nothing stands on the floor."""
    threads = [p.threads for p in line.points]
    heights = [max(p.middle, floor) for p in line.points]
    style = line.style
    axes.fill_between(threads, [max(p.low, floor) for p in line.points],
                      [max(p.high, floor) for p in line.points], color=style.colour, alpha=0.1, lw=0)
    axes.plot(threads, heights, color=style.colour, marker=style.marker, lw=1.3, ms=6,
              mfc=drawing.face(style), mew=1.3, zorder=3, clip_on=False)


def ends_of(lines, floor):
    """Where each line ends, and that it has come to nothing."""
    return [(line.style.label + (": 0" if not line.points[-1].middle else ""), line.style,
             line.points[-1].threads, max(line.points[-1].middle, floor)) for line in lines]


def panel(workload, rows, run, styles):
    lines = lines_of(rows, run, styles)
    threads = drawing.all_threads(lines)
    floor = min(p.middle for line in lines for p in line.points if p.middle) / 3
    highest = max(p.middle for line in lines for p in line.points)

    def draw(axes):
        drawing.thread_axis(axes, threads, run)
        axes.set_xlabel("threads that compute")
        axes.set_yscale("log")
        axes.set_ylim(floor, highest * 2)
        axes.yaxis.set_major_locator(LogLocator(10, numticks=9))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.7g}"))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        for line in lines:
            draw_line(axes, line, floor)
        drawing.draw_labels(axes, ends_of(lines, floor))

    return lines, Panel(
        workload, f"{rows[0]['unit']}s a second\neach step of the scale is ten times the one below",
        f"{rows[0]['unit']}s a second of {workload}, against threads that compute. "
        + drawing.line_words(lines, drawing.in_words), draw, left=0.9, height=3.4,
        right=drawing.names_width(lines))


def picture(rows, run):
    groups = can_be_alone(rows)
    if run.workloads:
        groups = {name: of for name, of in groups.items() if name in run.workloads}
    if not groups:
        raise Nothing("no workload was measured beside threads that compute, and without any")
    groups = dict(list(groups.items())[:drawing.MOST_PANELS])
    styles = styles_of([row for of in groups.values() for row in of], run)
    drawn = [panel(name, of, run, styles) for name, of in groups.items()]
    lines = [line for of, _ in drawn for line in of]
    return Picture([panel for _, panel in drawn], [
        "How to read it. At the left nobody else is there. Each step to the right adds threads that "
        "only compute, under the same lock. A line that falls steeply is the convoy effect: who "
        "comes back from a wait gets the lock only when those that compute let it in. A line that "
        "stays up is a lock that lets it in at once; what that costs those that compute is in the "
        "plot `frontier`. Without a lock a line may rise: a busy processor is sooner awake.",
        joined(["Points: the median of a cell's windows.", drawing.intervals(run),
                "On the floor: nothing was done, which has no place on this scale."
                if any(not row["middle"] for of in groups.values() for row in of) else "",
                drawing.unsafe_words(lines), *run.gaps(groups)])])
