"""How much memory a cell's process had at its most."""

import drawing
from drawing import KINDS, Nothing, Panel, Picture, joined

TITLE = "How much memory does it take?"
PLACE = 8
QUERY = drawing.median_query("r.max_rss_bytes / 1048576.0")


def panel(workload, rows, run):
    lines = drawing.lines_of(rows, run, None)
    threads = drawing.all_threads(lines)

    def draw(axes):
        drawing.thread_axis(axes, threads, run)
        drawing.height_axis(axes, 1.08 * max(p.high for line in lines for p in line.points),
                            lambda value: f"{value:g}")
        axes.set_ylabel("MiB")
        drawing.draw_lines(axes, lines)
        drawing.draw_labels(axes, drawing.ends_of(lines))

    return lines, Panel(
        workload, f"{KINDS[rows[0]['kind']][0]}\nmost memory that the process had, in MiB",
        f"Peak memory of {workload} against threads, in MiB. "
        + drawing.line_words(lines, lambda value: f"{value:.1f}"),
        draw, right=drawing.names_width(lines), left=drawing.AXIS + 0.1)


def picture(rows, run):
    if not rows:
        raise Nothing("no window of this file has measured memory")
    groups, left = drawing.chosen(rows, run)
    drawn = [panel(name, of, run) for name, of in groups.items()]
    lines = [line for of, _ in drawn for line in of]
    return Picture([panel for _, panel in drawn], [
        "How to read it. Down is better. The peak of resident memory of a cell's whole process: "
        "the program, its libraries and stacks, and the objects. So look at differences, and at "
        "how it grows with the threads. An unsafe mode keeps what it would free too early, and "
        "looks larger than it is.",
        joined(["Points: the median of a cell's windows. Shades: from the lowest window to the "
                "highest.", drawing.unsafe_words(lines), *run.gaps(groups), left,
                drawing.too_many_lines(groups, run)])])
