#!/usr/bin/python3
"""Draws what was measured, as PNG or SVG.

    plot.py RESULTS -o picture.png [--plot NAME] [--workloads fib,echo] [--run N] [--lab LAB]

RESULTS is a results file or its CSV. Each plot is a file in scripts/plots/; the usual one is
cpu-vs-io. With --lab, the lab itself judges: intervals and fits are those of `lab show`.
"""

import argparse
import difflib
import os
import platform
import re
import sys

try:
    import drawing
except ImportError as error:
    sys.exit(f"plot.py: {error}; Debian's package is python3-matplotlib")
import results


def fail(words):
    print(f"plot.py: {words}", file=sys.stderr)
    sys.exit(2)


def workloads(wanted, run):
    """The names of the workloads wanted; one without parameters stands for all with its name."""
    there = list(dict.fromkeys(c["workload"] for c in run.cells.values() if not c["control"]))
    names = []
    for name in wanted.split(","):
        found = [w for w in there if w == name] or [w for w in there if w.split(":")[0] == name]
        if not found:
            near = difflib.get_close_matches(name, there, 1, 0.4) or [", ".join(there)]
            fail(f"no workload '{name}' in this file; try {near[0]}")
        names += found
    return names


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"^model name\s*: (.*)", file.read(), re.MULTILINE)
    except OSError:
        found = None
    return f"{found[1] if found else platform.machine()}, Linux {platform.release()}"


def small_print(run, options):
    """Two lines: where it comes from, and why not to trust it."""
    return ["  ·  ".join(filter(None, words)) for words in ((
        processor() if options.here else run.record["host"], run.cores_words,
        run.record["started"][:10], options.command, os.path.basename(options.results)),
        doubts(run))]


def doubts(run):
    """What disturbed the windows, at its worst, and how far equal cells are apart."""
    said = [drawing.SIMULATED] if run.simulated else []
    steal, busy = run.query("SELECT max(steal), max(busy) FROM rates WHERE run = {run}")[0]
    said += [f"{whose}: up to {100 * share:.0f} % of the processors" for share, whose in
             ((steal, "other machines"), (busy, "other programs")) if share is not None]
    floor = run.judged and run.judged["floor"]
    return said + ([f"noise floor {100 * floor['ratio']:.1f} %"] if floor else [])


def options_of():
    parser = argparse.ArgumentParser(description="Draws what was measured, as PNG or SVG.")
    parser.add_argument("results", help="a results file, or its CSV")
    parser.add_argument("-o", "--output", required=True, help="picture.png or picture.svg")
    parser.add_argument("--plot", default="cpu-vs-io", help=", ".join(drawing.plots()))
    parser.add_argument("--workloads", help="a panel each; default: what the plot chooses")
    parser.add_argument("--run", type=int, help="default: the last one")
    parser.add_argument("--lab", help="the program, to be asked for intervals and fits")
    parser.add_argument("--command", help="the command that made the data, for the small print")
    parser.add_argument("--here", action="store_true",
                        help="the data is of this machine: name it in the small print")
    parser.error = fail
    return parser.parse_args()


def main():
    options = options_of()
    if os.path.splitext(options.output)[1] not in (".png", ".svg"):
        fail(f"{options.output}: a picture's name ends in .png or .svg")
    if options.plot not in drawing.plots():
        fail(f"no plot '{options.plot}'; there are: {', '.join(drawing.plots())}")
    try:
        run = drawing.open_run(options.results, options.run, options.lab)
        if options.workloads:
            run.workloads = workloads(options.workloads, run)
        plot = drawing.plot(options.plot)
        picture = plot.picture(run.query(plot.QUERY), run)
        figure = drawing.sheet(picture, plot.TITLE, small_print(run, options))
        figure.savefig(options.output, dpi=150)
    except drawing.Nothing as reason:
        fail(f"{options.results}: nothing to draw: {reason}")
    except results.BadResults as error:
        fail(error)
    except OSError as error:
        fail(f"{options.output}: {error.strerror}")


if __name__ == "__main__":
    main()
