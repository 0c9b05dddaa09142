#!/usr/bin/python3
"""Grades every submission that is kept under an assignment's tests/, and compares with what it must get.

    course_check.py build/release/lab lab/assignments/02-one-count-per-object...

A submission in tests/wrong says in the first lines of its file `Score: N`, or `Score: N..M`, and `Says: TEXT`,
which must stand in some message. One in tests/right gets all points, unless it says a `Score:`, and so does the
solution, unless assignment.yaml has a line `# Solution: N..M`; what is cut for the student gets none. Of several files
a submission may have those that differ from the solution's, and of one the functions (cut.py --parts). Prints TAP.
Where the machine was too noisy to judge it is graded again, three times at most.

With `--times 50` the solution alone is graded so often: it must get the same score each time that it gets one, and
"run again" at most once in ten times; with `--load 2` beside so many programs that compute, and then at most every
other time. With `--solution` the solution alone is looked at, once. Each line says what the grading took.
"""
import argparse
import contextlib
import fnmatch
import itertools
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

TRIES, AGAIN = 3, 3


def score_in(text, what):
    """(least, most) of a line such as `Score: 50..70`; None: there is none."""
    score = re.search(what + r': (\d+)(?:\.\.(\d+))?$', text, re.M)
    return score and (float(score[1]), float(score[2] or score[1]))


def head(folder):
    """What the files of a submission say of themselves: (least, most) or None, and texts."""
    text = ''.join(path.read_text()[:2000] for path in sorted(folder.rglob('*.[ch]')))
    return score_in(text, r'^ \* Score'), re.findall(r'^ \* Says: (.*)$', text, re.M)


def grade(lab, assignment, folder, tries=TRIES):
    """Its results.json, and what was printed."""
    with tempfile.TemporaryDirectory() as place:
        results = pathlib.Path(place) / 'results.json'
        for _ in range(tries):
            run = subprocess.run([lab, 'grade', folder, '--assignment', assignment, '--results',
                                  results], text=True, capture_output=True, check=False)
            if run.returncode != AGAIN:
                break
        return json.loads(results.read_text()) if results.exists() else None, run.stdout + run.stderr


def complaint(lab, assignment, folder, score, says):
    """Why it is not graded as it must be, None as score: all points; None: it is."""
    results, printed = grade(lab, assignment, folder)
    if not results:
        return f'it was not graded: {printed}'
    if results['extra_data']['run_again']:
        return f'run again, {TRIES} times: {printed}'
    got, most = results['score'], sum(test['max_score'] for test in results['tests'])
    least, highest = score or (most, most)
    if not least <= got <= highest:
        return f'it got {got} of {most}, not {least} to {highest}:\n{printed}'
    flat = ' '.join(printed.split())
    return next((f'nothing says "{text}":\n{printed}' for text in says if text not in flat), None)


@contextlib.contextmanager
def computing(count):
    """So many programs beside us."""
    spinners = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(count)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def verdict(results):
    """In a word."""
    if not results:
        return 'not graded'
    return 'run again' if results['extra_data']['run_again'] else results['score']


def repeat(lab, assignment, options):
    """What was wrong with grading the solution so often; "" if nothing."""
    times, took, graded = options.times, [], []
    with tempfile.TemporaryDirectory() as place, computing(options.load):
        folder = next(f for f, _, _ in cut(assignment, place) if f.name == 'solution')
        for i in range(times):
            begun = time.monotonic()
            graded.append(grade(lab, assignment, folder, tries=1))
            took.append(time.monotonic() - begun)
            print(f'# {i + 1} of {times}: {verdict(graded[-1][0])}, {took[-1]:.0f} s', flush=True)
    all_results = [results for results, _ in graded]
    if None in all_results:
        return f'it was not graded: {graded[all_results.index(None)][1]}'
    again = sum(r['extra_data']['run_again'] for r in all_results)
    scores = {r['score'] for r in all_results if not r['extra_data']['run_again']}
    print(f'# {assignment.name}: {times} times, scores {sorted(scores)}, run again {again} times; '
          f'the longest took {max(took):.0f} s')
    most = times / (2 if options.load else 10)
    return '' if len(scores) == 1 and again <= most else 'the same files get several answers'


def whole(assignment, folder, place):
    """The submission with all that it does not keep, for it is as in the solution."""
    made = pathlib.Path(place) / folder.parent.name / folder.name
    subprocess.run(['scripts/cut.py', '--parts', folder, '--to', made, assignment], check=True,
                   stdout=subprocess.DEVNULL)
    return made


def kept(assignment, place):
    """The submissions under tests/, with what they must get."""
    for folder in sorted(assignment.glob('tests/*/*')):
        if folder.is_dir() and folder.parent.name in ('wrong', 'right'):
            score, says = head(folder)
            if folder.parent.name == 'wrong' and not (score and says):
                sys.exit(f'course_check.py: {folder}: its first lines do not say Score: and Says:')
            yield whole(assignment, folder, place), score, says


def cut(assignment, place):
    """What the student begins with, and the solution."""
    solved = score_in((assignment / 'assignment.yaml').read_text(), '^# Solution')
    for name, options, score in ('begin', [], (0, 0)), ('solution', ['--whole'], solved):
        folder = pathlib.Path(place) / name
        subprocess.run(['scripts/cut.py', *options, '--to', folder, assignment], check=True,
                       capture_output=True)
        yield folder, score, []


def checks(lab, assignment, options):
    """Names of what is checked, and what is wrong with it."""
    if options.times:
        yield 'the solution, again and again', repeat(lab, assignment, options)
        return
    with tempfile.TemporaryDirectory() as place:
        for folder, score, says in itertools.chain(cut(assignment, place), kept(assignment, place)):
            name = f'{folder.parent.name}/{folder.name}'
            if fnmatch.fnmatch(name, options.only):
                yield name, complaint(lab, assignment, folder, score, says)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--times', type=int, help='grade the solution so often')
    parser.add_argument('--load', type=int, default=0, help='beside so many programs that compute')
    parser.add_argument('--only', default='*', help='what has such a name, as wrong/no_queue')
    parser.add_argument('--solution', action='store_const', dest='only', const='*/solution',
                        help='grade the solution alone')
    parser.add_argument('lab')
    parser.add_argument('assignments', nargs='+', type=pathlib.Path)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and nothing goes on beside the next
    number = failed = 0
    begun = time.monotonic()
    for assignment in options.assignments:
        for name, wrong in checks(options.lab, assignment, options):
            number += 1
            failed += bool(wrong)
            print(f'{"not ok" if wrong else "ok"} {number} - {assignment.name}: {name} '
                  f'({time.monotonic() - begun:.0f} s)', flush=True)
            begun = time.monotonic()
            if wrong:
                print('# ' + wrong.rstrip().replace('\n', '\n# '), flush=True)
    print(f'1..{number}')
    sys.exit(failed > 0 or number == 0)


if __name__ == '__main__':
    main()
