#!/bin/sh
# load.sh - `lab load` against `lab serve`, and scripts/served_peers.py with the servers that are there.
# Prints TAP.
. scripts/tap.sh

mode=$(safe_mode)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT

# start SERVER ARGUMENT...: in the background, as greenlets; $port, or fails.
start()
{
    : >"$dir/said" # what an earlier one said would be read before this one has begun
    "$LAB" serve "$@" --unit greenlet --mode "$mode" --seconds 60 >"$dir/said" 2>&1 </dev/null &
    pid=$!
    tries=200
    until port=$(sed -n 's/^serving .* on 127\.0\.0\.1:\([0-9]*\) .*/\1/p' "$dir/said") && [ "$port" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] && kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
}

stop()
{
    kill "$pid" && wait "$pid"
    pid=
}

# told EXPRESSION: of the JSON in $out, as `d`.
told()
{
    $python -c "import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not ($1))" "$out"
}

start echo
result "a server echoes"
lab load echo "$port" --connections 20 --seconds 0.2 --ramp 0.05
is "people are told rate, latency and processor time" sh -c "[ $status -eq 0 ] &&
    grep -q ' answers a second; latency p50 ' '$out' && grep -q \"the load's\" '$out'"
lab load echo "$port" --connections 20 --seconds 0.2 --ramp 0.05 --pid "$pid" --json
is "programs are told the same, and the server's" sh -c "[ $status -eq 0 ]"
told "d['answers'] > 0 and d['errors'] == 0 and 0.1 < d['seconds'] < 60"
result "there were answers, and no errors"
told "d['p50_ns'] <= d['p99_ns'] <= d['max_ns'] and d['load_cpu_ns'] > 0 and d['server_cpu_ns'] > 0"
result "latencies are in order, and both used a processor"
lab load echo "$port" --rate 100 --seconds 0.5 --ramp 0.05 --json
told "20 <= d['answers'] <= 60"
result "a rate is kept"
mistake '--message-bytes: an echo has 8 at least' load echo "$port" --message-bytes 3
lab load echo "$port" --connections 3 --idle 20 --seconds 1 --ramp 1 --json
told "d['answers'] > 0 and d['errors'] == 0 and d['opened'] == 23"
result "idle connections beside those that ask"
mistake '20000 at most together' load echo "$port" --connections 15000 --idle 15000

# A signal ends it: a line, the status that says which, and no process is left.
cat >"$dir/interrupt.py" <<'END'
"""interrupt.py SIGNAL LINE COMMAND...: sends it to the group when a load has begun, and looks at the
end."""
import os, re, signal, subprocess, sys, time

name, line, *command = sys.argv[1:]
mark = f"INTERRUPTED={os.getpid()}"

def left(comm):
    """Processes of ours that have this name; "": any. Those that have ended have no environment."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/environ", "rb") as environ, \
                    open(f"/proc/{number}/comm", encoding="utf-8") as name_of:
                if (mark.encode() in environ.read().split(b"\0") and
                        comm in ("", name_of.read().strip())):
                    found.append(number)
        except OSError:
            pass
    return found

number = getattr(signal, "SIG" + name)
process = subprocess.Popen(command, env={**os.environ, "INTERRUPTED": str(os.getpid())}, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
limit = time.monotonic() + 50
while not left("load") and time.monotonic() < limit:
    time.sleep(0.01)
time.sleep(0.3)
os.killpg(process.pid, number)
out, err = process.communicate(timeout=50)
assert process.returncode == 128 + number, (process.returncode, err)
assert re.fullmatch(line + "\n", err), err
while left("") and time.monotonic() < limit:
    time.sleep(0.01)
assert not left(""), left("")
END
for signal in INT TERM; do
    run $python "$dir/interrupt.py" $signal "lab load: ended by SIG$signal" \
        "$LAB" load echo "$port" --connections 5 --seconds 50
    result "SIG$signal in the middle of a load: a line, and nothing is left"
    run $python "$dir/interrupt.py" $signal "(window .*\n)?lab run: interrupted; .*" \
        "$LAB" run --workload echo_served --unit greenlet --units 20 --threads 1 --mode "$mode" \
        --window 50 --rounds 1 --control no
    result "SIG$signal in the middle of a window of echo_served: the same"
done
# One that waits to be accepted, for ever.
$python -c '
import signal, socket
signal.alarm(60)
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(0)
print(s.getsockname()[1], flush=True)
signal.pause()' >"$dir/full" &
full=$!
until [ -s "$dir/full" ] || ! kill -0 "$full" 2>/dev/null; do sleep 0.05; done
run $python "$dir/interrupt.py" INT "lab load: ended by SIGINT" \
    "$LAB" load echo "$(cat "$dir/full")" --connections 5 --seconds 50
result "SIGINT while connections are opened: the same"
kill "$full"
wait "$full" 2>/dev/null
if ! sanitized && has_policies atomic && [ -x "$(dirname "$LAB")/peer-servers" ]; then
    PYTHONDONTWRITEBYTECODE=1 run $python scripts/served_peers.py "$LAB" \
        "$(dirname "$LAB")/peer-servers" "lab, loops" asyncio-4096 --connections 4 --rounds 1 \
        --window 0.1
    is "servers of others stand in one table" sh -c "[ $status -eq 0 ] &&
        [ \$(grep -cE '^\| (bare|lab, loops|asyncio-4096) .*[0-9] \|$' '$out') -eq 3 ]"
else
    skip "servers of others stand in one table" "a sanitizer, or a build without atomic"
fi
stop
result "the server ends"
if ! sanitized && has_policies plain atomic; then
    run taskset -c "$($python -c 'import os; print(min(os.sched_getaffinity(0)))')" \
        env PYTHONDONTWRITEBYTECODE=1 $python scripts/served_figures.py "$LAB" --only spin --only loops \
        --only echo
    is "figures that this machine cannot show are skipped, and why is said" sh -c "[ $status -eq 0 ] &&
        [ \$(grep -c 'skipped: ' '$out') -eq 4 ] && [ \$(wc -l <'$out') -eq 4 ]"
    run env PYTHONDONTWRITEBYTECODE=1 $python scripts/served_figures.py "$LAB" --only loops --rounds 1 \
        --window 0.1
    is "and others measured" sh -c "[ $status -eq 0 ] &&
        [ \$(grep -cE '^(two loops|  of both processors).* [0-9.]+ \[' '$out') -eq 3 ] ||
        grep -q 'skipped: there is one processor' '$out'"
else
    skip "figures are measured" "a sanitizer, or a build without plain or atomic"
fi

start echo --tls "$dir/ca.pem"
lab load echo "$port" --connections 20 --seconds 1 --ramp 0.05 --tls "$dir/ca.pem" --json
told "d['answers'] > 0 and d['errors'] == 0"
result "over TLS"
cp "$dir/ca.pem" "$dir/old.pem"
stop
is "and its end was announced to the server" grep -q 'refused 0, cut off 0, failed 0$' "$dir/said"
start http --tls "$dir/ca.pem"
lab load http "$port" --connections 5 --seconds 1 --ramp 0.05 --tls "$dir/ca.pem" --json
told "d['answers'] > 0 and d['errors'] == 0"
result "HTTP over TLS"
lab load http "$port" --seconds 0.2 --tls "$dir/old.pem"
is "who is not trusted is not asked, and why is said" sh -c "[ $status -eq 1 ] && [ ! -s '$out' ] &&
    grep -q 'lab load: load: 1 insecure (first insecure: certificate verify failed' '$err'"
stop
mistake '--tls: .*No such file' load echo "$port" --tls "$dir/none"
mistake '--tls: not over UDP' load udp "$port" --tls "$dir/ca.pem"

start udp
lab load udp "$port" --connections 20 --seconds 1 --ramp 0.05 --json
told "d['answers'] > 0 and d['errors'] == d['lost'] and d['lost'] <= 20" # that many, if all stood still
result "datagrams"
stop
# One that answers each second one.
: >"$dir/said"
$python - >"$dir/said" <<'END' &
import os, signal, socket
signal.alarm(60)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
n = 0
while True:
    data, who = s.recvfrom(4096)
    n += 1
    if n % 2:
        s.sendto(data, who)
END
pid=$!
until port=$(cat "$dir/said") && [ "$port" ] || ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
lab load udp "$port" --connections 2 --seconds 2.5 --ramp 0 --json
told "d['answers'] > 0 and d['lost'] > 0 and d['lost'] == d['errors']" &&
    grep -q '^lab load: load: [0-9]* lost$' "$err"
result "what is lost of them is counted and told"
kill "$pid"
wait "$pid" 2>/dev/null
pid=

lab run --workload echo_served:idle=3 --unit thread --threads 1 --rounds 1 --window 0.1 --control no \
    --mode "$mode"
is "a row says that not all connections may be idle" \
    grep -q 'ValueError: 3 idle of 1 connections: one at least must ask' "$out"

# The load is given a sixteenth of what others get, and says that it is the bottleneck. There are so
# many connections that there is always an answer that waits for it.
cat >"$dir/hold.py" <<'END'
"""hold.py MARK COUNT: binds the process `load` with this in its environment to the processor of one
that spins, and lets it go behind, when it has so many descriptors."""
import os, signal, subprocess, sys, time

def find(mark, count):
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/comm", encoding="ascii") as comm, \
                    open(f"/proc/{number}/environ", "rb") as environ:
                if (comm.read() == "load\n" and mark.encode() in environ.read().split(b"\0") and
                        len(os.listdir(f"/proc/{number}/fd")) > count):
                    return int(number)
        except OSError:
            pass
    return 0

signal.signal(signal.SIGTERM, lambda *_: sys.exit("nothing was held up"))
limit = time.monotonic() + 60
while not (pid := find(sys.argv[1], int(sys.argv[2]))) and time.monotonic() < limit:
    time.sleep(0.01)
if not pid:
    sys.exit("no load has begun")
where = {min(os.sched_getaffinity(0))}
spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"],
                           preexec_fn=lambda: os.sched_setaffinity(0, where))
try:
    os.sched_setaffinity(pid, where)
    os.setpriority(os.PRIO_PROCESS, pid, 12)
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < limit:
        time.sleep(0.01)
finally:
    spinner.kill()
    spinner.wait()
END
# Where many others run the server is starved as well, and may be the slower one: then again.
hold()
{
    tries=5
    while [ $tries -gt 0 ]; do
        $python -B "$dir/hold.py" "HELD_LOAD=$$" 2000 &
        holder=$!
        run env "HELD_LOAD=$$" "$@"
        kill "$holder" 2>/dev/null
        wait "$holder"
        [ "$status" -eq 0 ] || break
        ! grep -q 'the load was the bottleneck: it ran ' "$err" || break
        tries=$((tries - 1))
    done
}
if [ -r /proc/self/schedstat ] && ! sanitized; then
    start echo
    hold "$LAB" load echo "$port" --connections 2000 --ramp 1 --seconds 1
    is "a load without a processor says that it is the bottleneck" sh -c "[ $status -eq 0 ] &&
        grep -q '^lab load: the load was the bottleneck: it ran ' '$err'"
    stop
    hold "$LAB" run --workload echo_served --unit coroutine --units 2000 --threads 1 --mode "$mode" \
        --rounds 1 --ramp 1 --window 1 --control no
    is "and so does a row" \
        grep -q '^echo_served, .*, coroutine x2000, .*: the load was the bottleneck: it ran ' "$err"
    tr -s ' \n' ' ' <"$out" >"$dir/words"
    is "with which it stays" grep -q 'round 1 ok: the load was the bottleneck: it ran ' "$dir/words"
else
    skip "a load without a processor says that it is the bottleneck" "a sanitizer, or no schedstat here"
fi

start http
lab load http "$port" --connections 5 --seconds 0.2 --ramp 0.05 --json
told "d['answers'] > 0 and d['errors'] == 0"
result "HTTP is asked and answered"
stop
lab load http "$port" --seconds 0.1
is "nobody there is a failure, and said" sh -c "[ $status -eq 1 ] && [ -s '$err' ] && [ ! -s '$out' ]"
mistake "protocol 'ftp'" load ftp 1
mistake 'PORT' load echo 70000
plan
