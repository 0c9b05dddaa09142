"""Speed-up over a mode's own single thread, with the law that was fitted to it."""

import drawing
from drawing import KINDS, ZONE, Panel, Picture, joined

TITLE = "How does each workload scale?"
PLACE = 2
# What a law was fitted for.
DIALS = ("workload", "mode", "heap", "build", "execution_unit", "units")
QUERY = drawing.ratio_query("c.mode", "AND b.gil = c.gil")


class Curve:
    """The fitted law, in times of what it says of one thread."""

    def __init__(self, fit):
        one = fit["curve"][0]["median"]
        self.points = [(p["threads"], p["low"] / one, p["median"] / one, p["high"] / one,
                        p["extrapolated"]) for p in fit["curve"]]

    def part(self, extrapolated):
        """Where it was fitted, or beyond; the two meet in the last point within."""
        within = [p for p in self.points if not p[4]]
        return within[-1:] + [p for p in self.points if p[4]] if extrapolated else within


def fits_of(run):
    """By its dials: what was fitted, and for whom it was refused."""
    fits = run.judged["scaling"] if run.judged else []
    return {tuple(fit[k] for k in DIALS): fit for fit in fits}


def draw_curve(axes, curve, style, most):
    for extrapolated in (False, True):
        part = [p for p in curve.part(extrapolated) if p[0] <= most]
        if len(part) < 2:
            continue
        threads = [p[0] for p in part]
        axes.fill_between(threads, [p[1] for p in part], [p[3] for p in part], color=style.colour,
                          alpha=0.16, lw=0)
        axes.plot(threads, [p[2] for p in part], color=style.colour, lw=1.6, zorder=3,
                  ls=(0, (4, 2.5)) if extrapolated else "-")


def draw_points(axes, line, cores, depth, join):
    """Within the cores large marks, beyond them small ones; joined, if no curve does it."""
    style, points = line.style, line.points
    within = [p for p in points if p.threads <= cores]
    beyond = [p for p in points if p.threads > cores]
    for part, size in ((within, max(5, 8 - depth)), (beyond, 4)):
        threads = [p.threads for p in part]
        axes.vlines(threads, [p.low for p in part], [p.high for p in part], color=style.colour,
                    lw=1, zorder=3)
        axes.plot(threads, [p.middle for p in part], style.marker, color=style.colour,
                  mfc=drawing.face(style), ms=size, mew=1.3, zorder=4 + depth)
    if join:
        axes.plot([p.threads for p in within], [p.middle for p in within], color=style.colour,
                  lw=1.6, zorder=3)
    if beyond:
        joined_to = within[-1:] + beyond
        axes.plot([p.threads for p in joined_to], [p.middle for p in joined_to],
                  color=style.colour, lw=1, ls=":", zorder=3)


def panel(workload, rows, run):
    lines = drawing.lines_of(rows, run, "speedup")
    fits = fits_of(run)
    keys = {run.style(row).label: tuple(row[k] for k in DIALS) for row in rows}
    curves = {line.style.label: Curve(fits[keys[line.style.label]]) for line in lines
              if fits.get(keys[line.style.label], {}).get("curve")}
    threads = drawing.all_threads(lines)
    most = max(threads[-1], 2 * run.cores if curves else 0)
    kind = rows[0]["kind"]
    span = sorted({threads[0], most})
    top = drawing.top_of(lines, kind, span, run)
    farthest = max((p[3] for c in curves.values() for p in c.points if p[0] <= most), default=0)
    top = max(top, min(1.05 * farthest, 2 * top))
    drawing.cut(lines, top)

    def draw(axes):
        drawing.thread_axis(axes, threads, run, most)
        if most > run.cores:
            axes.axvspan(run.cores, axes.get_xlim()[1], color=ZONE, zorder=0, lw=0)
        ends = drawing.ends_of(lines)
        if run.has_ideal(kind, span):
            ends += drawing.draw_ideal(axes, kind, span, run.cores, top)
        drawing.height_axis(axes, top, lambda value: f"{value:g}×")
        for depth, line in enumerate(lines):
            curve = curves.get(line.style.label)
            draw_points(axes, line, run.cores, depth, not curve)
            if curve:
                draw_curve(axes, curve, line.style, most)
        drawing.mark_cut(axes, lines, top)
        drawing.draw_labels(axes, ends)

    base = "the same mode " + drawing.beside(run.cells[rows[0]["cell"]]["base"])
    return lines, curves, Panel(
        workload, f"{KINDS[kind][0]}\n1× = {base}",
        f"Speed-up of {workload} against threads, in times of {base}. "
        + drawing.line_words(lines, drawing.times),
        draw, right=drawing.names_width(lines))


def refusals(run, groups):
    """Which lines have no curve, and why."""
    why = {}
    for (workload, *_), fit in fits_of(run).items():
        if workload in groups and fit["refusal"]:
            why.setdefault(fit["refusal"], {})[drawing.short(workload)] = None
    return " ".join(f"No curve for {', '.join(names)}: {reason}." for reason, names in why.items())


def picture(rows, run):
    several = {row["workload"] for row in rows if row["threads"] != run.cells[row["cell"]]["base"]}
    groups, left = drawing.chosen([row for row in rows if row["workload"] in several], run)
    drawn = [panel(name, of, run) for name, of in groups.items()]
    lines = [line for of, _, _ in drawn for line in of]
    curves = any(curves for _, curves, _ in drawn)
    return Picture([panel for _, _, panel in drawn], [
        "How to read it. Up is more work than the same mode does with one thread. The dashed grey "
        "line is the linear ideal: every thread adds as much as the first, for work that computes "
        "as long as there are cores. What bends away from it waits for others, and what falls "
        "again pays for talking to them. The tinted ground on the right is more threads than "
        "cores: those points are small, joined by dots, and part of no fit.",
        joined(["Curves: the Universal Scalability Law, solid where it was fitted, dashed beyond: "
                "what as many cores would give, each with the band in which it lies."
                if curves else "",
                drawing.no_ideal(run), refusals(run, groups) if run.judged else
                "No curves: the lab was not asked for its fits (--lab).",
                "Points: the median over the blocks of the ratio within a block.",
                drawing.intervals(run), drawing.cut_words(lines),
                drawing.unsafe_words(lines), *run.gaps(groups), left,
                drawing.too_many_lines(groups, run)])])
