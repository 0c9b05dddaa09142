"""What a lock leaves those that compute, against what it does for those that wait."""

import os

from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator, NullFormatter, NullLocator

import drawing
from drawing import INK, PALE, Nothing, Panel, Picture, joined

TITLE = "Can those that wait be served, and those that compute go on?"
PLACE = 7
SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab", "frontier.sql")
with open(SQL, encoding="utf-8") as file:
    QUERY = file.read().replace(":run", "{run}")
MOST_LOCKS = 16
# In a panel's upper right corner all is well, so a time grows downwards.
AXES = {"rate": ("round trips a second", lambda value: f"{value:,.0f}", 1),
        "p99_ns": ("99 % take at most", drawing.duration, -1)}


def lock_of(row):
    return row["gil"].split(":")[0]


def parameters(row):
    """'interval:interval_us=10' -> 'interval_us=10'"""
    return row["gil"].partition(":")[2].replace(":", " ")


def is_free(row):
    """Nothing is locked: no lock's point."""
    return lock_of(row) == "none"


def places(rows, what):
    """The rows that have both figures."""
    return [row for row in rows if row["share"] and row[what]]


def ranges(row, what):
    """Of both figures, the more the better: the least window, the median, the most."""
    y = sorted(AXES[what][2] * row[name] for name in (f"{what}_low", what, f"{what}_high"))
    return (row["share_low"], row["share"], row["share_high"]), tuple(y)


def goes_before(one, other, what):
    """Better in one figure in all of its windows, and in the other not behind by more than the
    windows differ anyway."""
    pairs = list(zip(ranges(one, what), ranges(other, what)))
    return any(a[0] > b[2] for a, b in pairs) and all(a[1] >= b[0] for a, b in pairs)


def front(rows, what):
    """Those that no other lock goes before."""
    rows = [row for row in places(rows, what) if not is_free(row)]
    return [row for row in rows if not any(goes_before(other, row, what) for other in rows)]


def styles_of(rows):
    """By lock."""
    locks = sorted({lock_of(row) for row in rows})[:MOST_LOCKS]
    return {lock: drawing.Style(lock, *drawing.nth_look(i), lock == "none")
            for i, lock in enumerate(locks)}


def draw_lock(axes, rows, style, what, on_front):
    rows = sorted(rows, key=lambda row: row["share"])
    xs, ys = [row["share"] for row in rows], [row[what] for row in rows]
    axes.plot(xs, ys, color=style.colour, lw=0.8, alpha=0.6, zorder=2)
    for row, x, y in zip(rows, xs, ys):
        axes.plot([row["share_low"], row["share_high"]], [y, y], color=style.colour, alpha=0.3, lw=3,
                  solid_capstyle="butt", zorder=1)
        axes.plot([x, x], [max(row[f"{what}_low"], y / 100), row[f"{what}_high"]],
                  color=style.colour, alpha=0.3, lw=3, solid_capstyle="butt", zorder=1)
    axes.plot(xs, ys, style.marker, ls="", color=style.colour, mfc=drawing.face(style), ms=6.5,
              mew=1.4, zorder=3)
    ringed = [row for row in rows if row in on_front]
    axes.plot([row["share"] for row in ringed], [row[what] for row in ringed], "o", ls="",
              color=INK, mfc="none", ms=12, mew=1, zorder=4)


def scale(axes, values, what):
    label, form, good = AXES[what]
    axes.set_yscale("log")
    low, high = min(values), max(values)
    low, high = (low / 2, high * 2) if high < 20 * low else (low / 1.6, high * 1.6)
    axes.set_ylim((low, high) if good > 0 else (high, low))
    axes.yaxis.set_major_locator(LogLocator(10, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def draw_names(axes, locks):
    """A list of the locks, right of the panel: their points lie where they lie."""
    for i, style in enumerate(locks):
        y = 0.98 - 0.062 * i
        axes.plot([1.06], [y], style.marker, color=style.colour, mfc=drawing.face(style), ms=6,
                  mew=1.4, clip_on=False, transform=axes.transAxes)
        axes.text(1.1, y, style.label, va="center", transform=axes.transAxes, fontsize=9.5)


def words_of(rows, what):
    label, form, _ = AXES[what]
    return "; ".join(f"{row['gil']}: {100 * row['share']:.0f} % kept, {label} {form(row[what])}"
                     for row in places(rows, what))


def panel(rows, what, spinners, styles, most):
    drawn = places(rows, what)
    on_front = front(rows, what)

    def draw(axes):
        for lock, style in styles.items():
            of = [row for row in drawn if lock_of(row) == lock]
            if of:
                draw_lock(axes, of, style, what, on_front)
        scale(axes, [row[what] for row in drawn], what)
        axes.set_xlim(0, most)
        axes.axvline(1, color=PALE, lw=1.1, ls=(0, (4, 3)), zorder=1)
        axes.xaxis.set_major_locator(MultipleLocator(0.25))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        axes.set_xlabel("of what the spinners can do")
        drawing.bare(axes, "y")
        draw_names(axes, styles.values())

    return Panel(f"{AXES[what][0]}, {drawing.counted(spinners, 'spinner')}",
                 f"{drawing.short(rows[0]['workload'], 30)}\nup and to the right is better",
                 f"{AXES[what][0]} against background throughput kept, beside "
                 f"{drawing.counted(spinners, 'spinner')}. {words_of(rows, what)}",
                 draw, left=0.95, right=1.6)


def unserved(rows):
    """Those that have no place on a scale of powers."""
    names = list(dict.fromkeys(f"{row['gil']} with {row['threads']}" for row in rows
                               if row["share"] and not row["rate"]))
    return f"No place on the scale, for nothing was served: {', '.join(names)}." if names else ""


def front_words(rows, spinners):
    """Who is not dominated, in words: what a lock has to say for itself."""
    said = []
    for what, (label, form, _) in AXES.items():
        names = [f"{row['gil']} ({100 * row['share']:.0f} %, {form(row[what])})"
                 for row in sorted(front(rows, what), key=lambda row: row["share"])]
        if names:
            said.append(f"by {label}: {', '.join(names)}")
    return f"Ringed with {drawing.counted(spinners, 'spinner')}, {'; '.join(said)}." if said else ""


def chosen(rows, run):
    """One workload: the first in which others wait, or the one that was asked for."""
    names = list(dict.fromkeys(row["workload"] for row in rows if row["share"] and row["threads"]))
    if run.workloads:
        names = [name for name in names if name in run.workloads]
    if not names:
        raise Nothing("it needs a workload with spinners, such as echo_open, and countdown under the "
                      "same locks, which says what they can do alone")
    return [row for row in rows if row["workload"] == names[0] and row["threads"]]


def picture(rows, run):
    rows = chosen(rows, run)
    styles = styles_of(rows)
    most = 1.04 * max(1, *(row["share"] or 0 for row in rows))
    counts = sorted({row["threads"] for row in rows})[:drawing.MOST_PANELS // len(AXES)]
    groups = {count: [row for row in rows if row["threads"] == count] for count in counts}
    return Picture([panel(of, what, count, styles, most)
                    for count, of in groups.items() for what in AXES if places(of, what)], [
        "How to read it. A point is a lock with one setting of its parameters; a thin line joins "
        "the settings of one lock. To the right, threads that compute get more done: 100 % is the "
        "most that so many of them do under any lock where nobody waits. Upwards, the one that waits "
        "is served more often, or sooner. A lock that is good at one and bad at the other lies at "
        "an edge; the upper right corner has both.",
        joined(["Points: medians of windows. A latency is of what was served: where next to nothing "
                "is, it says how long a lucky one waited.",
                "Hollow marks: nothing is locked, and nothing is safe; they show what the machine "
                "could do." if any(map(is_free, rows)) else "",
                "The pale cross behind a point goes from the least to the most of its windows.",
                "Rings: no other lock is better in one, in all of its windows, and in the other "
                "behind by no more than windows differ anyway.", unserved(rows)]),
        *(front_words(of, count) for count, of in groups.items()),
        joined(run.gaps({rows[0]["workload"]}))], columns=len(AXES))
