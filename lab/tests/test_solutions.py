#!/usr/bin/python3 -B
"""test_solutions.py - each assignment's solution gets all that its tests give in debug. Prints TAP.

Of what `make course-check` looks at this is the part that takes some minutes: no sanitizer, one schedule, no speed,
and no assignment all of whose tests others have. LAB is the program, built for debugging.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from tap import is_true, plan, skip

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LAB = os.environ.get("LAB", "build/debug/lab")


def in_debug(text):
    """assignment.yaml with those of its checks that are looked at in debug, and in that alone."""
    head, *checks = re.split(r"(?m)^(?=  - name: )", text)
    tests = [check for check in checks if re.search(r"(?m)^    test: ", check) and
             "debug" in (re.search(r"(?m)^    modes: (.*)", check) or ["", "debug"])[1]]
    return head + "".join(re.sub(r"(?m)^    (modes|schedules): .*\n", "", check) for check in tests)


def tests_of(original):
    """Which programs of the lab test which kind of submission; an assignment's own are told apart by its name."""
    text = (original / "assignment.yaml").read_text()
    kind = re.search(r"(?m)^kind: (.*)", text)[1]
    return {(kind, original.name if test.startswith("tests/") else test)
            for test in re.findall(r"(?m)^    test: (\S+)", text)}


def grade(folder, assignment, results):
    """(score, the most that there is), and what was printed."""
    done = subprocess.run([LAB, "grade", folder, "--assignment", assignment, "--results", results, "--quiet"],
                          cwd=ROOT, text=True, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        return None, done.stdout + done.stderr
    got = json.loads(results.read_text())
    return (got["score"], sum(test["max_score"] for test in got["tests"])), done.stdout


def look_at(original, place):
    assignment = place / original.name
    assignment.mkdir()
    (assignment / "assignment.yaml").write_text(in_debug((original / "assignment.yaml").read_text()))
    shutil.copytree(original / "tests", assignment / "tests", ignore=lambda *_: ["right", "wrong"])
    folder = place / "solution" / original.name
    subprocess.run(["scripts/cut.py", "--whole", "--to", folder, assignment], cwd=ROOT, check=True, capture_output=True)
    score, printed = grade(folder, assignment, place / "results.json")
    is_true(f"{original.name}: the solution gets all points", score and score[0] == score[1] > 0, score, printed[-600:])


def main():
    if pathlib.Path(LAB).parent != pathlib.Path("build/debug"):
        skip("solutions get their points", "it is built with MODE=debug")
        return plan()
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="solutions.") as place:
        os.chmod(place, 0o755)
        seen = set()
        for original in sorted((ROOT / "lab" / "assignments").glob("[0-9][0-9]-*")):
            if not tests_of(original) <= seen:
                look_at(original, pathlib.Path(place).relative_to(ROOT))
            seen |= tests_of(original)
    plan()


main()
