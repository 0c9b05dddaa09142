"""TAP for tests in Python: each test is a line, numbered as they come, and `plan` is the last."""

import subprocess

number = 0


def is_true(name, holds, *why):
    """A test that passes if this holds; below a failure stands why."""
    global number
    number += 1
    print(f"{'ok' if holds else 'not ok'} {number} - {name}", flush=True)
    for words in [] if holds else why:
        print("#", repr(words)[:600])


def skip(name, why):
    """Counts a test that is not run here."""
    is_true(f"{name} # skip {why}", True)


def lacks_policies(lab, *wanted):
    """Whether the program was built without one of these."""
    done = subprocess.run([lab, "list", "policies"], capture_output=True, text=True, check=True)
    return not set(wanted) <= {line.split()[0] for line in done.stdout.splitlines() if line.strip()}


def safe_mode(lab):
    """A mode that the program has, whatever policies it was built with."""
    if not lacks_policies(lab, "plain"):
        return "gil"
    done = subprocess.run([lab, "list", "policies"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[1].split()[0] + "+mutex"


def plan():
    print(f"1..{number}")
