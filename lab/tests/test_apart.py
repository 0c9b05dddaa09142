#!/usr/bin/python3 -B
"""test_apart.py - units that are interpreters and units that are processes. Prints TAP.

Every workload gives a right answer in two of each, or says why it cannot; processes that crash,
and parents that do, leave a failed row and no process.
"""
import json
import os
import re
import signal
import subprocess
import time

from tap import is_true, lacks_policies, plan, skip

LAB = os.environ.get("LAB", "build/release/lab")
MARK = f"TEST_APART_{os.getpid()}=1"
NAME, VALUE = MARK.split("=")
ENVIRONMENT = {**os.environ, NAME: VALUE}
SHARES = ("handover", "writes", "tables")


def cell(workload, unit, mode, length_s=0.02, units=2, threads=2):
    return [LAB, "cell", "--workload", workload, "--mode", mode, "--heap", "jemalloc",
            "--threads", str(threads), "--unit", unit, "--units", str(units), "--ramp-ns",
            "1000000", "--window-ns", str(int(length_s * 1e9)), "--bind", "no"]


def start(words):
    return subprocess.Popen(words, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ours():
    """Every process that has our mark: those of a run, and theirs."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and MARK in open(f"/proc/{name}/environ").read().split("\0"):
                if open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
                    found.append(int(name))
        except OSError:
            pass
    return found


def children_of(process):
    found = []
    for pid in ours():
        try:
            if int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]) == process:
                found.append(pid)
        except OSError:
            pass
    return found


def wait_until(holds):
    for _ in range(2000):
        if holds():
            return True
        time.sleep(0.005)
    return False


def workers_run(process, count):
    """Whether so many children of it have a thread besides their first."""
    def several(pid):
        try:
            return len(os.listdir(f"/proc/{pid}/task")) > 1
        except OSError:
            return False
    return sum(several(pid) for pid in children_of(process)) == count


def rows(words):
    run = subprocess.run(words, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True,
                         text=True)
    return run.stdout, run.stderr


def every_workload(unit, mode):
    listed = json.loads(subprocess.run([LAB, "list", "workloads", "--json"], capture_output=True,
                                       text=True, check=True).stdout)["workloads"]
    out, error = rows([LAB, "run", "--workload", ",".join(w["name"] for w in listed), "--mode",
                       mode, "--unit", unit, "--units", "4", "--threads", "2", "--rounds", "1",
                       "--window", "0.01", "--ramp", "0", "--control", "no", "--json"])
    return listed, out, error


def look_at_every_workload(unit, mode):
    listed, out, error = every_workload(unit, mode)
    cells = json.loads(out)["cells"]
    failed = [(c["workload"], c["warnings"], c["notes"]) for c in cells
              if not c["refusal"] and c["windows"] != 1]
    is_true(f"{unit}: who runs gives a right answer", not failed, failed[:3], error[-500:])
    kept = [(c["workload"], c["memory"]) for c in cells
            if not c["refusal"] and c["memory"]["live_objects"]]
    is_true(f"{unit}: and leaves no object", not kept, kept[:5])
    refusals = {c["workload"]: c["refusal"] or "" for c in cells}
    run = [w["name"] for w in listed if w["shares"] in SHARES and
           "share none" not in refusals[w["name"]] and "depends on no units" not in
           refusals[w["name"]]]
    is_true(f"{unit}: who shares objects is refused", not run, run)
    is_true(f"{unit}: most others run", sum(map(bool, refusals.values())) < len(listed) / 3,
            refusals)


def look_at_numbers(unit, mode):
    out, error = rows(cell("fib", unit, mode, units=3, length_s=0.5))
    workers = re.findall(r"^worker worker 0 (\d+) (\d+) ([\d.]+)", out, re.M)
    is_true(f"{unit}: each of three workers has a row, and has done something",
            [w[0] for w in workers] == ["0", "1", "2"] and all(int(w[1]) for w in workers),
            out, error)
    return re.findall(r"^worker receiver 1 (\d+) (\d+) ([\d.]+)", out, re.M)


def look_at_crash(mode):
    lab = start(cell("fib", "process", mode, length_s=60))
    ready = wait_until(lambda: workers_run(lab.pid, 2))
    victims = children_of(lab.pid)
    if victims:
        os.kill(victims[0], signal.SIGKILL)  # sanitizers would catch others
    out, error = lab.communicate(timeout=60)
    is_true("a process that crashes is a failed row, which says so", ready and re.search(
        r"^status failed process \d died: Killed", out, re.M), out, error)
    is_true("and takes the others with it", wait_until(lambda: not ours()), ours())


def look_at_parent(mode, number, name):
    lab = start(cell("fib", "process", mode, length_s=60))
    ready = wait_until(lambda: workers_run(lab.pid, 2))
    lab.send_signal(number)
    lab.communicate(timeout=60)
    is_true(f"after {name} no process is left", ready and wait_until(lambda: not ours()), ours())


def look_at_interrupt(mode):
    lab = start([LAB, "run", "--workload", "fib", "--mode", mode, "--unit", "process", "--units",
                 "2", "--threads", "2", "--window", "60", "--rounds", "1", "--control", "no"])
    ready = wait_until(lambda: len(ours()) == 4)
    lab.send_signal(signal.SIGINT)
    lab.communicate(timeout=60)
    is_true("Ctrl-C leaves no process", ready and wait_until(lambda: not ours()), ours())


def main():
    if lacks_policies(LAB, "plain"):
        skip("units that are apart", "this build lacks plain")
        plan()
        return
    mode = "plain+interval"
    for unit in "interpreter", "process":
        look_at_every_workload(unit, mode)
        receivers = look_at_numbers(unit, mode)
    is_true("process: who receives has a row each, with processor time",
            len(receivers) == 2 and all(float(r[2]) > 0 for r in receivers), receivers)
    out, error = rows(cell("fib", "process:steps=10:bytes=5000", mode))
    is_true("results may be rare, and long", out.startswith("status ok"), out, error)
    out, _ = rows([LAB, "run", "--workload", "fib", "--mode", mode, "--unit", "process", "--units",
                   "1", "--threads", "2", "--rounds", "1", "--window", "0.01", "--control", "no"])
    is_true("fewer units than processes are a refused row", "fewer units than processes" in out,
            out)
    look_at_crash(mode)
    look_at_parent(mode, signal.SIGKILL, "the parent's death")
    look_at_parent(mode, signal.SIGTERM, "SIGTERM")
    look_at_interrupt(mode)
    plan()


if __name__ == "__main__":
    main()
