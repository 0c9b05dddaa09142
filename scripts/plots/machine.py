"""The machine, as hwloc's lstopo draws it."""

import os
import re
import shutil
import subprocess
import tempfile
from xml.etree import ElementTree

import drawing
from drawing import INK, PAPER, TINTS, Nothing, Panel, Picture

TITLE = "Which machine was it?"
PLACE = 9
QUERY = """\
SELECT m.key, m.host, m.synthetic, m.hwloc_xml
FROM machines m JOIN runs r USING (machine) WHERE r.run = {run}"""
PIXELS = 96  # of lstopo's drawing, to the inch
WIDEST = 9.0


def lstopo(xml):
    """Its drawing, as a tree of SVG."""
    program = shutil.which("lstopo-no-graphics")
    if not program:
        raise Nothing("lstopo, which draws it, is not installed: Debian's package is hwloc-nox")
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "machine.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(xml)
        done = subprocess.run([program, "-i", path, "--if", "xml", "--no-io", "--no-legend",
                               "--of", "svg", "-f", path + ".svg"],
                              capture_output=True, text=True, check=False)
        if done.returncode or not os.path.exists(path + ".svg"):
            raise Nothing("lstopo cannot read what this file holds of the machine")
        return ElementTree.parse(path + ".svg").getroot()


def number(element, name):
    return float(re.match(r"-?[\d.]*", element.get(name, "0"))[0] or 0)


def draw_elements(axes, root, scale):
    """Only rectangles, lines and words are taken over, in colours of our own."""
    for element in root:
        kind, what = element.tag.rpartition("}")[2], element.get("class", "")
        x, y = number(element, "x"), number(element, "y")
        if kind == "rect":
            axes.add_patch(drawing.pyplot.Rectangle(
                (x, y), number(element, "width"), number(element, "height"), lw=0.8,
                ec=INK, fc=TINTS.get(what, PAPER)))
        elif kind == "line":
            axes.plot([number(element, "x1"), number(element, "x2")],
                      [number(element, "y1"), number(element, "y2")], color=INK, lw=0.8)
        elif kind == "text":
            axes.text(x, y, element.text or "", family="monospace", va="baseline",
                      fontsize=number(element, "font-size") * 0.72 * scale)


def picture(rows, run):
    machine = rows[0]
    if not machine["hwloc_xml"]:
        raise Nothing("this file does not hold the machine's topology")
    root = lstopo(machine["hwloc_xml"])
    wide, high = number(root, "width"), number(root, "height")
    scale = min(1.25, WIDEST / (wide / PIXELS))

    def draw(axes):
        axes.set_xlim(-1, wide + 1)
        axes.set_ylim(high + 1, -1)
        axes.axis("off")
        draw_elements(axes, root, scale)

    panel = Panel(machine["host"] or machine["key"], f"machine {machine['key']}\n"
                  f"{drawing.counted(run.cores, 'processor')} "
                  + ("planned for, but not measured on" if run.simulated else "used"),
                  f"The machine's processors and caches: {machine['synthetic']}.", draw,
                  width=wide / PIXELS * scale, height=high / PIXELS * scale, left=0.3)
    return Picture([panel], [
        "How to read it. What lies in a box belongs to it: processors (PU) of one core share the "
        "core's units, cores in one box share its cache. Threads in one box pass an object on "
        "sooner than threads in two. L# counts them in this order, P# is the kernel's number. "
        "Devices are not drawn; of many that are alike, only some."])
