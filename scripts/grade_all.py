#!/usr/bin/python3
"""Grades a folder of submissions, one after the other, and goes on where it was stopped.

    grade_all.py SUBMISSIONS -a 04 -o graded [--secret FILE] [--rounds 3] [--lab LAB]

SUBMISSIONS has a folder for each student, as `lab grade` takes it. graded/NAME.json is what the
student gets (Gradescope's results.json), graded/summary.csv a line for each. Who was graded is not
graded again, unless the files or the seed have changed. A verdict "run again" gets another try when
all others have had theirs. Run it in the root of the lab's tree, on a machine that does nothing else.

With --secret each student has a seed of their own, which follows from the secret in that file and from
the student's name: what is drawn by chance differs, and can be drawn again. So has each a number from
1 to 997, for what is to differ in the exercise itself. --draw only writes these down, and grades nobody.
"""
import argparse
import csv
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import subprocess
import sys

NUMBERS = 997
AGAIN = 3  # the status by which `lab grade` says that the machine was too noisy
OVER_TIME = 124, 137, -9  # by which timeout(1) says that it was, and that KILL was needed


def seed_of(secret, assignment, student):
    """From 1 to 2^63 - 1, as --seed takes it."""
    digest = hmac.new(secret, f"{assignment}/{student}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8], "big") % (2**63 - 1) + 1


def mark_of(folder, seed, assignment):
    """Of the files' names and bytes, of the seed, and of the assignment as it is."""
    number = pathlib.Path(assignment).name[:2]
    mark = hashlib.sha256(f"{number}\0{seed}".encode())
    for path in sorted(pathlib.Path("lab/assignments").glob(f"{number}-*/assignment.yaml")):
        mark.update(path.read_bytes())
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        mark.update(f"\0{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        mark.update(path.read_bytes())
    return mark.hexdigest()


def refuse(text):
    print(f"grade_all.py: {text}", file=sys.stderr)
    sys.exit(2)


def run_grader(lab, assignment, folder, results, seed, minutes, tree=None):
    """(status, error): 0 or AGAIN and "", and results are written; or why they are not, in words.
    `tree` is the lab's, if that is not where we are."""
    # Who is killed is not to leave one that measures beside the next.
    words = ["setpriv", "--pdeathsig", "TERM", "timeout", "--foreground", "--kill-after", "10", str(minutes * 60), str(lab), "grade",
             str(folder), "--assignment", str(assignment), "--results", str(results), "--quiet", "--student"]
    if seed:
        words += ["--seed", str(seed)]
    done = subprocess.run(words, cwd=tree, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace")
    if done.returncode in OVER_TIME:
        return done.returncode, f"not graded within {minutes:g} minutes"
    if done.returncode in (0, AGAIN) and results.exists():
        return done.returncode, ""
    last = done.stderr.strip().splitlines()[-1:]
    return done.returncode, " ".join(last) or f"status {done.returncode}"


class Student:
    def __init__(self, folder, options, secret):
        self.folder = folder
        self.name = folder.name
        self.assignment = options.assignment
        number = pathlib.Path(options.assignment).name[:2]
        self.seed = seed_of(secret, number, self.name) if secret else None
        self.results = options.output / f"{self.name}.json"
        self.mark_path = options.output / f"{self.name}.mark"
        self.mark = self.error = ""

    def read(self):
        """False if the files cannot be: nothing of it is graded then."""
        try:
            self.mark = mark_of(self.folder, self.seed, self.assignment)
            self.error = ""
        except OSError as error:
            self.error = str(error)
        return not self.error

    def is_done(self):
        try:
            return self.mark and self.results.exists() and self.mark_path.read_text() == self.mark
        except OSError:
            return False

    def try_to_grade(self, options):
        """True if it need not be tried again."""
        try:
            return self.read() and self.grade(options)
        except OSError as error:
            self.error = str(error)
            return False

    def grade(self, options):
        part = self.results.with_suffix(".part")
        part.unlink(missing_ok=True)
        status, self.error = run_grader(options.lab, options.assignment, self.folder, part,
                                        self.seed, options.minutes)
        if self.error:
            return False
        self.mark_path.unlink(missing_ok=True)
        os.replace(part, self.results)
        if status == AGAIN:
            return False
        self.mark_path.write_text(self.mark)
        return True

    def number(self):
        """For parts of an exercise that differ from student to student."""
        return self.seed % NUMBERS + 1 if self.seed else ""

    def row(self):
        row = {"student": self.name, "seed": self.seed or "", "number": self.number(),
               "score": "", "of": "", "run again": "", "error": self.error}
        if self.error or not self.results.exists():
            return row
        results = json.loads(self.results.read_text())
        row["score"] = results["score"]
        row["of"] = sum(test["max_score"] for test in results["tests"])
        row["run again"] = "yes" if results["extra_data"]["run_again"] else ""
        for test in results["tests"]:
            row[test["name"]] = test.get("score", "")
        return row


def write_summary(students, path):
    rows = [student.row() for student in students]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.DictWriter(file, keys, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(part, path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("submissions", type=pathlib.Path, help="a folder for each student in it")
    parser.add_argument("-a", "--assignment", required=True, help="as 04")
    parser.add_argument("-o", "--output", required=True, type=pathlib.Path, help="where to")
    parser.add_argument("--secret", type=pathlib.Path, help="a file; seeds follow from it")
    parser.add_argument("--draw", action="store_true", help="write the summary without scores")
    parser.add_argument("--rounds", type=int, default=3, help="tries, at most (3)")
    parser.add_argument("--minutes", type=float, default=10, help="for each, at most (10)")
    parser.add_argument("--lab", default="build/release/lab")
    return parser.parse_args()


def main():
    options = arguments()
    if not options.submissions.is_dir():
        refuse(f"{options.submissions} is no folder with a folder for each student in it")
    if not shutil.which(options.lab):
        refuse(f"there is no program {options.lab}: make builds it, --lab says where it is")
    secret = options.secret.read_bytes().strip() if options.secret else b""
    if options.secret and not secret:
        refuse(f"{options.secret} is empty, and must hold a secret")
    options.output.mkdir(parents=True, exist_ok=True)
    students = [Student(folder, options, secret)
                for folder in sorted(options.submissions.iterdir()) if folder.is_dir()]
    for student in students:
        student.read()
    if options.draw:
        options.rounds = 0
    for _ in range(options.rounds):
        for student in [student for student in students if not student.is_done()]:
            done = student.try_to_grade(options)
            print(f"{student.name}: {'graded' if done else student.error or 'run again'}",
                  flush=True)
            write_summary(students, options.output / "summary.csv")
    write_summary(students, options.output / "summary.csv")
    if options.draw:
        return 0
    left = sum(not student.is_done() for student in students)
    print(f"{len(students) - left} of {len(students)} graded: {options.output / 'summary.csv'}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
