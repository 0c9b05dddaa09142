"""What `lab report` writes, and the page in a real browser. Prints TAP; LAB is the program.

The page is made from the results of fixture.py, where a name means harm. With SHOTS=FOLDER
it leaves pictures of the page in that folder, for eyes.
"""

import collections
import html.parser
import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile

import browser
import fixture
from tap import is_true, plan, safe_mode, skip

LAB = os.path.abspath(os.environ.get("LAB", "build/release/lab"))
SCRIPT = os.path.abspath("scripts/report.py")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def report(place, *arguments):
    return run(SCRIPT, "--lab", f"{place}/lab", *arguments)


def refuses(name, words, done):
    """Status 2, and one line that has the words in it."""
    said = done.stderr
    is_true(name,
            done.returncode == 2 and said.count("\n") == 1 and words in said and not done.stdout,
            done.returncode, said)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def cells_of(page):
    """The table of all cells, and what follows."""
    return page.partition(b'id="cells-table"')[2]


def test_command(place):
    db, page = f"{place}/results.db", f"{place}/results.html"
    refuses("lab report without a file", "RESULTS", run(LAB, "report"))
    refuses("lab report of no file", "No such file", run(LAB, "report", f"{place}/none.db"))
    refuses("lab report of something else", "not a results file", run(LAB, "report", SCRIPT))
    refuses("a run that is not there", "no run 7", report(place, db, "--run", "7"))
    refuses("a run that is no number", "--run", report(place, db, "--run", "last"))
    refuses("a lab that does not answer", "/bin/false show", run(SCRIPT, "--lab", "/bin/false", db))
    is_true("nothing is written by those", not os.path.exists(page))

    other = f"{place}/other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    refuses("a database of something else", "not one of results", report(place, other))
    newer = f"{place}/newer.db"
    shutil.copy(db, newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    refuses("a file of another version", "version 99", report(place, newer))
    broken = f"{place}/broken.db"
    with open(broken, "wb") as file:
        file.write(content(db)[:9000])
    refuses("a file cut short", "broken.db", report(place, broken))

    before = content(db)
    done = report(place, db)
    is_true("a page beside the results",
            done.returncode == 0 and done.stdout == page + "\n" and os.path.exists(page),
            done.stderr)
    is_true("for whoever may read those",
            stat.S_IMODE(os.stat(page).st_mode) == stat.S_IMODE(os.stat(db).st_mode))
    first = content(page)
    refuses("is not written over", "--replace", report(place, db, "--run", "1"))
    is_true("nor touched", content(page) == first)
    done = report(place, db, "--run", "1", "--replace")
    is_true("but by --replace", done.returncode == 0 and content(page) != first, done.stderr)
    refuses("never over results", "holds results", report(place, db, "-o", db, "--replace"))
    is_true("which are as they were", content(db) == before)
    refuses("a folder that is not there", "No such file", report(place, db, "-o", f"{place}/no/x"))
    with open(f"{place}/results-1.json", encoding="utf-8") as file:
        judged = json.load(file)
    for ratio, said in ((0.19, False), (0.21, True)):
        judged["floor"]["ratio"] = ratio
        with open(f"{place}/results-1.json", "w", encoding="utf-8") as file:
            json.dump(judged, file)
        report(place, db, "--run", "1", "--replace")
        words = b"<ul><li>This machine was restless: two cells"
        is_true(f"a floor of {ratio} is {'' if said else 'not '}the first finding",
                (words in content(page)) == said)
    is_true("a column in which all cells are the same is left out", b">heap</th>" not in cells_of(first))
    judged["cells"][0]["heap"] = "mimalloc"
    judged["cells"][0]["build"] = "old"
    with open(f"{place}/results-1.json", "w", encoding="utf-8") as file:
        json.dump(judged, file)
    report(place, db, "--run", "1", "--replace")
    is_true("heaps and builds are told if there are several",
            all(words in cells_of(content(page))
                for words in (b">heap</th>", b">build</th>", b"<td>this build</td>")))
    planned = f"{place}/planned.db"
    shutil.copy(db, planned)
    with sqlite3.connect(planned) as connection:
        connection.execute("UPDATE samples SET binding = 'simulated' WHERE ops > 0")
    report(place, planned)
    words = "4 simulated cores", "Simulated: planned for another machine, nothing was bound."
    is_true("a simulated machine is called so",
            all(w.encode() in content(f"{place}/planned.html") for w in words))
    is_true("and no other", b"imulated" not in first)
    for name in ("planned.db", "planned.html"):
        os.unlink(f"{place}/{name}")
    left = set(os.listdir(place)) - {"results.db", "results.html", "results-1.json", "lab",
                                     "results-2.json", "other.db", "newer.db", "broken.db"}
    is_true("nothing else is left behind", not left, left)
    report(place, db, "--replace")


def test_measured(place):
    """From a measurement to the page, by the lab alone."""
    db = f"{place}/measured.db"
    mode = safe_mode(LAB)
    other = "nolock" if mode == "gil" else mode.replace("+mutex", "+none")
    done = run(LAB, "run", "--workload", "fib", "--mode", f"{mode},{other}", "--threads", "1,2",
               "--rounds", "2", "--window", "0.02", "--ramp", "0.005", "--results", db)
    is_true("a run is measured", done.returncode == 0, done.stderr)
    done = run(LAB, "report", db)
    is_true("and reported", done.returncode == 0 and done.stdout == f"{place}/measured.html\n",
            done.stdout, done.stderr)
    text = content(f"{place}/measured.html").decode() if not done.returncode else ""
    is_true("with its cells and its picture",
            text.count('<th scope="row"') >= 4 and 'id="cpu-vs-io-0-title">CPU-bound: fib<' in text)
    refuses("once", "--replace", run(LAB, "report", db))


class Page(html.parser.HTMLParser):
    """The sections with their first table and their query; all ids; all that is linked to."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.sections = [], [], {}
        self.section = self.row = self.into = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes[k] for k in ("src", "href", "xlink:href", "action", "data")
                       if k in attributes]
        if tag == "section":
            self.section = self.sections[attributes["id"]] = {"rows": [], "query": ""}
        elif tag == "tr" and self.section:
            self.section["rows"].append([])
        elif tag in ("td", "th") and self.section:
            self.section["rows"][-1].append("")
            self.into = "cell"
        elif tag == "pre":
            self.into = "query"

    def handle_endtag(self, tag):
        if tag in ("td", "th", "pre"):
            self.into = None

    def handle_data(self, data):
        if self.into == "cell":
            self.section["rows"][-1][-1] += data
        elif self.into == "query":
            self.section["query"] += data


def written(value):
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def test_text(place):
    text = content(f"{place}/results.html").decode()
    page = Page(text)
    twice = [name for name, count in collections.Counter(page.ids).items() if count > 1]
    is_true("no id stands twice", not twice, twice)
    outside = [link for link in page.links if not re.match(r"(#|data:,?$)", link)]
    is_true("nothing is linked to outside the page", not outside, outside)
    is_true("nor by its style", not re.search(r"@import|url\((?!#)", text))
    is_true("names are escaped", "<script>alert" not in text and "<b>that" not in text)
    missing = set(re.findall(r"url\(#([^)]*)\)|href=\"#([^\"]*)\"", text))
    missing = {a or b for a, b in missing} - set(page.ids)
    is_true("what the page refers to is there", not missing, missing)

    connection = sqlite3.connect(f"file:{place}/results.db?mode=ro", uri=True)
    for name, section in page.sections.items():
        if not section["query"] or name == "provenance":
            continue
        rows = connection.execute(section["query"])
        columns = [c[0] for c in rows.description]
        kept = [i for i, c in enumerate(columns) if c != "hwloc_xml"]
        given = [[columns[i] for i in kept]] + [[written(row[i]) for i in kept] for row in rows]
        is_true(f"{name}: the query gives the numbers that stand there",
                len(given) > 1 and given == section["rows"], given[:2], section["rows"][:2])
    plots = {"cpu-vs-io", "scaling", "safety", "latency", "cost", "fairness", "memory", "convoy"}
    plots |= {"machine"} if shutil.which("lstopo-no-graphics") else set()
    drawn = set(re.findall(r'<section id="([\w-]*)"[^>]*><h2[^>]*>[^<]*</h2><figure>', text))
    is_true("every plot is drawn", drawn == plots, drawn ^ plots)


CONTRAST = """(() => {
    const parts = (c) => c.match(/[\\d.]+/g).map(Number);
    const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045
        ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const ratio = (a, b) => { const [x, y] = [light(a.slice(0, 3)), light(b.slice(0, 3))];
        return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
    const ground = (e) => { for (; e; e = e.parentElement) {
        const c = parts(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
    const fill = (name) => { const e = document.body.appendChild(document.createElement("i"));
        e.style.color = `var(--${name})`; const c = parts(getComputedStyle(e).color); e.remove();
        return c; };
    const bad = [];
    let seen = 0;
    for (const e of document.querySelectorAll("body *")) {
        if (!e.getClientRects().length || e.closest("desc, title, script")) continue;
        if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
        const svg = e instanceof SVGElement;
        const colour = parts(svg ? getComputedStyle(e).fill : getComputedStyle(e).color);
        const machine = svg && getComputedStyle(e).fontFamily.includes("Mono");
        const grounds = machine ? ["paper", "tint-package", "tint-core", "tint-numanode"].map(fill)
            : svg ? [fill("paper")] : [ground(e)];
        seen++;
        for (const g of grounds) if (ratio(colour, g) < 4.5)
            bad.push([e.textContent.trim().slice(0, 30), `${colour} on ${g}`, ratio(colour, g)]);
    }
    for (let i = 0; i < 8; i++) if (ratio(fill(`mark-${i}`), fill("paper")) < 3)
        bad.push([`mark-${i}`, ratio(fill(`mark-${i}`), fill("paper"))]);
    return { seen, bad: bad.slice(0, 5) };
})()"""
UNKNOWN = """(() => {
    const known = new Set(["none", ...[...document.styleSheets[0].cssRules[0].style]
        .filter((n) => n.startsWith("--")).map((n) => n)]);
    const bad = new Set();
    for (const e of document.querySelectorAll("svg *")) for (const part of ["fill", "stroke"]) {
        const colour = e.style[part] || e.getAttribute(part);
        if (colour && !/^(none$|var\\(--[a-z0-9-]+\\)$|url)/.test(colour)) bad.add(colour);
        const name = colour && colour.match(/^var\\((--[a-z0-9-]+)\\)$/);
        if (name && !known.has(name[1])) bad.add(colour);
    }
    return [...bad];
})()"""
SMALLEST = """Math.min(...[...document.querySelectorAll("svg")].map((s) =>
    s.getBoundingClientRect().width / parseFloat(s.style.getPropertyValue("--width"))))"""
COLUMN = """(() => [...document.querySelectorAll("#cells-table tbody tr")]
    .map((row) => row.cells[%d].dataset.sort ?? row.cells[%d].textContent))()"""


def in_order(values, way):
    """Numbers one after the other, what is not known at the end."""
    known = [float(v) for v in values if v != ""]
    return (values[len(known):] == [""] * (len(values) - len(known))
            and known == sorted(known, reverse=way < 0) and len(set(known)) > 5)


def test_quiet(page):
    said = [e["entry"]["text"] for e in page.of("Log.entryAdded")]
    said += [str(e["args"]) for e in page.of("Runtime.consoleAPICalled")]
    said += [str(e["exceptionDetails"]) for e in page.of("Runtime.exceptionThrown")]
    is_true("no word on the console", not said, *said)
    asked = [e["request"]["url"] for e in page.of("Network.requestWillBeSent")]
    is_true("no request but for the page itself",
            {url for url in asked if not url.startswith("data:")} == {page.url}, *asked)
    is_true("no name was run as a script", not page.of("Page.javascriptDialogOpening"))


def test_table(page):
    page.run("document.querySelector('#cells-table button').focus()")
    page.press("Enter", 13)
    is_true("a head that has the focus sorts by Enter, and says so",
            page.run("document.querySelector('#cells-table th').ariaSort") == "ascending")
    page.press("Tab", 9)
    is_true("Tab goes to the next head", page.run("document.activeElement.textContent") == "mode")
    heads = page.run("[...document.querySelectorAll('#cells-table th[scope=col]')]"
                     ".map((head) => head.textContent)")
    column = heads.index("per second")
    for way, word in ((1, "ascending"), (-1, "descending")):
        page.run(f"document.querySelectorAll('#cells-table button')[{column}].click()")
        values = page.run(COLUMN % (column, column))
        is_true(f"rates are sorted as numbers, {word}", in_order(values, way), values[:9])
        is_true(f"and that head alone says {word}",
                page.run("[...document.querySelectorAll('#cells-table th')]"
                         f".map((head) => head.ariaSort)[{column}]") == word
                and page.run("document.querySelectorAll('[aria-sort]').length") == 1)
    page.run("document.getElementById('filter').focus()")
    page("Input.insertText", text="SLEEP nolock")
    shown = page.run("[...document.querySelectorAll('#cells-table tbody tr')]"
                     ".filter((row) => row.getClientRects().length).map((row) => row.textContent)")
    is_true("the filter leaves the rows that have all the words",
            len(shown) == 5 and all("sleep" in row and "nolock" in row for row in shown),
            len(shown), *shown[:2])
    rows = page.run("document.querySelectorAll('#cells-table tbody tr').length")
    is_true("and says how many",
            page.run("document.querySelector('#filter-place [role=status]').textContent")
            == f"5 of {rows} rows")
    return rows


def test_names(page):
    """What a screen reader is told: by the browser's own tree of it."""
    nodes = [n for n in page("Accessibility.getFullAXTree")["nodes"] if not n.get("ignored")]
    role = lambda n: n["role"]["value"]
    name = lambda n: n.get("name", {}).get("value", "").strip()
    named = {"image", "img", "graphics-document", "button", "link", "searchbox", "textbox", "table",
             "region", "navigation"}
    nameless = [role(n) for n in nodes if role(n) in named and not name(n)]
    is_true("pictures, buttons, links, fields, tables and regions have names", not nameless,
            *nameless[:5])
    images = [n for n in nodes if role(n) in ("image", "img", "graphics-document")]
    told = [n for n in images if n.get("description", {}).get("value") or len(name(n)) > 40]
    is_true("every picture is told in words", len(images) > 15 and len(told) == len(images),
            len(images), len(told))
    roles = collections.Counter(map(role, nodes))
    is_true("one each of banner, navigation, main and contentinfo",
            all(roles[r] == 1 for r in ("banner", "main", "contentinfo", "navigation")), roles)
    levels = page.run("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1])")
    is_true("headings in steps",
            levels[0] == 1 and levels.count(1) == 1
            and all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels)
    is_true("heads have a scope, tables a caption",
            page.run("[...document.querySelectorAll('th')].every((h) => h.scope)")
            and page.run("[...document.querySelectorAll('table')].every((t) => t.caption)"))
    is_true("the language is said", page.run("document.documentElement.lang") == "en")


def test_looks(page, path, shots):
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        page.width(1280)
        page.open(path)
        page.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
        seen = page.run(CONTRAST)
        is_true(f"contrast in the {scheme}", seen["seen"] > 500 and not seen["bad"], seen["seen"],
                *seen["bad"])
        shot(page, shots, scheme)
    is_true("pictures take every colour from the page", not page.run(UNKNOWN), page.run(UNKNOWN))
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.run(paper)
    page.media("print", prefers_color_scheme="dark")
    is_true("paper is white, also when the screen is dark",
            page.run(paper) == "rgb(255, 255, 255)" and dark != "rgb(255, 255, 255)", dark)
    is_true("print has all rows, and no links",
            page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
            and page.run("[...document.querySelectorAll('.scroll')].every((e) => "
                         "getComputedStyle(e).maxHeight === 'none')"))
    page.media()
    if shots:
        page.open(path)
        page.pdf(f"{shots}/print.pdf")
    for width in (360, 768):
        page.width(width, mobile=True)
        page.open(path)
        page.run("document.querySelectorAll('details').forEach((d) => d.open = true)")
        wide = page.run("document.documentElement.scrollWidth")
        is_true(f"at {width} pixels nothing sticks out", wide == width, wide)
        is_true("nor does a box of pictures",
                page.run("[...document.querySelectorAll('.panels')].every((s) => "
                         f"s.getBoundingClientRect().right <= {width})"))
        small = page.run(SMALLEST)
        is_true("in which no picture is too small to be read", small > 0.84, small)
        shot(page, shots, str(width))
    page.width(1200)
    page.open(path)
    is_true("at 1200 pixels two pictures stand side by side",
            page.run("(([a, b]) => a.top === b.top && a.right <= b.left)("
                     "[...document.querySelectorAll('svg')].map((s) => s.getBoundingClientRect()))"))
    is_true("and the table of cells shows all columns",
            page.run("((box) => box.scrollWidth === box.clientWidth)("
                     "document.querySelector('#cells .scroll'))"))
    page.media(prefers_reduced_motion="reduce")
    is_true("nothing glides for those who want no motion",
            page.run("getComputedStyle(document.documentElement).scrollBehavior") == "auto")
    page.media()


def shot(page, shots, name):
    if shots:
        wide, high = page.run("[innerWidth, document.documentElement.scrollHeight]")
        for i, top in enumerate(range(0, min(high, 16000), 1600)):
            page.screenshot(f"{shots}/{name}-{i:02}.png", (0, top, wide, min(1600, high - top)))


def test_page(path):
    with browser.Browser() as page:
        page.width(1280)
        page.open(path)
        page.press("Tab", 9)
        is_true("the first Tab offers to skip the links",
                page.run("document.activeElement.className") == "skip"
                and page.run("document.activeElement.getBoundingClientRect().left >= 0"))
        rows = test_table(page)
        test_names(page)
        test_looks(page, path, os.environ.get("SHOTS"))
        test_quiet(page)
        page("Emulation.setScriptExecutionDisabled", value=True)
        page.open(path)
        is_true("complete without scripts: every row, and nothing that does nothing",
                page.run("document.querySelectorAll('#cells-table tbody tr').length") == rows
                and not page.run("document.querySelectorAll('button, input').length"))


def main():
    try:
        import matplotlib  # pylint: disable=unused-import,import-outside-toplevel
    except ImportError:
        skip("lab report", "matplotlib is not installed")
        plan()
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ["MPLCONFIGDIR"] = place + "-mpl"
        subprocess.run([sys.executable, fixture.__file__, place], check=True)
        test_command(place)
        test_measured(place)
        # What the page is does not depend on how the lab was built.
        if not re.search("/(asan|tsan)/", LAB):
            test_text(place)
            if browser.program():
                test_page(f"{place}/results.html")
            else:
                skip("the page in a browser", "chromium is not installed: make browser")
        shutil.rmtree(place + "-mpl", ignore_errors=True)
    plan()


if __name__ == "__main__":
    main()
