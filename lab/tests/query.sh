#!/bin/sh
# `lab query` as its users run it: TAP, the program in $LAB.
. scripts/tap.sh

# prints NAME TEXT: what was asked for, and no more.
prints()
{
    printf '%s\n' "$2" >"$dir/expected"
    is "$1" sh -c "[ $status -eq 0 ] && [ ! -s $err ] && diff $dir/expected $out"
}

# refuses PATTERN ARGUMENT...: that lab query refuses this, and the file is as it was.
refuses()
{
    pattern=$1
    shift
    lab query "$dir/a.db" "$@"
    refused "$pattern" && cmp "$dir/a.db" "$dir/copy.db"
    result "refuses: $*"
}

lab/tests/results_file.py "$dir/a.db" --stats
cp "$dir/a.db" "$dir/copy.db"

lab query "$dir/a.db" "SELECT workload, threads, rate, NULL AS missing FROM medians
                   WHERE mode = 'gil' AND control = 0 AND rate > 5000"
prints "a table: numbers to the right, no more digits than are read" \
    "workload  threads     rate  missing
fib             1  4016000  -
fib             2  8112004  -
sleep           2     8432  -"
lab query "$dir/a.db" "SELECT 1 / 3.0 AS third, 12345678.9 AS large, 'x' AS text"
prints "six digits, but whole numbers whole" \
    "   third     large  text
0.333333  12345679  x"
lab query "$dir/a.db" "SELECT 100 AS number UNION ALL SELECT NULL"
prints "what is not known stands where it would" "number
   100
     -"
lab query "$dir/a.db" "SELECT 'a' || char(27) || char(10) || 'b' AS x"
prints "nothing reaches the terminal but letters" "x
a  b"
lab query "$dir/a.db" "SELECT printf('%.*c', 80, 'é') AS x"
is "a long text is cut between letters" sh -c "[ \$(tail -n 1 $out) = \
    \$($python -c 'print(\"é\" * 69 + \"...\")') ]"
lab query "$dir/a.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2500)
                   SELECT i FROM n"
is "rows beyond those that were looked at first" \
    sh -c "[ $status -eq 0 ] && [ \$(wc -l <$out) -eq 2501 ] &&
        [ \$(tail -n 1 $out) = 2500 ]"

lab query "$dir/a.db" --csv "SELECT 1 / 3.0 AS third, 'a,b' AS text, NULL AS missing"
prints "--csv has all digits" "third,text,missing
0.3333333333333333,\"a,b\","
lab query "$dir/a.db" --json "SELECT 1 AS one, 'a\"b' AS text, 0.1 AS real, NULL AS missing,
                                 9e999 AS inf UNION ALL SELECT 2, 'c', 0.5, 1, 0"
is "--json is an array with an object for each row" $python -c "
import json
assert json.load(open('$out')) == [
    {'one': 1, 'text': 'a\"b', 'real': 0.1, 'missing': None, 'inf': None},
    {'one': 2, 'text': 'c', 'real': 0.5, 'missing': 1, 'inf': 0}]"
lab query "$dir/a.db" --json "SELECT 1 AS x WHERE 0"
prints "of nothing, too" "[]"

lab query "$dir/a.db"
listed=$status
cp "$out" "$dir/listing"
is "without a question: every table and view, with what it is and its columns" \
    $python -c "
import re, sqlite3
said = open('$dir/listing').read()
db = sqlite3.connect('$dir/a.db')
names = [name for name, in db.execute('SELECT name FROM sqlite_schema WHERE sql LIKE \"CREATE %\"')]
assert $listed == 0 and len(names) > 10
for name in names:
    assert re.search(rf'^{name} +(table|view) +\w.*\n +\w+, ', said, re.M), name"
grep -o '"SELECT [^"]*"' "$dir/listing" | tr -d '"' >"$dir/examples"
is "and three examples" [ "$(wc -l <"$dir/examples")" -eq 3 ]
while read -r example; do
    lab query "$dir/a.db" "$example"
    is "which give rows: $example" sh -c "[ $status -eq 0 ] && [ \$(wc -l <$out) -gt 1 ]"
done <"$dir/examples"

# shellcheck disable=SC2016
grep -o '`SELECT [^`]*`' docs/reading.md | tr -d '`' >"$dir/questions"
while read -r question; do
    lab query "$dir/a.db" "$question"
    is "docs/reading.md: $question" sh -c "[ $status -eq 0 ] && [ \$(wc -l <$out) -gt 1 ]"
done <"$dir/questions"
is "docs/reading.md: The samples has each column of tidy" $python -c "
import re, sqlite3
samples = open('docs/reading.md').read().split('## The samples')[1].split('## ')[0]
rows = [line.split('|')[1] for line in samples.splitlines() if line.startswith('| \`')]
said = sorted(name for row in rows for name in re.findall(r'\`(\w+)\`', row))
view = sqlite3.connect('$dir/a.db').execute('SELECT * FROM tidy')
assert said == sorted(column[0] for column in view.description), said"

refuses "did you mean 'rates'" "SELECT * FROM rate"
refuses "no such column: speed" "SELECT speed FROM rates"
refuses "syntax error" "SELEC 1"
refuses "asks nothing" ""
refuses "one question at a time" "SELECT 1; SELECT 2"
refuses "only reads" "DELETE FROM runs"
refuses "only reads" "ATTACH '$dir/other.db' AS other"
refuses "only reads" "PRAGMA user_version = 7"
refuses "only reads" "CREATE TEMP TABLE x (y)"
refuses "exclude one another" --csv --json "SELECT 1"
is "and no other file was made" [ ! -e "$dir/other.db" ]

lab query "$dir/a.db" "SELECT abs(x) FROM (SELECT 1 AS x UNION ALL SELECT -9223372036854775807 - 1)"
is "an error on the way is one" sh -c "[ $status -eq 2 ] && grep -q 'integer overflow' $err"
lab query "$dir/none.db" "SELECT 1"
is "there must be a file" \
    sh -c "[ $status -eq 2 ] && grep -q none.db $err && [ ! -e $dir/none.db ]"
head -c 20000 "$dir/a.db" >"$dir/cut.db"
lab query "$dir/cut.db" "SELECT * FROM tidy"
is "half a file is no results file" sh -c "[ $status -eq 2 ] && [ \$(wc -l <$err) -eq 1 ]"
plan
