#!/bin/sh
# scripts/timeline.py: what it draws of a trace, and what it says when it cannot. The SVG carries
# every label as a comment, so the words and figures of a picture can be looked for.
. scripts/tap.sh

timeline=scripts/timeline.py
$python -B -c 'import matplotlib' 2>/dev/null || skip_rest $timeline "matplotlib is not installed"
! sanitized || skip_rest $timeline "no part of the lab is in this"
export PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$dir"
trace=$dir/trace.json

# A window of 100 ms. Cell 1: two workers in turns of 10 ms, who ask after 5. Cell 2: one that
# runs for 1 us in each 10, and one that is called something nasty and lost moments.
$python - "$trace" <<'END'
import json, sys
events = []
def name(pid, tid, what):
    kind = "thread_name" if tid else "process_name"
    events.append(dict(ph="M", name=kind, pid=pid, **(dict(tid=tid) if tid else {}), args=dict(name=what)))
def piece(pid, tid, what, start, end):
    events.append(dict(ph="X", name=what, cat="gil", pid=pid, tid=tid, ts=start, dur=end - start))
name(1, 0, "fib, gil, 2 threads")
for worker in 0, 1:
    name(1, worker + 1, f"worker {worker}")
    for turn in range(10):
        piece(1, worker + 1, "running" if turn % 2 == worker else "waiting", turn * 1e4, turn * 1e4 + 1e4)
        if turn % 2 != worker:
            events.append(dict(ph="i", s="t", name="drop request", pid=1, tid=worker + 1,
                               ts=turn * 1e4 + 5e3, args=dict(to="x")))
name(2, 0, "echo, <b>$x$</b>, 1 thread")
name(2, 1, "client 0")
for at in range(10000):
    piece(2, 1, "running", at * 10, at * 10 + 1)
    piece(2, 1, "detached", at * 10 + 1, at * 10 + 10)
name(2, 2, "$\\frac{1}$ 0")
piece(2, 2, "waiting", 5e4, 1e5)
events.append(dict(ph="i", s="t", name="dropped", pid=2, tid=2, ts=5e4, args=dict(moments=1234)))
json.dump(dict(traceEvents=events), open(sys.argv[1], "w"))
END

# words: all of the picture, line after line
words()
{
    sed -n 's/.*<!-- \(.*\) -->.*/\1/p' "$dir/picture.svg" | tr '\n' ' '
}

# says NAME TEXT: the picture has these words in it
says()
{
    words | grep -qF -- "$2"
    result "$1"
}

# lacks NAME TEXT: it has not
lacks()
{
    ! words | grep -qF -- "$2"
    result "$1"
}

# colour NAME: how many shapes are filled with it
shapes()
{
    grep -c "fill: $1" "$dir/picture.svg"
}

# refuses NAME PATTERN ARGUMENT...: that timeline.py refuses this
refuses()
{
    name=$1 pattern=$2
    shift 2
    run $timeline "$@"
    refused "$pattern"
    result "$name"
}

$timeline "$trace" -o "$dir/picture.png"
result "draws a PNG"
set -- $(od -An -tu1 -j16 -N8 "$dir/picture.png") 0 0 0 0 0 0 0 0
[ $(($3 * 256 + $4)) -ge 1200 ] && [ $(($7 * 256 + $8)) -ge 700 ]
result "of a size to be read"
$timeline "$trace" -o "$dir/picture.svg"
result "draws an SVG"
says "a title" "Who has the lock, and who waits for it"
says "a panel for each cell" "fib, gil, 2 threads"
says "whatever it is called" "echo, &lt;b&gt;\$x\$&lt;/b&gt;, 1 thread"
says "a lane for each thread" "worker 1"
says "whatever that is called" "frac{1}"
says "a unit" "ms since the window began"
says "a legend" "asks for the lock"
says "how to read it" "How to read it. A lane is a thread."
says "shares of the time" "50 %   50 %"
says "what was lost" "1,234 of"
# Two legends have that colour, too.
is "many short runs are no long one" [ "$(shapes '#a9cfe8')" -eq 3 ]

$timeline "$trace" -o "$dir/picture.svg" --cell 1 --from 20ms --to 30ms
result "draws a part"
lacks "of the cells that are asked for alone" "client 0"
says "with shares of that part" "100 %    0 %"
says "and the other" "0 %  100 %"
lacks "and no warning that belongs to another" "1,234 of"
$timeline "$trace" -o "$dir/picture.svg" --cell 2 --from 20ms --to 20.1ms
says "close to, the unit is smaller" "µs since the window began"
is "and what runs for short has room" [ "$(shapes '#a9cfe8')" -eq 1 ]
is "what is not shown is not drawn" [ "$(shapes '#0072b2')" -le 20 ]

refuses "no trace" "No such file" "$dir/none.json" -o "$dir/x.png"
echo '{"traceEvents": [{"ph": "X"}]}' >"$dir/bad.json"
refuses "another JSON" "is no trace" "$dir/bad.json" -o "$dir/x.png"
head -c 500 "$trace" >"$dir/cut.json"
refuses "a trace cut short" "is no trace" "$dir/cut.json" -o "$dir/x.png"
echo '{"traceEvents": []}' >"$dir/empty.json"
refuses "a trace of nothing" "nothing to draw" "$dir/empty.json" -o "$dir/x.png"
refuses "an unknown cell" "there are: 1 (fib, gil, 2 threads)" "$trace" -o "$dir/x.png" --cell 3
refuses "a time that is none" "try 20ms" "$trace" -o "$dir/x.png" --from soon
refuses "a part that is empty" "nothing is left" "$trace" -o "$dir/x.png" --from 30ms --to 20ms
refuses "a part after the end" "nothing is left" "$trace" -o "$dir/x.png" --from 3s
refuses "an unknown kind of picture" "ends in .png or .svg" "$trace" -o "$dir/x.gif"
refuses "a picture that cannot be written" "No such file" "$trace" -o "$dir/no/x.png"
[ ! -e "$dir/x.png" ]
result "and draws none of these"
plan
