"""TAP for tests in Python: each test is a line, numbered as they come, and `plan` is the last."""

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


def plan():
    print(f"1..{number}")
