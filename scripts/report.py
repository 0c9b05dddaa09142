#!/usr/bin/python3
"""Writes one HTML file that holds all that is known of a run, and needs no network.

`lab report RESULTS [-o FILE] [--run N] [--replace]` comes here. What is judged is said by
`lab show --json`; what is drawn is asked of the results file, plot by plot.
"""

import argparse
import base64
import hashlib
import html
import os
import re
import sys
import tempfile
from io import StringIO
from string import Template

HERE = os.path.dirname(os.path.abspath(__file__))
try:
    import drawing
except ImportError as error:
    sys.exit(f"lab report: {error}; Debian's package is python3-matplotlib")
import results

FLOOR_MOST = 0.2  # from where on the noise is said before what was found
MOST_ROWS = 2000  # of a table; more make a page that no phone opens
VARIABLES = {**{colour: f"mark-{i}" for i, colour in enumerate(drawing.COLOURS)},
             drawing.INK: "ink", drawing.PALE: "pale", drawing.GRID: "grid",
             drawing.PAPER: "paper", drawing.ZONE: "zone",
             **{colour: f"tint-{name.lower()}" for name, colour in drawing.TINTS.items()
                if colour != drawing.PAPER}}


def fail(words):
    print(f"lab report: {words}", file=sys.stderr)
    sys.exit(2)


# HTML, small and escaped.

def escape(value):
    return html.escape(str(value))


def cell_text(value):
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def table(columns, rows, caption):
    """A plain table in a box that scrolls; the caption is for who cannot see where it stands."""
    shown = list(rows[:MOST_ROWS])
    numeric = [all(isinstance(row[i], (int, float, type(None))) for row in shown)
               for i in range(len(columns))]
    mark = [' class="number"' if n else "" for n in numeric]
    head = "".join(f'<th scope="col"{m}>{escape(c)}</th>' for c, m in zip(columns, mark))
    body = "\n".join("<tr>" + "".join(f"<td{m}>{escape(cell_text(v))}</td>"
                                      for v, m in zip(row, mark)) + "</tr>" for row in shown)
    more = f"<p>{len(rows) - MOST_ROWS} more rows: ask the results file.</p>" \
        if len(rows) > MOST_ROWS else ""
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
            f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>{more}")


def details(summary, content):
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def code(text, label):
    return (f'<pre class="scroll" tabindex="0" role="region" aria-label="{label}">'
            f"<code>{escape(text)}</code></pre>")


def section(name, title, content):
    return (f'<section id="{name}" aria-labelledby="{name}-h">'
            f'<h2 id="{name}-h">{escape(title)}</h2>{content}</section>')


# Pictures.

def svg_of(panel, name):
    """The panel as SVG that names itself, takes its colours from the page, and shares no id."""
    figure = drawing.figure_of(panel)
    text = StringIO()
    figure.savefig(text, format="svg")
    drawing.pyplot.close(figure)
    svg = text.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub("#[0-9a-f]{6}", lambda m: COLOUR_OF.get(m[0], m[0]), svg)
    svg = re.sub(r'font: (\S+ )*?([\d.]+)px [^;"]*', font_of, svg)
    width, height = drawing.panel_size(panel)
    opening = (f'<svg class="panel" role="img" aria-labelledby="{name}-title {name}-words" '
               f'viewBox="0 0 {72 * width:.6g} {72 * height:.6g}" '
               f'style="--width:{96 * width:.0f}px" xmlns="http://www.w3.org/2000/svg" '
               'xmlns:xlink="http://www.w3.org/1999/xlink">'
               f'<title id="{name}-title">{escape(panel.title)}</title>'
               f'<desc id="{name}-words">{escape(panel.words)}</desc>')
    return re.sub(r"^<svg[^>]*>", lambda _: opening, svg)


def font_of(found):
    family = "mono" if "Mono" in found[0] else "sans"
    return f"font: {found[1] or ''}{found[2]}px var(--{family})"


COLOUR_OF = {colour.lower(): f"var(--{name})" for colour, name in VARIABLES.items()}


def numbers(rows, sql, path):
    """What was drawn as a table, and the query that gives it."""
    columns = [c for c in rows[0].keys() if c != "hwloc_xml"]
    file = escape(os.path.basename(path))
    query = (f"<p>Give this to <code>sqlite3 {file}</code>:</p>"
             + code(sql + ";", "the query") + "<p>Low and high are of single windows. Intervals "
             f"and fitted curves are judged, and <code>lab show {file} "
             "--json</code> gives them.</p>")
    return (details("The numbers", table(columns, [[row[c] for c in columns] for row in rows],
                                         "What is drawn above, in numbers"))
            + details("The query that gives them", query))


def figure_section(name, run, path):
    """A section with the plot, or with the reason why there is none."""
    plot = drawing.plot(name)
    sql = plot.QUERY.format(run=run.number)
    rows = run.query(plot.QUERY)
    try:
        picture = plot.picture(rows, run)
    except drawing.Nothing as reason:
        return section(name, plot.TITLE, f"<p>No picture: {escape(reason)}.</p>")
    panels = "".join(svg_of(panel, f"{name}-{i}") for i, panel in enumerate(picture.panels))
    caption = "".join(f"<p>{escape(words)}</p>" for words in picture.caption if words)
    return section(name, plot.TITLE, f'<figure><div class="panels" tabindex="0" role="region" '
                   f'aria-label="Pictures: {escape(plot.TITLE)}">{panels}</div><figcaption>'
                   f"{caption}</figcaption></figure>{numbers(rows, sql, path)}")


# What was judged.

def estimate_text(estimate, form):
    """'1.02' and below it '0.98 .. 1.05', or nothing."""
    if estimate is None:
        return ""
    if not isinstance(estimate, dict):
        return form(estimate)
    return f"{form(estimate['median'])}\n{form(estimate['low'])} .. {form(estimate['high'])}"


def rate_text(value):
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:#.3g}".rstrip(".") + letter
    return f"{value:#.3g}".rstrip(".")


def middle(estimate):
    return estimate["median"] if isinstance(estimate, dict) else estimate


CELL_COLUMNS = (  # head, how it is written, by what it is sorted; NULL sorts last
    ("workload", lambda c: c["workload"], None),
    ("mode", lambda c: c["mode"] + ("" if c["safe"] else ", unsafe"), None),
    ("heap", lambda c: c["heap"], None),
    ("build", lambda c: c["build"] or "this build", None),
    ("units", lambda c: drawing.units_words(c) or "threads", None),
    ("threads", lambda c: str(c["threads"]), lambda c: c["threads"]),
    ("per second", lambda c: estimate_text(c["rate"], rate_text), lambda c: middle(c["rate"])),
    ("of nolock", lambda c: estimate_text(c["of_nolock"], "{:.2f}".format),
     lambda c: middle(c["of_nolock"])),
    ("speed-up", lambda c: estimate_text(c["speedup"], "{:.2f}".format),
     lambda c: middle(c["speedup"])),
    ("Karp-Flatt", lambda c: estimate_text(c["karp_flatt"], "{:.2f}".format),
     lambda c: middle(c["karp_flatt"])),
    ("fairness", lambda c: estimate_text(c["fairness"], "{:.2f}".format),
     lambda c: middle(c["fairness"])),
    ("p50", lambda c: estimate_text(c["p50_ns"], drawing.duration), lambda c: middle(c["p50_ns"])),
    ("MiB", lambda c: estimate_text(c["max_rss_bytes"], lambda b: f"{b / 2**20:.1f}"),
     lambda c: middle(c["max_rss_bytes"])),
    ("windows", lambda c: str(c["windows"]), lambda c: c["windows"]),
    ("remarks", lambda c: "; ".join(remarks(c)), None),
)


def remarks(cell):
    said = [f"not run: {cell['refusal']}"] if cell["refusal"] else []
    said += [f"control {cell['control']}"] if cell["control"] else []
    if cell["audit"]:
        a = cell["audit"]
        said.append(f"of {a['published']} shared objects {a['off']} miscounted "
                    f"(net {a['net']:+d}), {a['leaked']} leaked, {a['early']} freed early")
    said += [f"{cell['lost']} updates lost by the program"] if cell["lost"] else []
    if cell["held_back"]:
        h = cell["held_back"]
        said.append(f"of {h['handed_over']} objects that had all been dropped, at most "
                    f"{h['held_back']} were not destroyed")
    return said + [f"warning: {w}" for w in cell["warnings"]] + cell["notes"]


def told_columns(cells):
    """Without those that are empty, and heap, build and units where all cells have the same."""
    texts = {head: {text(cell) for cell in cells} for head, text, _ in CELL_COLUMNS}
    return [column for column in CELL_COLUMNS if texts[column[0]] - {""}
            and (column[0] not in ("heap", "build", "units") or len(texts[column[0]]) > 1)]


def cell_row(cell, columns):
    texts = []
    for head, text, key in columns:
        value = key(cell) if key else None
        sort = f' class="number" data-sort="{"" if value is None else value}"' if key else ""
        tag = 'th scope="row"' if head == "workload" else "td"
        texts.append(f"<{tag}{sort}>{escape(text(cell))}</{tag[:2]}>")
    warned = ' class="warned"' if cell["warnings"] else ""
    return f"<tr{warned}>{''.join(texts)}</tr>"


def cells_section(judged):
    cells = judged["cells"]
    columns = told_columns(cells)
    heaps = sorted({cell["heap"] for cell in cells})
    heap = f"The heap of all is {escape(heaps[0])}. " if len(heaps) == 1 else ""
    head = "".join(f'<th scope="col"{" class=number" if key else ""}>{head}</th>'
                   for head, _, key in columns)
    more = f"<p>{len(cells) - MOST_ROWS} more cells: <code>lab show</code> prints them.</p>" \
        if len(cells) > MOST_ROWS else ""
    return section("cells", "All cells", "<p>A row for each setting of all dials. "
                   f"{heap}Under a number the interval that holds the true median with the confidence that the lab has for "
                   "it; p50 is half of the operations' time, MiB the peak of the process's memory."
                   "</p>"
                   '<div id="filter-place"></div><div class="scroll" tabindex="0" role="region" '
                   'aria-label="All cells"><table id="cells-table"><caption>All cells, in the '
                   f"order of the plan</caption><thead><tr>{head}</tr></thead><tbody>\n"
                   + "\n".join(cell_row(cell, columns) for cell in cells[:MOST_ROWS])
                   + f"</tbody></table></div>{more}")


def items(sentences):
    return "<ul>" + "".join(f"<li>{escape(s)}</li>" for s in sentences) + "</ul>"


def findings_section(judged):
    floor = judged["floor"]
    said = [f"This machine was restless: {uncapital(floor_words(floor))}"] \
        if floor and floor["ratio"] > FLOOR_MOST else []
    said += judged["findings"] or ["This run supports no finding."]
    fits = [fit["words"] for fit in judged["scaling"] if not fit["refusal"] and fit["words"]]
    return section("findings", "What was found",
                   items(said) + (details("What the fits say", items(fits)) if fits else ""))


def uncapital(words):
    return words[:1].lower() + words[1:]


def floor_words(floor):
    return (f"Two cells that are the same may differ here by up to {100 * floor['ratio']:.1f} % "
            f"({100 * floor['confidence']:.0f} % confidence, from "
            f"{drawing.counted(floor['pairs'], 'pair')} of windows): no smaller difference is "
            "claimed.")


def warnings_section(judged):
    floor = judged["floor"]
    touched = {}
    for cell in judged["cells"]:
        for words in cell["warnings"]:
            topic, _, rest = words.partition(": ")
            units = f", {drawing.units_words(cell)}," if cell["units"] else ""
            where = (f"{cell['workload']} under {cell['mode']}{units} "
                     f"{drawing.beside(cell['threads'])}")
            touched.setdefault(topic, []).append(f"{where}: {rest}")
    lines = [f"{topic[:1].upper()}{topic[1:]}: touches {len(where)} of "
             f"{drawing.counted(len(judged['cells']), 'cell')}, the first being {where[0]}."
             for topic, where in touched.items()]
    noise = floor_words(floor) if floor else \
        "The noise of this machine was not measured: the matrix has no control cell."
    return section("warnings", "How far to trust it", f"<p>{escape(noise)}</p>"
                   + (items(lines) if lines else "<p>No cell has a warning.</p>"))


def provenance_section(run):
    facts = {}
    for row in run.query("SELECT name, moment, value FROM facts WHERE run = {run} ORDER BY name"):
        known = "absent on this machine" if row["value"] is None else row["value"]
        facts.setdefault(row["name"], {})[row["moment"]] = known
    lasting = [(name, of["run"]) for name, of in facts.items() if "run" in of]
    passing = [(name, of.get("before"), of.get("after")) for name, of in facts.items()
               if "run" not in of]
    record = run.record
    settings = [(name, record[name]) for name in (
        "uuid", "matrix", "plan", "build", "seed", "placing", "window_s", "ramp_s", "bind",
        "rounds_least", "rounds_most", "precision", "budget_s", "started", "ended")]
    return section(
        "provenance", "Where it comes from",
        (table(("fact", "value"), lasting, "Machine and build") if lasting else
         "<p>The file holds no facts about machine and build.</p>")
        + (table(("fact", "before", "after"), passing, "Before the run and after it")
           if passing else "")
        + details("The settings of the run",
                  table(("setting", "value"), settings, "Settings of the run"))
        + details("The plan as it was written", code(record["source"], "the plan")))


# The page.

def moment(text):
    """'2025-01-02T03:04:05Z' -> '2025-01-02 03:04 UTC'"""
    return f"{text[:10]} {text[11:16]} UTC"


def head_words(run):
    r = run.record
    ended = f"to {moment(r['ended'])}" if r["ended"] else "not finished"
    others = [row[0] for row in run.connection.execute("SELECT run FROM runs ORDER BY run")
              if row[0] != run.number]
    more = (f" This file holds other runs, too: {', '.join(map(str, others))}; --run N reports one."
            if others else "")
    simulated = f" {drawing.SIMULATED.capitalize()}." if run.simulated else ""
    what = "a command line" if r["matrix"] == "run" else f"the matrix {r['matrix']}"
    return (f"Run {run.number}, of {what}, on {r['host'] or r['key']}, with "
            f"{run.cores_words}; from {moment(r['started'])}, {ended}.{simulated}{more}")


def page(run, path):
    plots = {name: (name, drawing.plot(name).TITLE, figure_section(name, run, path))
             for name in drawing.plots()}
    machine = plots.pop("machine")  # is not what was measured, but where
    sections = ([("findings", "What was found", findings_section(run.judged)),
                 ("warnings", "How far to trust it", warnings_section(run.judged))]
                + list(plots.values())
                + [("cells", "All cells", cells_section(run.judged)), machine,
                   ("provenance", "Where it comes from", provenance_section(run))])
    parts = {}
    for name in ("html", "css", "js"):
        with open(os.path.join(HERE, "report", f"page.{name}"), encoding="utf-8") as file:
            parts[name] = file.read()
    digest = base64.b64encode(hashlib.sha256(parts["js"].encode()).digest()).decode()
    return Template(parts["html"]).substitute(
        title=escape(f"{run.record['matrix']} on {run.record['host'] or run.record['key']}"),
        about=escape(head_words(run)), style=parts["css"], script=parts["js"], digest=digest,
        links="".join(f'<li><a href="#{name}">{escape(title)}</a></li>'
                      for name, title, _ in sections),
        sections="\n".join(text for *_, text in sections))


def write(text, output, replace):
    """Whole or not at all, and never over a file that is there, unless it was said."""
    folder = os.path.dirname(os.path.abspath(output))
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.chmod(file.name, 0o666 & ~umask())
            (os.replace if replace else os.link)(file.name, output)
        finally:
            if os.path.exists(file.name):
                os.unlink(file.name)


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def options_of():
    parser = argparse.ArgumentParser(prog="lab report", description="Writes all that is known of a "
                                     "run into one HTML file that needs no network.")
    parser.add_argument("results", metavar="RESULTS", help="a results file")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: RESULTS, ending in .html")
    parser.add_argument("--run", type=int, metavar="N", help="default: the last one")
    parser.add_argument("--replace", action="store_true", help="a report that is there already")
    parser.add_argument("--lab", required=True, help=argparse.SUPPRESS)
    parser.error = fail
    return parser.parse_args()


def check_output(options):
    output = options.output = options.output or os.path.splitext(options.results)[0] + ".html"
    if os.path.exists(output):
        if os.path.samefile(output, options.results) or results.is_database(output):
            fail(f"{output}: this holds results; a report never takes their place")
        if not options.replace:
            fail(f"{output}: it is there already; --replace writes over it")


def main():
    options = options_of()
    try:
        if not results.is_database(options.results):
            raise results.BadResults(f"{options.results}: not a results file")
        check_output(options)
        drawing.matplotlib.rcParams["svg.fonttype"] = "none"
        run = drawing.open_run(options.results, options.run, options.lab)
        write(page(run, options.results), options.output, options.replace)
    except results.BadResults as error:
        fail(error)
    except OSError as error:
        fail(f"{options.output}: {error.strerror}")
    print(options.output)


if __name__ == "__main__":
    main()
