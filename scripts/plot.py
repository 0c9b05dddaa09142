#!/usr/bin/python3
"""Draws the answer: throughput against threads, CPU-bound beside I/O-bound work.

    plot.py results.csv -o picture.png [--workloads fib,echo]

A panel for each workload, a line for each mode. All heights are multiples of what one
thread of `nolock` does, so that both the price of a mode (where its line begins) and its
gain (how it rises) can be read off. The ending of the output's name, .png or .svg,
chooses the form.
"""

import argparse
import difflib
import os
import platform
import re
import statistics
import sys
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot

import results

# M. Okabe and K. Ito, Color Universal Design, 2008: told apart by colour-blind eyes too.
COLOURS = "#0072B2 #D55E00 #009E73 #CC79A7 #000000 #E69F00 #56B4E9 #8C6D1F".split()
MARKERS = "osD^vPX*"
INK, PALE = "#222222", "#767676"
# A panel, the names right of it, its axis left of it; its plot, the words above and below.
PANEL, NAMES, AXIS = 3.7, 1.5, 0.7
PLOT, HEAD, FOOT = 3.3, 1.0, 0.6
TITLE, LINE, MARGIN = 0.5, 0.175, 0.3
KINDS = {"cpu": ("CPU-bound", "always computing"),
         "io": ("I/O-bound", "mostly waiting"),
         "mixed": ("Mixed", "computing and waiting")}


class UserError(Exception):
    """One line that names what was wrong."""


def base_name(workload):
    return workload.split(":")[0]


def choose(wanted, windows):
    """The workloads to draw: those wanted, or the first cpu and the first io one."""
    kinds = {w.workload: w.kind for w in windows}
    if not wanted:
        first = [next((w for w, k in kinds.items() if k == kind), None) for kind in ("cpu", "io")]
        return [w for w in first if w] or list(kinds)[:1]
    chosen = []
    for name in wanted.split(","):
        found = [w for w in kinds if w == name] or [w for w in kinds if base_name(w) == name]
        if not found:
            near = difflib.get_close_matches(name, kinds, 1, 0.4) or [", ".join(kinds)]
            raise UserError(f"no workload '{name}' has data in this file; try {near[0]}")
        chosen += [w for w in found if w not in chosen]
    return chosen


def line_names(windows):
    """By (mode, gil, heap): a mode's name, and which lock and heap where it has several."""
    keys = list(dict.fromkeys((w.mode, w.gil, w.heap) for w in windows))
    names = {}
    for key in keys:
        same = [other for other in keys if other[0] == key[0]]
        several = [key[i] for i in (1, 2) if len({other[i] for other in same}) > 1]
        names[key] = ", ".join([key[0]] + several)
    unsafe = {w.mode for w in windows if not w.safe}
    return {key: name + (" (unsafe)" if key[0] in unsafe else "") for key, name in names.items()}


def rates_of(windows, workload, names):
    """By line name, then by threads: the rate of each round."""
    lines = {}
    for w in windows:
        if w.workload == workload and w.has_data:
            line = lines.setdefault(names[w.mode, w.gil, w.heap], {})
            line.setdefault(w.threads, []).append(w.rate)
    return lines


def baseline(lines):
    """What is called 1x: its line, its threads, its rate. `nolock` if it can be."""
    fewest = min(threads for line in lines.values() for threads in line)
    there = {n: statistics.median(line[fewest]) for n, line in lines.items() if fewest in line}
    name = next((n for n in there if n.startswith("nolock")), next(iter(there)))
    if not there[name]:
        raise UserError(f"{name} did nothing in the window that the others are measured by")
    return name, fewest, there[name]


def in_words(rate):
    """25600000 -> '25.6 million'"""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if rate >= size:
            return f"{rate / size:.3g}{word}"
    return f"{rate:.3g}"


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


def draw_lines(axes, lines, one, styles):
    """The lines, the thickest first, so that those that coincide can all be seen."""
    ends = []
    for depth, (name, line) in enumerate(lines.items()):
        colour, marker = styles[name]
        threads = sorted(line)
        middle = [statistics.median(line[t]) / one for t in threads]
        unsafe = name.endswith("(unsafe)")
        thick = max(1.3, 3.4 - 0.7 * depth)
        axes.fill_between(threads, [min(line[t]) / one for t in threads],
                          [max(line[t]) / one for t in threads], color=colour, alpha=0.18, lw=0)
        axes.plot(threads, middle, color=colour, marker=marker, lw=thick, zorder=3 + depth,
                  ms=max(4.5, 8.5 - depth), mfc="white" if unsafe else colour, mew=1.4)
        ends.append((name, colour, threads[-1], middle[-1]))
    return ends


def draw_ideal(axes, kind, threads, cores, top):
    """Each thread adds as much as the first: while there are cores, if it needs a core."""
    fewest, most = threads[0], threads[-1]
    limit = max(fewest, most if kind == "io" else min(cores, most))
    axes.plot([fewest, limit, most], [1, limit / fewest, limit / fewest], color=PALE, lw=1.1,
              ls=(0, (4, 3)), zorder=2)
    if limit / fewest <= top:
        return [("ideal", PALE, most, limit / fewest)]
    axes.text(top * fewest, 0.985 * top, "ideal    ", color=PALE, fontsize=9.5,
              ha="right", va="top")
    return []


def draw_labels(axes, ends, most):
    """Each name at the end of its line, in its colour, with a thread to it."""
    top = axes.get_ylim()[1]
    heights = spread([y / top for _, _, _, y in ends], 0.062)
    for (name, colour, x, y), height in zip(ends, heights):
        left, right = axes.get_xlim()
        start = (x - left) / (right - left)
        axes.plot([start + 0.012, 1.0, 1.03], [y / top, y / top if x == most else height, height],
                  color=colour, lw=0.6, ls="-" if x == most else ":", zorder=1, clip_on=False,
                  transform=axes.transAxes)
        axes.text(1.04, height, name, color=colour, va="center", transform=axes.transAxes,
                  fontsize=9.5, weight="normal" if colour == PALE else "bold")


def draw_axes(axes, threads, cores):
    span = threads[-1] - threads[0] or 1
    ticks = []
    for t in reversed(threads):
        if not ticks or ticks[-1] - t >= 0.045 * span:
            ticks.append(t)
    axes.set_xticks(ticks)
    axes.set_xlim(threads[0] - 0.05 * span, threads[-1] + 0.05 * span)
    axes.set_xlabel("threads", color=INK)
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.grid(axis="y", color="#e6e6e6", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, length=3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if threads[0] <= cores <= threads[-1]:
        axes.axvline(cores, color=PALE, lw=0.8, zorder=1)
        axes.text(cores, 1.012, f"{cores} core{'s' * (cores > 1)}", color=PALE, fontsize=8.5,
                  ha="center", transform=axes.get_xaxis_transform())


def draw_panel(axes, workload, windows, lines, styles):
    name, fewest, one = baseline(lines)
    about = next(w for w in windows if w.workload == workload)
    threads = sorted({t for line in lines.values() for t in line})
    kind, doing = KINDS.get(about.kind, (about.kind, ""))
    ends = draw_lines(axes, lines, one, styles)
    highest = max(max(rates) for line in lines.values() for rates in line.values()) / one
    draw_axes(axes, threads, about.cores)
    axes.set_ylim(0, 1.08 * highest)
    if about.kind != "mixed" and fewest > 0 and len(threads) > 1:
        # Room for the ideal, unless it would press the lines to the floor.
        ideal = (threads[-1] if about.kind == "io" else min(about.cores, threads[-1])) / fewest
        top = 1.08 * max(highest, min(ideal, 2.5 * highest))
        axes.set_ylim(0, top)
        ends += draw_ideal(axes, about.kind, threads, about.cores, top)
    draw_labels(axes, ends, threads[-1])
    axes.set_title(f"{kind}: {workload}", loc="left", pad=38, color=INK, fontsize=12, weight="bold")
    who = f"{fewest} thread{'s' * (fewest != 1)} of {name.replace(' (unsafe)', '')}"
    axes.text(0, 1.065, f"{doing}\n1× = {who}: {in_words(one)} {about.unit}s/s", color=PALE,
              fontsize=8.5, va="bottom", linespacing=1.25, transform=axes.transAxes)


def not_drawn(windows, chosen, names):
    """'echo under nolock at 8 threads (timeout)', once for each kind of failure."""
    gaps = {}
    for w in windows:
        if w.workload in chosen and not w.has_data:
            key = w.workload, names[w.mode, w.gil, w.heap].replace(" (unsafe)", ""), w.status
            gaps.setdefault(key, set()).add(w.threads)
    said = [f"{workload} under {name} at {', '.join(map(str, sorted(threads)))} "
            f"thread{'s' * (threads != {1})} ({status})"
            for (workload, name, status), threads in gaps.items()]
    if len(said) > 4:
        said[4:] = [f"and {len(said) - 4} more"]
    return said


def caption(windows, chosen, names):
    """Two paragraphs: how to read it, and what the marks are."""
    read = ["How to read it. Each line is one way to let threads share counted objects; up is "
            "more work done in the same time. A line along the dashed one gains a full share "
            "from every thread; a flat line means that the threads take turns, however many "
            "there are. Where a line begins is what its safety costs a single thread."]
    kinds = {w.kind for w in windows if w.workload in chosen}
    if "cpu" in kinds:
        read.append("Computing needs a core, so there the ideal ends at the number of cores.")
    if "io" in kinds:
        read.append("Waiting needs none.")
    marks = []
    rounds = len({w.round for w in windows if w.workload in chosen and w.has_data})
    if rounds > 1:
        marks.append(f"Points: the median of {rounds} rounds; shade: from the slowest round to "
                     "the fastest.")
    if any("(unsafe)" in name for name in names.values()):
        marks.append("Hollow points: unsafe, nothing guards the counts and answers can be wrong; "
                     "it is there to measure the others by.")
    gaps = not_drawn(windows, chosen, names)
    if gaps:
        marks.append("Not drawn: " + "; ".join(gaps) + ".")
    return [" ".join(read), " ".join(marks)]


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"^model name\s*: (.*)", file.read(), re.MULTILINE)
    except OSError:
        found = None
    return f"{found[1] if found else platform.machine()}, Linux {platform.release()}"


def small_print(windows, options):
    days = sorted({w.when[:10] for w in windows if w.when})
    cores = windows[0].cores
    parts = [processor()] if options.here else []
    parts.append(f"{cores} core{'s' * (cores > 1)}")
    parts += [" to ".join(dict.fromkeys((days[0], days[-1])))] if days else []
    parts += [options.command] if options.command else []
    return "  ·  ".join(parts + [os.path.basename(options.csv)])


def draw(windows, options):
    chosen = choose(options.workloads, windows)
    names = line_names(windows)
    drawn = [n for n in dict.fromkeys(names.values())
             if any(n in rates_of(windows, w, names) for w in chosen)]
    styles = {n: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)]) for i, n in enumerate(drawn)}

    columns = min(2, len(chosen))
    rows = -(-len(chosen) // columns)
    width = columns * (AXIS + PANEL + NAMES)
    letters = int(14.6 * (width - 2 * MARGIN))
    text = "\n".join(textwrap.fill(words, letters) for words in caption(windows, chosen, names))
    below = (text.count("\n") + 1) * LINE + 0.7
    height = TITLE + rows * (HEAD + PLOT + FOOT) + below
    figure = pyplot.figure(figsize=(width, height))
    for i, workload in enumerate(chosen):
        lines = rates_of(windows, workload, names)
        left = AXIS + i % columns * (AXIS + PANEL + NAMES)
        bottom = height - TITLE - i // columns * (HEAD + PLOT + FOOT) - HEAD - PLOT
        axes = figure.add_axes((left / width, bottom / height, PANEL / width, PLOT / height))
        draw_panel(axes, workload, windows, {n: lines[n] for n in drawn if n in lines}, styles)
    left = MARGIN / width
    figure.text(left, 1 - 0.2 / height, "Do more threads get more done?", fontsize=15,
                weight="bold", color=INK, va="top")
    figure.text(left, (below - 0.1) / height, text, fontsize=9, color=INK, va="top",
                linespacing=1.35)
    figure.text(left, 0.2 / height, small_print(windows, options), fontsize=7.5, color=PALE)
    figure.savefig(options.output, dpi=150)


def main():
    parser = argparse.ArgumentParser(description="Draws throughput against threads.")
    parser.add_argument("csv", help="what `lab run --csv` has written")
    parser.add_argument("-o", "--output", required=True, help="picture.png or picture.svg")
    parser.add_argument("--workloads", help="a panel each; default: the first cpu and io ones")
    parser.add_argument("--command", help="the command that made the data, for the small print")
    parser.add_argument("--here", action="store_true",
                        help="the data is of this machine: name it in the small print")
    parser.error = lambda words: parser.exit(2, f"plot.py: {words}\n")
    options = parser.parse_args()
    try:
        if os.path.splitext(options.output)[1] not in (".png", ".svg"):
            raise UserError(f"{options.output}: a picture's name ends in .png or .svg")
        timed = [w for w in results.read(options.csv) if w.window == "timed"]
        whole = {w.workload for w in timed if w.has_data}
        if not whole:
            raise UserError(f"{options.csv}: no timed window in it has data")
        draw([w for w in timed if w.workload in whole], options)
    except (UserError, results.BadResults) as error:
        sys.exit(fail(error))
    except OSError as error:
        sys.exit(fail(f"{options.output}: {error.strerror}"))


def fail(error):
    print(f"plot.py: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
