"""What safety costs a thread that has no use for it."""

from matplotlib.ticker import FuncFormatter, MaxNLocator

import drawing
from drawing import INK, KINDS, PALE, Nothing, Panel, Picture, joined

TITLE = "What does safety cost one thread?"
PLACE = 3
QUERY = drawing.ratio_query("'nolock'", "AND c.threads = c.base")


def draw_bars(axes, lines):
    """From the top: a bar for each mode, its interval, and its length in figures."""
    for i, line in enumerate(lines):
        p, style = line.points[0], line.style
        # The fill is pale, or the part of the interval that lies on it could not be seen.
        axes.barh(i, p.middle, height=0.6, color=style.colour, lw=0,
                  alpha=0 if style.unsafe else 0.45)
        axes.barh(i, p.middle, height=0.6, color="none", edgecolor=style.colour, lw=1.6,
                  hatch="////" if style.unsafe else None)
        if p.cut:
            axes.plot([0.99 * axes.get_xlim()[1]], [i], ">", color=INK, ms=5)
        if p.low < p.high:
            axes.plot([p.low, p.high], [i, i], color=INK, marker="|", ms=8, mew=1.3, lw=1.3)
        axes.text(1.02, i, drawing.times(p.middle), va="center", fontsize=9.5, weight="bold",
                  transform=axes.get_yaxis_transform())
        if p.low < p.high:
            axes.text(1.23, i, f"{p.low:.2f} .. {p.high:.2f}", va="center", fontsize=8.5,
                      color=PALE, transform=axes.get_yaxis_transform())
    axes.set_yticks(range(len(lines)), [line.style.label for line in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)


def panel(workload, rows, run, most):
    lines = drawing.lines_of(rows, run, "of_nolock")
    drawing.cut(lines, most)

    def draw(axes):
        axes.set_xlim(0, most)
        draw_bars(axes, lines)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        axes.axvline(1, color=PALE, lw=1.1, ls=(0, (4, 3)), zorder=5)
        axes.set_xlabel("times nolock")
        drawing.bare(axes, "x")
        axes.tick_params(axis="y", length=0)

    base = "nolock " + drawing.beside(rows[0]["threads"])
    return lines, Panel(
        workload, f"{KINDS[rows[0]['kind']][0]}\n1× = {base}",
        f"Speed of {workload}, in times of {base}. "
        + "; ".join(f"{line.style.label}: {drawing.times(line.points[0].middle)}"
                    for line in lines),
        draw, height=0.25 + 0.36 * len(lines), left=drawing.names_width(lines),
        right=1.45, width=2.6)


def picture(rows, run):
    if not rows:
        raise Nothing("nolock, with which the others are compared, was not measured")
    groups, left = drawing.chosen(rows, run)
    rows = [row for of in groups.values() for row in of]
    longest = max(1, *(row["middle"] for row in rows))
    most = 1.04 * max(longest, min(1.6 * longest,
                                   max(run.interval(row, "of_nolock")[1] for row in rows)))
    drawn = [panel(name, of, run, most) for name, of in groups.items()]
    lines = [line for of, _ in drawn for line in of]
    return Picture([panel for _, panel in drawn], [
        "How to read it. A bar is what a program that needs no safety keeps of its speed when a "
        "mode makes it safe: at the dashed line all of it, at half the way half. An interval that "
        "crosses the line is no difference. Work that waits pays little, for it counts little.",
        joined(["Bars: the median over the blocks of the ratio within a block.",
                drawing.intervals(run), drawing.cut_words(lines),
                drawing.unsafe_words(lines, "Hatched bars"),
                *run.gaps(groups, lambda cell: cell["threads"] == cell["base"]), left])])
