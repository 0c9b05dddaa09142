#!/usr/bin/python3
"""Cuts a student's files out of the lab's own, which are the solution.

    cut.py lab/assignments/04-write-the-interval-gil     into that folder; what is there stays
    cut.py --to DIR lab/assignments/04-...               elsewhere
    cut.py --whole --to DIR lab/assignments/04-...       nothing is cut: the solution, renamed
    cut.py --parts FOLDER --to DIR lab/assignments/07-...   the solution, with what the folder has in it

A file of the lab says what is cut from it by two comments, each alone on its line:

    /* cut 04: wait until the lock is free | (void)t; */
    ...
    /* end of cut */

What stands between them becomes `TODO: wait until the lock is free`, and what stands behind the
bar takes its place, for the file to compile. The marks of other assignments go, their code stays.
In a file that is not C a mark is a comment that begins with #.

A submission that is kept under tests/ has only the files that differ from the solution's. Of a long one it may have
parts, if its head says `The rest: as in the solution`: functions that take the place of those of the same name
there. What stands above one, and what is new there, comes along with it.
"""
import argparse
import pathlib
import re
import sys

FILE = re.compile(r'  - (\S+) from (\S+)(?: as (\S+=\S+(?: \S+=\S+)*))?$')
BEGIN = re.compile(r'(\s*)(/\*(?=.*\*/$)|#) cut ((?:\d\d)(?:, \d\d)*): (.*?)(?: \| (.*?))?(?: \*/)?$')
END = re.compile(r'\s*(?:/\* end of cut \*/|# end of cut)$')
FUNCTION = re.compile(r'(?:^/\*(?:(?!\*/).)*\*/\n)?(^[A-Za-z_][^;{}]*?\n)\{\n.*?^\}\n', re.M | re.S)
HEAD = """/* {name} - yours: {title}.
 *
 * README.md of the assignment says what is asked. What is marked TODO is to be written; the
 * rest may be changed, too.
 */
"""


def refuse(text):
    sys.exit(f'cut.py: {text}')


def assignment(folder):
    """Its title, and its files: path, source, renames."""
    path = folder / 'assignment.yaml'
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        refuse(error)
    title = next((l[len('title: '):] for l in lines if l.startswith('title: ')), None)
    files = [match.groups() for match in map(FILE.match, lines) if match]
    if not title or not files:
        refuse(f'{path} has no title, or no file such as "- locks/mine.c from gil/locks/x.c"')
    return title[0].lower() + title[1:], files


def cut(source, number):
    """The lines of the text, without what the assignment of this number asks for."""
    ours = skipping = marked = False
    for at, line in enumerate(source.splitlines(), 1):
        begin = BEGIN.match(line)
        if begin:
            if marked:
                refuse(f'line {at}: a cut within a cut')
            indent, sign, numbers, words, stub = begin.groups()
            marked, ours = True, number in numbers.split(', ')
            skipping = ours
            if ours:
                yield f'{indent}/* TODO: {words} */' if sign == '/*' else f'{indent}# TODO: {words}'
                yield from (indent + line for line in (stub or '').split(r'\n') if line)
        elif END.match(line):
            if not marked:
                refuse(f'line {at}: the end of a cut that has no beginning')
            marked = skipping = False
        elif not skipping:
            yield line
    if marked:
        refuse('a cut has no end')


def student_file(source, name, title, renames, number):
    text = '\n'.join(cut(source, number)) + '\n'
    text = re.sub(r'\A/\*.*?\*/\n', HEAD.format(name=name, title=title), text, flags=re.S)
    for pair in (renames or '').split():
        old, new = pair.split('=')
        text = re.sub(rf'(?<!\w){re.escape(old)}(?!\w)|(?<=_){re.escape(old)}(?!\w)', new, text)
    return text


def function_name(match):
    return re.search(r'(\w+)\(', re.sub(r'__attribute__\(\(.*?\)\)', '', match[1]))[1]


def with_parts(text, path):
    """The solution's text, with the functions of the file at this path instead of its own."""
    parts = re.sub(r'\A/\*.*?\*/\n', '', path.read_text(), flags=re.S)
    above = taken = 0
    for part in FUNCTION.finditer(parts):
        own = [f for f in FUNCTION.finditer(text) if function_name(f) == function_name(part)]
        if own:
            block = parts[above:part.end()].lstrip('\n')
            text = text[:own[0].start()] + block + text[own[0].end():]
            above, taken = part.end(), taken + 1
    if not taken or parts[above:].strip():
        refuse(f'{path}: what follows the last function that the solution has, too, has no place')
    return text


def with_what_is_kept(text, path):
    own = path.read_text()
    return with_parts(text, path) if '\n * The rest: as in the solution\n' in own[:2000] else own


def refuse_unknown(folder, paths):
    for each in folder.rglob('*'):
        if each.is_file() and str(each.relative_to(folder)) not in paths:
            refuse(f'{each}: the assignment has no such file')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--to', type=pathlib.Path, help='where to (the folder itself)')
    parser.add_argument('--whole', action='store_true', help='with nothing cut: the solution')
    parser.add_argument('--parts', type=pathlib.Path, help='the same, but with what this folder has')
    options = parser.parse_args()
    number = None if options.whole or options.parts else options.folder.resolve().name[:2]
    title, files = assignment(options.folder)
    if options.parts:
        refuse_unknown(options.parts, {path for path, _, _ in files})
    for path, source, renames in files:
        place = (options.to or options.folder) / path
        if place.exists():
            print(f'{place} is there already, and stays')
            continue
        text = student_file(pathlib.Path(source).read_text(), place.name, title, renames, number)
        if options.parts and (options.parts / path).exists():
            text = with_what_is_kept(text, options.parts / path)
        if number and ' TODO: ' not in text:
            refuse(f'{source} has no cut {number}')
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        print(f'{place} is yours to write')


if __name__ == '__main__':
    main()
