#!/usr/bin/python3 -B
"""test_gradescope.py - the archive for Gradescope, run as there: in a folder laid out as its container. Prints TAP.

Here the tree is this one, which is built, and the assignment the first gate of 04. With SOAK_SECONDS the archive
is unpacked, built from nothing and grades 04 as a whole. LAB is the program, built for debugging.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from tap import is_true, plan, skip

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LAB = os.environ.get("LAB", "build/release/lab")
WRONG = ROOT / "lab/assignments/04-write-the-interval-gil/tests/wrong/if_for_while"
VISIBLE = {"hidden", "after_due_date", "after_published", "visible"}
SHORT = """title: Write the interval GIL
kind: lock
files:
  - locks/mine.c from gil/locks/interval.c as gil_interval=gil_mine interval.c=mine.c
checks:
  - name: what every lock promises
    test: gil/tests/test_locks
    modes: debug
    schedules: 2
    points: 100
    gate: yes
"""
BEFORE = {"submission_time": "2026-09-01T10:00:00.0-07:00", "score": "70.0",
          "results": {"score": 70.0, "extra_data": {"run_again": False}}}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def faults(results):
    """What Gradescope's page of specifications forbids."""
    yield from [f"{key} is unknown" for key in results.keys() - {
        "score", "execution_time", "output", "visibility", "stdout_visibility", "extra_data",
        "tests", "leaderboard", "output_format"}]
    if not is_number(results.get("score")) or not is_number(results.get("execution_time")):
        yield "no score, or no time"
    if {results.get("visibility"), results.get("stdout_visibility")} - VISIBLE:
        yield "visibility"
    for test in results["tests"]:
        if test.keys() - {"score", "max_score", "status", "name", "number", "output", "visibility",
                          "tags", "extra_data"} or test["visibility"] not in VISIBLE:
            yield f"a test: {test}"
        if test.get("status", "passed") not in ("passed", "failed") or \
                not is_number(test.get("score", 0)) or not isinstance(test["number"], str):
            yield f"a test: {test}"
    for line in results["leaderboard"]:
        if not is_number(line["value"]) or line.get("order", "asc") not in ("asc", "desc"):
            yield f"a board: {line}"


class Container:
    """A folder as /autograder, from the archive."""

    def __init__(self, place, archive, **environment):
        self.place = place
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(place), **environment}
        for name in "source", "submission", "results":
            (place / name).mkdir(parents=True)
        zipfile.ZipFile(archive).extractall(place / "source")  # modes are lost, as they may be there
        for name in "setup.sh", "run_autograder":  # as they are, and not only as committed
            shutil.copyfile(ROOT / "scripts/autograder" / name, place / "source" / name)
        shutil.copy(place / "source" / "run_autograder", place / "run_autograder")
        (place / "run_autograder").chmod(0o755)

    def run(self, *words):
        return subprocess.run(words, cwd=self.place, env=self.environment, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL)

    def set_up(self):
        return self.run("bash", self.place / "source" / "setup.sh")

    def change_settings(self, **changes):
        path = self.place / "source" / "settings.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}, indent=2))

    def grade(self, *previous, **files):
        """(what was printed, results.json or why it is none) of a submission of these files."""
        for name in "submission", "results":
            shutil.rmtree(self.place / name, ignore_errors=True)
            (self.place / name).mkdir()
        for name, text in files.items():
            path = self.place / "submission" / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.grade_again(*previous)

    def grade_again(self, *previous):
        metadata = {"users": [{"email": "ada@example.org", "id": 1, "name": "Ada"}],
                    "previous_submissions": list(previous)}
        (self.place / "submission_metadata.json").write_text(json.dumps(metadata))
        done = self.run(self.place / "run_autograder")
        try:
            results = json.loads((self.place / "results" / "results.json").read_text())
        except (OSError, ValueError) as error:
            return done, str(error)
        return done, results


def is_right(name, done, results, holds):
    """Results that Gradescope takes, of which this holds."""
    sound = done.returncode == 0 and isinstance(results, dict) and not list(faults(results))
    is_true(name, sound and holds(results), results, done.stdout, done.stderr)


def test_archive(place):
    archive = place / "autograder.zip"

    def build(*words):
        return subprocess.run([ROOT / "scripts" / "gradescope", *words, "-o", archive], text=True,
                              capture_output=True)

    (place / "secret").write_text("of this term\n")
    done = build("04", "--secret", place / "secret")
    is_true("an archive is built", done.returncode == 0 and archive.exists(), done)
    with zipfile.ZipFile(archive) as unpacked:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in unpacked.infolist()}
        with tarfile.open(fileobj=unpacked.open("tree.tar.gz"), mode="r:gz") as tar:
            tree = tar.getnames()
    is_true("its scripts are at its root, and executable",
            modes == {"settings.json": 0o600, "setup.sh": 0o755, "run_autograder": 0o755,
                      "tree.tar.gz": 0o644}, modes)
    is_true("the tree is the project's, without what is no part of it",
            {"Makefile", "lab/command/grade.c"} <= set(tree) and
            not [name for name in tree if name.startswith((".git/", "build/"))], tree[:20])
    first = archive.read_bytes()
    build("04", "--secret", place / "secret")
    is_true("the same commit makes the same bytes", archive.read_bytes() == first)
    done = build("77")
    is_true("an assignment that is not there is one line", done.returncode == 2 and
            done.stderr.count("\n") == 1 and "there are: 01" in done.stderr, done)
    done = build("04", "--secret", place / "none")
    is_true("so is a secret that is not", done.returncode == 2 and done.stderr.count("\n") == 1, done)
    return archive


def test_container(place, archive, short):
    """The tree is this one: what is graded is only what a container would do otherwise."""
    box = Container(place, archive, LAB_TREE=str(ROOT), LAB=str(ROOT / LAB))
    done = box.set_up()
    is_true("it is set up where all is installed", done.returncode == 0, done)
    mode = (place / "source" / "settings.json").stat().st_mode & 0o777
    is_true("the secret is root's alone", mode == 0o600, oct(mode))

    done, results = box.grade(README="nothing but this")
    is_right("who hands in no file gets 0, and is told which is missing", done, results,
             lambda r: r["score"] == 0 and "there is no locks/mine.c" in r["tests"][0]["output"])
    shutil.rmtree(box.place / "submission")
    (box.place / "submission").mkdir()
    (box.place / "submission/mine.c").symlink_to(WRONG / "locks/mine.c")
    done, results = box.grade_again()
    is_right("a link is no file", done, results,
             lambda r: "there is no locks/mine.c" in r["tests"][0]["output"])
    asked = "lab/assignments/04-write-the-interval-gil"
    tree = {f"mine/{path}": (ROOT / path).read_text() for path in (
        "gil/locks/interval.c", f"{asked}/tests/right/one_condition/locks/mine.c")}
    done, results = box.grade(**tree, **{
        "mine/lab/assignments/05-cure-the-convoy/locks/mine.c": "int other;\n"})
    is_right("in a whole tree nothing of the lab's, or for other assignments, is taken for the student's",
             done, results, lambda r: "there is no locks/mine.c" in r["tests"][0]["output"])
    box.change_settings(assignment=str(short.relative_to(ROOT)))
    solution = (short / "whole/locks/mine.c").read_text()
    done, results = box.grade(BEFORE, mine_dot_c=solution)
    is_right("the solution, handed in as one file, gets all", done, results,
             lambda r: r["score"] == 100 and r["tests"][1]["status"] == "passed")
    is_true("the instructor sees by which seed and how it was confined",
            results["extra_data"]["seed"] in done.stdout and "onfined" in done.stdout.lower() and
            results["stdout_visibility"] == "hidden", done)
    seed = results["extra_data"]["seed"]
    forged = json.dumps({"score": 100, "tests": []})
    done, results = box.grade(BEFORE, mine__results_dot_json=forged, results_dot_json=forged,
                              **{"04__locks__mine_dot_c": (WRONG / "locks/mine.c").read_text()})
    is_right("a wrong file beside forged results gets 0, though there was a better one", done, results,
             lambda r: r["score"] == 0 and r["tests"][1]["status"] == "failed" and
             "again: make" in r["tests"][1]["output"] and r["extra_data"]["run_again"] is False)
    sys.path.insert(0, str(ROOT / "scripts"))
    from grade_all import seed_of
    is_true("each is graded with the student's seed", {seed, results["extra_data"]["seed"]} ==
            {str(seed_of(b"of this term", "04", "ada@example.org"))}, seed, results["extra_data"])


PRETENDS = """#!/usr/bin/python3
import json, os, sys
words = sys.argv[1:]
with open(os.environ["HOME"] + "/calls", "a") as file:
    file.write(" ".join(words) + chr(10))
calls = open(os.environ["HOME"] + "/calls").read().count(chr(10))
if os.environ.get("DIES") and calls > int(os.environ["DIES"]):
    sys.exit("the compiler is not there")
json.dump({"score": 60, "output": "Run again.", "visibility": "visible", "stdout_visibility": "hidden",
           "tests": [], "leaderboard": [],
           "extra_data": {"run_again": True, "seed": "1", "confined": "confined"}},
          open(words[words.index("--results") + 1], "w"))
sys.exit(3)
"""


def test_trouble(place, archive):
    """With a grader that only pretends."""
    place.mkdir()
    lab = place / "pretends"
    lab.write_text(PRETENDS)
    lab.chmod(0o755)
    box = Container(place / "autograder", archive, LAB_TREE=str(ROOT), LAB=str(lab))
    calls = box.place / "calls"

    done, results = box.grade(mine_dot_c="x")
    is_right("'run again' is tried again, and then told as it is", done, results,
             lambda r: r["score"] == 60 and len(calls.read_text().splitlines()) == 3 and
             r["extra_data"]["run_again"] is True and "RUN AGAIN" in done.stdout)
    worse = {"score": "60", "results": {"score": 60, "extra_data": {"run_again": True}}}
    done, results = box.grade(BEFORE, worse, {"score": None, "results": None}, mine_dot_c="x")
    is_right("it takes no point that was had by what could be judged", done, results,
             lambda r: r["score"] == 70 and "that of your last submission that was judged" in r["output"])
    calls.unlink()
    box.environment["DIES"] = "1"
    done, results = box.grade(mine_dot_c="x")
    is_right("a second try that fails does not take what the first has given", done, results,
             lambda r: r["score"] == 60 and "the compiler is not there" in done.stdout)
    box.environment["DIES"] = "0"
    done, results = box.grade(BEFORE, mine_dot_c="x")
    is_right("a grader that fails takes no point either, and is told to the instructor", done, results,
             lambda r: r["score"] == 70 and "not graded" in r["output"] and
             "the compiler is not there" in done.stdout and "compiler" not in json.dumps(r))
    (box.place / "submission_metadata.json").unlink()
    shutil.rmtree(box.place / "results")
    done = box.run(box.place / "run_autograder")
    is_true("without metadata there are results, and their folder is made", done.returncode == 0 and
            json.loads((box.place / "results/results.json").read_text())["score"] == 0, done)
    (box.place / "source" / "settings.json").write_text("{")
    done, results = box.grade(mine_dot_c="x")
    is_right("without settings, too", done, results, lambda r: r["score"] == 0)
    shutil.rmtree(box.place / "results")
    (box.place / "results").write_text("no folder")
    done, results = box.grade_again()
    is_true("where results cannot be written, it fails and says so", done.returncode != 0 and
            "NOT GRADED" in done.stdout and isinstance(results, str), done)


def test_whole(place, archive):
    """Unpacked, built from nothing; then a right and a wrong submission of 04, in full."""
    box = Container(place, archive)
    done = box.set_up()
    is_true("the whole archive is set up from nothing", done.returncode == 0, done)
    tree = place / "source" / "tree"
    subprocess.run(["scripts/cut.py", "--whole", "--to", place / "whole",
                    "lab/assignments/04-write-the-interval-gil"], cwd=tree, check=True,
                   capture_output=True)
    done, results = box.grade(mine_dot_c=(place / "whole/locks/mine.c").read_text())
    is_right("its solution gets all, or run again", done, results,
             lambda r: r["score"] == 100 or r["extra_data"]["run_again"])
    print("#", done.stdout.replace("\n", "; "), results.get("execution_time"), "s")
    done, results = box.grade(mine_dot_c=(WRONG / "locks/mine.c").read_text())
    is_right("and a wrong one does not pass its first gate", done, results,
             lambda r: r["score"] == 0 and r["tests"][1]["status"] == "failed")


def main():
    build = ROOT / "build"  # from /tmp nothing may be run, perhaps
    if not (ROOT / ".git").exists() or pathlib.Path(LAB).parent.name != "debug" or \
            not shutil.which("dpkg-query"):
        skip("the archive for Gradescope", "it is of a git repository, on Debian, built with MODE=debug")
        return plan()
    with tempfile.TemporaryDirectory(dir=build) as name:
        place = pathlib.Path(name)
        place.chmod(0o755)
        archive = test_archive(place)
        short = place / "04-in-short"
        short.mkdir()
        (short / "assignment.yaml").write_text(SHORT)
        subprocess.run(["scripts/cut.py", "--whole", "--to", short / "whole", short], cwd=ROOT,
                       check=True, capture_output=True)
        test_container(place / "container", archive, short)
        test_trouble(place / "trouble", archive)
        if "SOAK_SECONDS" in os.environ and "TEST_SEED" not in os.environ:  # the first time round
            test_whole(place / "whole", archive)
    return plan()


main()
