#!/usr/bin/python3 -B
"""test_course.py - that assignments are complete, and say of themselves what is so. Prints TAP.

Whether each wrong submission is caught, and no right one rejected, is seen elsewhere (make
course-check, and the twins); here it is looked at that they are there and say what they must.
"""
import pathlib
import re

from tap import is_true, plan

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COURSE = ROOT / "lab" / "assignments"


def checks(text):
    """Of assignment.yaml: the keys of each check, as texts."""
    found = []
    for line in text.splitlines():
        first = re.match(r"  - name: (.*)$", line)
        key = re.match(r"    (\w+): (.*)$", line)
        if first:
            found.append({"name": first[1]})
        elif key and found:
            found[-1][key[1]] = key[2]
    return found


def is_test(name, folder):
    place = folder if name.startswith("tests/") else ROOT
    return (place / f"{name}.c").exists()


def modes_of(check):
    """"debug asan tsan" as a README says it."""
    modes = check.get("modes", "debug").split()
    return " and ".join([", ".join(modes[:-1]), modes[-1]]) if modes[1:] else modes[0]


def submissions(folder, kind):
    return [path for path in sorted((folder / "tests" / kind).glob("*")) if path.is_dir()]


def head(submission):
    """The first comment of its file."""
    files = [path for path in submission.rglob("*") if path.suffix in (".c", ".h")]
    return files[0].read_text().split("*/")[0] if len(files) == 1 else ""


def names_a_test(text, folder):
    said = re.search(r"^ \* Caught by: (\S+) \((debug|asan|tsan|release)\)", text, re.M)
    return bool(said) and is_test(said[1], folder)


def look_at(folder):
    readme = (folder / "README.md").read_text()
    found = checks((folder / "assignment.yaml").read_text())
    graded = readme.split("## How it is graded")[-1].split("\n## ")[0]
    table = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in graded.splitlines() if line.startswith("| ")]
    rows = {row[0]: row[-1] for row in table}
    wrong, right = submissions(folder, "wrong"), submissions(folder, "right")

    is_true(f"{folder.name}: the table says what the checks are worth",
            {check["name"]: check["points"] for check in found}.items() <= rows.items() and
            len(rows) == len(found) + 1, rows)
    places = {row[0]: row[1] for row in table if len(row) == 3}
    is_true(f"{folder.name}: the table says in which modes each test runs",
            all(re.search(rf" in {modes_of(check)}[,;]|: ", places.get(check["name"], ""))
                for check in found if "test" in check), places)
    is_true(f"{folder.name}: 100 points", sum(float(check["points"]) for check in found) == 100)
    is_true(f"{folder.name}: its tests are there",
            all(is_test(check["test"], folder) for check in found if "test" in check), found)
    is_true(f"{folder.name}: at least five wrong and three right submissions",
            len(wrong) >= 5 and len(right) >= 3, wrong, right)
    is_true(f"{folder.name}: each says what it gets",
            all(re.search(r"^ \* Score: \d+(\.\.\d+)?$", head(path), re.M)
                for path in wrong + right))
    bad = [path.name for path in wrong if not names_a_test(head(path), folder) or
           not re.search(r"^ \* Says: .", head(path), re.M)]
    is_true(f"{folder.name}: each wrong one says what catches it, and what it is told", not bad, bad)
    sections = re.findall(r"^## (.*)$", readme, re.M)
    is_true(f"{folder.name}: README has its five parts",
            sections == ["Background", "What to hand in", "How it is graded", "The picture",
                         "Questions"], sections)


def main():
    folders = sorted(path for path in COURSE.glob("[0-9][0-9]-*") if path.is_dir())
    listed = re.findall(r"^\| \[\d\d\]\((\S+)/README.md\)", (COURSE / "README.md").read_text(), re.M)

    is_true("the list of assignments is that of the folders", listed == [p.name for p in folders],
            listed, folders)
    for folder in folders:
        look_at(folder)
    plan()


main()
