#!/usr/bin/python3 -B
"""test_grade_all.py - grading many, with a grader that only pretends. Prints TAP.

It writes down each of its calls, says "run again" once of one student, fails for another, and is
killed in the midst of a third.
"""
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from tap import is_true, plan

HERE = pathlib.Path(__file__).resolve().parent
SCRIPT = HERE.parent.parent / "scripts" / "grade_all.py"
PRETENDS = """#!/usr/bin/python3
import json, os, pathlib, signal, sys
words = sys.argv[1:]
folder = pathlib.Path(words[1])
log = pathlib.Path(os.environ["CALLS"])
before = log.read_text().split().count(folder.name) if log.exists() else 0
with log.open("a") as file:
    file.write(folder.name + "\\n")
if folder.name == "broken":
    sys.exit("the compiler is not there")
if folder.name == "killer" and before == 0:
    above = pathlib.Path(f"/proc/{os.getppid()}/stat").read_text()  # timeout(1)
    os.kill(int(above.rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
again = folder.name == "noisy" and before == 0
seed = words[words.index("--seed") + 1] if "--seed" in words else "0"
score = len((folder / "mine.c").read_text())
tests = [{"name": "first", "max_score": 50, "score": score},
         {"name": "speed", "max_score": 50} if again else
         {"name": "speed", "max_score": 50, "score": 1}]
json.dump({"score": score, "tests": tests, "extra_data": {"run_again": again, "seed": seed}},
          open(words[words.index("--results") + 1], "w"))
sys.exit(3 if again else 0)
"""


def main():
    build = HERE.parent.parent / "build"  # from /tmp nothing may be run, perhaps
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as place:
        test(pathlib.Path(place))
    plan()


def test(place):
    lab, calls, graded = place / "lab", place / "calls", place / "graded"
    lab.write_text(PRETENDS)
    lab.chmod(0o755)
    (place / "secret").write_text("of this term\n")
    for name in ("ada", "broken", "killer", "noisy"):
        folder = place / "all" / name
        folder.mkdir(parents=True)
        (folder / "mine.c").write_text("x" * len(name))

    def run(*more):
        calls.unlink(missing_ok=True)
        done = subprocess.run([sys.executable, str(SCRIPT), str(place / "all"), "-a", "04", "-o",
                               str(graded), "--lab", str(lab), *more], text=True,
                              env={**os.environ, "CALLS": str(calls)}, capture_output=True)
        return done, calls.read_text().split() if calls.exists() else []

    def rows():
        with (graded / "summary.csv").open() as file:
            return {row["student"]: row for row in csv.DictReader(file)}

    done, called = run("--secret", str(place / "secret"))
    is_true("it is killed on the way", done.returncode < 0 and called[-1] == "killer", done, called)
    calls_before = called

    # The pretender must remember that it has killed once.
    script = lab.read_text().replace('folder.name == "killer" and before == 0', "False")
    lab.write_text(script)
    done, called = run("--secret", str(place / "secret"))
    is_true("who was graded before is not graded again", "ada" in calls_before and
            "ada" not in called, called)
    is_true("who was not is", called.count("killer") == 1, called)
    is_true("what is to be run again is, when all have had a try",
            called.count("noisy") == 2 and called.index("noisy") < called.index("broken", 2), called)
    is_true("who cannot be graded is tried so often, and named",
            called.count("broken") == 3 and done.returncode == 1 and
            "not there" in rows()["broken"]["error"], called, rows())
    is_true("the summary has scores", rows()["ada"]["score"] == "3" and
            rows()["noisy"]["speed"] == "1" and rows()["ada"]["of"] == "100", rows())
    seeds = {row["seed"] for row in rows().values()}
    is_true("each has a seed of its own, and was graded with it", len(seeds) == 4 and
            json.loads((graded / "ada.json").read_text())["extra_data"]["seed"] in seeds, seeds)

    drawn = {row["student"]: row["number"] for row in rows().values()}
    done, called = run("--secret", str(place / "secret"), "--draw")
    is_true("numbers can be drawn without grading anybody, and stay", not called and
            {row["student"]: row["number"] for row in rows().values()} == drawn and
            all(1 <= int(number) <= 997 for number in drawn.values()), called, drawn)
    (place / "all" / "ada" / "mine.c").write_text("changed")
    done, called = run("--secret", str(place / "secret"), "--rounds", "1")
    is_true("who has changed a file is graded again", sorted(called) == ["ada", "broken"], called)
    done, called = run("--rounds", "1")
    is_true("and all are with another seed", len(called) == 4, called)
    done, called = run("--lab", str(place / "nowhere"))
    is_true("a missing lab is one line", done.returncode == 2 and not called and
            done.stderr.count("\n") == 1 and "no program" in done.stderr, done)
    (place / "all" / "ada" / "mine.c").unlink()
    (graded / "ada.part").mkdir()
    done, called = run("--rounds", "1")
    is_true("an error of one is no error of the others", "ada" not in called and
            "broken" in called and rows()["ada"]["error"] and not rows()["noisy"]["error"],
            called, rows(), done)
    done = subprocess.run([sys.executable, str(SCRIPT), str(place / "none"), "-a", "04", "-o",
                           str(graded)], capture_output=True, text=True)
    is_true("what is no folder is named", done.returncode == 2 and "no folder" in done.stderr, done)


main()
