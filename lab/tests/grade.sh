#!/bin/sh
# grade.sh - lab grade: a small assignment, what right and wrong files get for it, and those that would
# rather forge a result than write a lock. Prints TAP. LAB is the program, built for debugging.
. scripts/tap.sh

command -v make >/dev/null && [ "$(dirname "$LAB")" = build/debug ] ||
    skip_rest "a submission is graded" "it is built with MODE=debug"

# In the tree, for make.
here=$(mktemp -d build/grade.XXXXXX) || exit 2
chmod 755 "$here"
trap 'rm -rf "$dir" "$here"' EXIT

# assignment NAME LINE...: a lock, of which little is asked.
assignment()
{
    mkdir -p "$here/$1/tests"
    cp lab/tests/grade_tiny.c "$here/$1/tests/test_tiny.c"
    cat >"$here/$1/assignment.yaml" <<END
title: A lock
kind: lock
files:
  - locks/mine.c from gil/locks/interval.c as gil_interval=gil_mine interval.c=mine.c
checks:
  - name: what is promised
    test: tests/test_tiny
    only: ["*excludes*"]
    seconds: 10
    memory: 64
    points: 60
    gate: yes
  - name: turns
    test: tests/test_tiny
    count: turns
    full: 10
    zero: 30
    points: 40
$2
END
}

# submission NAME: its file is standard input.
submission()
{
    mkdir -p "$here/$1/locks"
    cat >"$here/$1/locks/mine.c"
}

# cheat NAME CODE...: the right lock, before whose first use this runs.
cheat()
{
    mkdir -p "$here/$1/locks"
    { printf '%s\n' "$2"; sed "s,^    mutex_init.*,    cheat();\n&," "$here/right/locks/mine.c"; } \
        >"$here/$1/locks/mine.c"
}

# gets POINTS TEXT SUBMISSION [ASSIGNMENT]: what it gets, and that some line says this.
gets()
{
    lab grade "$here/$3" --assignment "$here/${4:-strict}" --results "$dir/results.json" \
        --junit "$dir/junit.xml"
    [ "$status" -eq 0 ] && grep -q "^Score: $1 of 100$" "$out" && grep -q -e "$2" "$out"
    result "$3 gets $1: $2"
}

assignment strict ''
assignment free 'may call: ["*"]'
scripts/cut.py --whole --to "$here/right" "$here/strict" >/dev/null
result "the solution is cut out of the lab's own file"
scripts/cut.py --to "$here/cut" lab/assignments/04-write-the-interval-gil >/dev/null
result "and what the student begins with"

gets 100 'turns: 10 (all points up to 10, none from 30)' right
$python -c '
import json, sys
r = json.load(open(sys.argv[1]))
assert r["score"] == 100 and [t["status"] for t in r["tests"]] == ["passed"] * 3, r
assert [t["max_score"] for t in r["tests"]] == [0, 60, 40] and r["tests"][2]["extra_data"]["count"] == 10
assert r["leaderboard"][0]["value"] == 100 and not r["extra_data"]["run_again"]' "$dir/results.json"
result "results.json has each check"
$python -c '
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
assert suite.get("tests") == "3" and suite.get("failures") == "0" and len(suite) == 3' "$dir/junit.xml"
result "JUnit has each check"
gets 0 'did not pass: in debug, with seed [0-9]* and schedule 0' cut
grep -q 'again: make MODE=debug ASSIGNMENT=[^ ]*/cut OF=[^ ]*/strict TEST=tests/test_tiny TEST_SEED=[0-9]* LAB_SCHEDULE=0 public' "$out"
result "it says how to see that again"
lab grade "$here/cut" --assignment "$here/strict" --student
grep -q 'again: make MODE=debug ASSIGNMENT=[^ ]*/strict TEST=tests/test_tiny TEST_SEED=' "$out"
result "and the student's own tree how"
grep -q '^  not looked at    0 of  40  turns' "$out"
result "behind a closed gate nothing is looked at"

# ---- what the rules see ----

submission nothing </dev/null
gets 0 'undefined reference to .gil_mine' nothing
rm "$here/nothing/locks/mine.c"
gets 0 'there is no locks/mine.c' nothing
ln -s /etc/passwd "$here/nothing/locks/mine.c"
gets 0 'there is no locks/mine.c: Too many levels' nothing
{ cat "$here/right/locks/mine.c"; echo '__attribute__((constructor)) static void early(void) { }'; } | submission early
gets 0 'nothing of a submission runs before main' early
echo '#include "gil/locks/interval.c"' | submission includes
gets 0 'includes gil/locks/interval.c' includes
{ echo '#include <stdio.h>'; sed 's/^    mutex_init/#ifdef ND\\\nEBUG\n    puts("ok 1 - all");\n#endif\n&/' "$here/right/locks/mine.c"; } | submission hides
gets 0 'mine.c uses puts: it is not among what this assignment may call' hides
{ printf '//\r#include "/etc/shadow"\n'; cat "$here/right/locks/mine.c"; } | submission returns
gets 0 'an #include names a header' returns
{ printf '\357\273\277#pragma weak x\n'; cat "$here/right/locks/mine.c"; } | submission marked
gets 0 '#pragma is not for a submission' marked
sed 's/$/\r/' "$here/right/locks/mine.c" | submission elsewhere
gets 100 'turns' elsewhere
{ cat "$here/right/locks/mine.c"; echo '__attribute__((no_sanitize("thread"))) int mine_x(void) { return 1; }'; } | submission unseen
gets 0 'no_sanitize is not for a submission' unseen

# A policy is one thing in refcount.c, and another in all other files.
mkdir -p "$here/policy"
sed -e 's/^kind: .*/kind: policy/' \
    -e 's,- locks/.*,- refcount/mine.h from objects/refcount/plain.h as PLAIN_H=MINE_H plain.h=mine.h,' \
    "$here/strict/assignment.yaml" >"$here/policy/assignment.yaml"
scripts/cut.py --whole --to "$here/counts" "$here/policy" >/dev/null
mkdir -p "$here/counts_and_hides/refcount"
{ sed '$d' "$here/counts/refcount/mine.h"
  printf '#if !RC_IMPLEMENTATION\n#include <stdio.h>\nstatic inline void mine_speaks(void) { puts("ok 1 - all"); }\n#endif\n#endif\n'
} >"$here/counts_and_hides/refcount/mine.h"
gets 0 'mine.h uses puts: it is not among what this assignment may call' counts_and_hides policy

# ---- what is chosen ----

mkdir -p "$here/chooses"
cat >"$here/chooses/assignment.yaml" <<END
title: A choice
kind: lock
files:
  - locks/mine.c from gil/locks/interval.c as gil_interval=gil_mine interval.c=mine.c
  - choices.yaml from $here/chooses/solution.yaml
checks:
  - name: what waits
    choice: waiting
    among:
      thread: --threads 4
      greenlet: --unit greenlet --units 4
    speed: sleep
    full: 1.2
    zero: 3
    points: 100
END
printf '%s\n' '# cut 77: your choice' 'waiting: thread' '# end of cut' >"$here/chooses/solution.yaml"
cp -r "$here/right" "$here/lacks"
gets 0 'there is no choices.yaml' lacks chooses
cp -r "$here/right" "$here/says"
echo 'computing: thread' >"$here/says/choices.yaml"
gets 0 "choices.yaml:1:1: it does not say what to choose for 'waiting'" says chooses
echo 'waiting: treads' >"$here/says/choices.yaml"
gets 0 "choices.yaml:1:10: unknown choice 'treads'; did you mean 'thread'?" says chooses

# ---- what runs, and is not believed ----

cheat speaks '#include <stdio.h>
#include <unistd.h>
static void cheat(void) { puts("ok 1 - it excludes"); dprintf(4, "test x\npassed x\n"); _exit(0); }'
gets 0 'the program ended with status 0' speaks free
cheat eats '#include <stdlib.h>
static void cheat(void) { for (;;) for (char *c = malloc(1 << 24), *end = c + (1 << 24); c < end; c += 4096) *c = 1; }'
gets 0 'it used too much memory' eats free
cheat loops 'static void cheat(void) { for (volatile int i = 0;; i++); }'
gets 0 'was ended after 10 s' loops free
if grep -q '^[^:]*: .*but as root' "$out"; then
    skip "forks without end" "root has no limit of processes"
else
    cheat forks '#include <stdlib.h>
#include <unistd.h>
static void cheat(void) { for (;;) if (fork() < 0) abort(); }'
    gets 0 'the program \(died: Aborted\|was ended, as it used too much memory\)' forks free
fi

# Right only if it may do one of these; and if it may do none, it ends.
only_if()
{
    cheat "$1" "#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static void cheat(void) { if (!($2)) abort(); }"
}
only_if sees 'open("/proc/self/status", O_RDONLY) >= 0'
gets 100 'turns' sees free
export SECRET=1
tries='getenv("SECRET")'
if grep -q '^confined: files by Landlock' "$out"; then
    tries="$tries || open(\"$PWD/gil/locks/interval.c\", O_RDONLY) >= 0 || open(\"/etc/passwd\", O_RDONLY) >= 0 ||
        open(\"../told\", O_RDONLY) >= 0 || open(\"../key\", O_RDONLY) >= 0 ||
        open(\"$dir/results.json\", O_WRONLY | O_CREAT, 0644) >= 0"
fi
if grep -q '^confined: .*, as user nobody' "$out"; then
    tries="$tries || kill(getppid(), 0) == 0 || setuid(0) == 0"
fi
only_if pries "$tries"
gets 0 'the program died: Aborted' pries free

# ---- an end before the end ----

"$LAB" grade "$here/right" --assignment "$here/strict" >"$out" 2>"$err" &
grader=$!
for _ in $(seq 200); do
    [ -d "$(echo build/graded/*-$grader)" ] && break
    sleep 0.05
done
kill -TERM "$grader"
wait "$grader"
[ $? -eq 143 ] && grep -q ': interrupted, and nothing was judged$' "$err" && [ ! -s "$out" ] &&
    [ ! -e "$(echo build/graded/*-$grader)" ] && [ ! -e "$(echo build/debug/of/*-$grader)" ]
result "asked to end, it leaves no sheet and nothing behind"

# ---- mistakes ----

mistake 'there is no folder' grade "$here/none" -a 04
mistake "of which assignment is '.*'? --assignment 02 says so" grade "$here/right"
mistake "no assignment '77'" grade "$here/right" -a 77
mistake 'an argument is missing; it takes DIR' grade
echo 'gate: 1' >>"$here/strict/assignment.yaml"
mistake "/strict/assignment.yaml:[0-9]*:1: unknown key 'gate'" grade "$here/right" -a "$here/strict"
plan
