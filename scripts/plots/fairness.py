"""How evenly the threads got on."""

import drawing
from drawing import KINDS, PALE, Nothing, Panel, Picture, joined

TITLE = "Does every thread get its share?"
PLACE = 5
# Of one worker, or one thread that carries many, there is nothing to say.
QUERY = drawing.median_query(
    "CASE WHEN (SELECT count(*) FROM samples s WHERE s.window = r.window AND s.role = 0) > 1 "
    "THEN r.fairness END", "rates r JOIN cells c USING (cell)")


def panel(workload, rows, run):
    lines = drawing.lines_of(rows, run, "fairness")
    threads = drawing.all_threads(lines)

    def draw(axes):
        drawing.thread_axis(axes, threads, run)
        drawing.height_axis(axes, 1.06, lambda value: f"{value:.1f}")
        drawing.draw_lines(axes, lines)
        axes.plot(threads, [1 / t for t in threads], color=PALE, lw=1.1, ls=(0, (4, 3)), zorder=2)
        drawing.draw_labels(axes, drawing.ends_of(lines) +
                            [("one did it all", None, threads[-1], 1 / threads[-1])])

    return lines, Panel(
        workload, f"{KINDS[rows[0]['kind']][0]}\nJain's index: 1 = every thread did as much",
        f"Fairness of {workload} against threads; 1 is even. "
        + drawing.line_words(lines, lambda value: f"{value:.2f}"),
        draw, right=max(1.55, drawing.names_width(lines)))


def picture(rows, run):
    if not rows:
        raise Nothing("no cell has several threads whose operations are counted")
    groups, left = drawing.chosen(rows, run)
    drawn = [panel(name, of, run) for name, of in groups.items()]
    lines = [line for of, _ in drawn for line in of]
    return Picture([panel for _, panel in drawn], [
        "How to read it. Jain's index over the operations of the threads: at 1 every thread did as "
        "much; at the dashed line one did it all and the others waited. A mode that is fast and "
        "unfair serves whoever happens to hold the lock.",
        joined(["Points: the median of a cell's windows.", drawing.intervals(run),
                drawing.unsafe_words(lines),
                *run.gaps(groups, lambda cell: cell["counted"] > 1), left,
                drawing.too_many_lines(groups, run)])])
