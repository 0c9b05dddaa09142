"""What one operation takes, workload beside workload."""

import drawing
from drawing import Nothing, Panel, Picture, joined
from plots.latency import time_axis

TITLE = "What does one operation take?"
PLACE = 4
# Of one worker, with as few threads as there are.
QUERY = drawing.median_query("CASE WHEN c.threads = c.base THEN 1e9 * nullif(c.counted, 0) / r.rate END",
                             "rates r JOIN cells c USING (cell)")


def rows_of(rows, run):
    """By mode, in their order."""
    found = {}
    for row in rows:
        style = run.style(row)
        found.setdefault(style.label, (style, []))[1].append(row)
    return found


def draw_row(axes, y, row, style):
    axes.plot([row["low"], row["high"]], [y, y], color=style.colour, lw=5, alpha=0.3,
              solid_capstyle="butt")
    axes.plot([row["middle"]], [y], style.marker, color=style.colour, mew=1.6,
              mfc=drawing.face(style))
    axes.text(1.03, y, drawing.duration(row["middle"]), va="center", fontsize=9.5, weight="bold",
              transform=axes.get_yaxis_transform())


def panel(style, rows):
    names = [drawing.short(row["workload"], 24) for row in rows]

    def draw(axes):
        for y, row in enumerate(rows):
            draw_row(axes, y, row, style)
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        time_axis(axes)

    return Panel(
        style.label, "of one worker, with the fewest threads",
        f"Time of one operation under {style.label}. "
        + "; ".join(f"{row['workload']}: {drawing.duration(row['middle'])}" for row in rows),
        draw, height=0.25 + 0.36 * len(rows), left=0.2 + 0.09 * max(map(len, names)), right=0.8)


def picture(rows, run):
    if not rows:
        raise Nothing("no cell's operations are counted, or a CSV does not say of how many workers")
    groups, left = drawing.chosen(rows, run)
    found = rows_of([row for of in groups.values() for row in of], run)
    drawn = list(found.values())[:drawing.MOST_PANELS]
    return Picture([panel(style, of) for style, of in drawn], [
        "How to read it. To the left is better. What an operation is differs from workload to "
        "workload, and lab list says it: compare those that do the same in several ways. The "
        "scale is logarithmic.",
        joined(["Points: the median of a cell's windows. Shades: from the lowest window to the "
                "highest.", drawing.unsafe_words([drawing.Line(style, []) for style, _ in drawn]),
                *run.gaps(groups, lambda cell: cell["threads"] == cell["base"]), left])])
