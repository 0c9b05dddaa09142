#!/bin/sh
# `lab run` as its users run it: TAP, the program in $LAB.
. scripts/tap.sh

has_policies plain atomic || skip_rest "lab run" "this build lacks plain or atomic"
quick="--window 0.02 --ramp 0.005 --control no"

mistake "did you mean 'fib'" run --workload fbi
mistake "did you mean 'nolock'" run --mode nolok
mistake "did you mean 'interval'" run --policy plain --gil intervall
mistake "did you mean 'jemalloc'" run --heap jemaloc
mistake "interval_us" run --mode gil:intervall_us=5
mistake "interval_us" run --mode gil:interval_us=0
mistake "--threads" run --threads 1,x
mistake "--threads" run --threads 99999
mistake "--rounds" run --rounds 0
mistake "--window" run --window -1
mistake "--window" run --window soon
mistake "--bind" run --bind perhaps
mistake "go together" run --policy plain
mistake "exclude one another" run --mode gil --policy plain --gil none
mistake "not an option" run fib
mistake "did you mean" run --workloads fib --threds 2
mistake "cannot be written" run --csv "$dir/no/such/folder.csv"
[ ! -w /dev/full ] || mistake "cannot be written" run --csv /dev/full --replace

# The main flow: every window of every cell in the CSV, and a table.
# shellcheck disable=SC2086
lab run --workload fib,fib_shared --mode gil,atomic,nolock --threads 1,2 --rounds 2 $quick --csv "$dir/a.csv"
is "a run of twelve cells succeeds" [ "$status" -eq 0 ]
is "the table has a row for each cell" \
    sh -c "[ \$(grep -cE '^  (gil|atomic|nolock|nolock, unsafe) +[12] ' $out) -eq 12 ]"
is "the CSV has a row for each worker of each window" \
    sh -c "[ \$(grep -c ',timed,.*,ok,' $dir/a.csv) -eq 36 ] && [ \$(grep -c ',audit,.*,ok,' $dir/a.csv) -eq 2 ]"
is "every row of the CSV has as many fields as its head" \
    awk -F, 'NR == 1 { fields = NF } NF != fields { exit 1 }' "$dir/a.csv"
is "threads were bound to different processors" awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    $column["threads"] == 2 && $column["binding"] == "bound" && $column["cores"] > 1 {
        key = $column["sequence"]
        if (key in seen && seen[key] == $column["observed_pu"]) exit 1
        seen[key] = $column["observed_pu"] }' "$dir/a.csv"
is "of every worker its switches are known, and the memory of its process" awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    $column["status"] == "ok" && ($column["voluntary_switches"] == "" ||
        $column["involuntary_switches"] == "" || $column["max_rss_bytes"] < 100000) { exit 1 }' "$dir/a.csv"
is "progress is plain lines where there is no terminal" \
    sh -c "grep -q '^window 1 of 25' $err && ! grep -q \$(printf '\\033') $err"

lab run --workload empty --mode gil --threads 1 --rounds 1 --window 0.02 --csv "$dir/a.csv"
is "a file that is there is not written over" \
    sh -c "[ $status -eq 2 ] && grep -q 'there already' $err && [ \$(wc -l <$dir/a.csv) -gt 30 ]"
lab run --workload empty --mode gil --threads 1 --rounds 1 --window 0.02 --csv "$dir/a.csv" --replace
is "--replace writes over it" sh -c "[ $status -eq 0 ] && [ \$(wc -l <$dir/a.csv) -eq 2 ]"

lab run --workload fib --mode gil --threads 0,1 --rounds 1 --window 0.02 --csv "$dir/b.csv"
is "a cell that is not applicable is a row that says so" \
    sh -c "[ $status -eq 0 ] && grep -q ',skipped,' $dir/b.csv && grep -q 'not run' $out"

lab run --workload executor --mode nolock --threads 1 --rounds 1 --window 0.02 --csv "$dir/executor.csv"
is "nor is one whose threads of its own would miscount, beside a single worker" \
    sh -c "grep -q ',skipped,' $dir/executor.csv && grep -q 'not run: threads would rebuild' $out"

lab run --workload executor:loop=1 --mode gil,atomic --threads 1 --rounds 1 --window 0.02 \
    --csv "$dir/loop.csv"
is "a pool's results may be awaited by a loop" \
    sh -c "[ $status -eq 0 ] && [ \$(grep -c ',ok,' $dir/loop.csv) -ge 2 ]"

# Every heap, counted: handoff frees in one thread what another made.
lab run --workload handoff,churn --mode biased --threads 2 --rounds 1 --window 0.02 \
    --heap arena,freelist,jemalloc,mimalloc,system --csv "$dir/heaps.csv" --results "$dir/heaps.db"
is "every heap runs" [ $status -eq 0 ]
is "and each cell says what its objects took, and that none is left" awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    $column["control"] == 0 { rows++ }
    $column["control"] == 0 && ($column["live_objects"] != "0" || $column["most_objects"] < 3 ||
        $column["asked_bytes"] < 24 * $column["most_objects"]) { exit 1 }
    END { if (rows < 20) exit 1 }' "$dir/heaps.csv"
lab show --memory "$dir/heaps.db"
is "lab show has it" [ "$(grep -c '^  biased  *2  *[0-9].* 0$' "$out")" -eq 10 ]

lab run --workload sleep --mode gil --threads 1 --rounds 1 --window 5 --timeout 0.3 --csv "$dir/c.csv"
is "a cell that takes too long is ended, and its row says so" \
    sh -c "[ $status -eq 1 ] && grep -q ',timeout,' $dir/c.csv && grep -q 'limit' $out"

# A cell that dies: with no address space left for its stacks.
(ulimit -v 400000 2>/dev/null && lab run --workload fib --mode atomic \
    --threads 512 --rounds 1 --window 0.02 --csv "$dir/d.csv")
status=$?
if sanitized; then
    skip "a cell that cannot run is a row" "a sanitizer needs the address space"
else
    is "a cell that cannot run is a row that says why" \
        sh -c "[ $status -eq 1 ] && grep -q ',failed,' $dir/d.csv"
fi

# Ctrl-C: within a second, with all that was finished.
"$LAB" run --workload fib --mode gil,atomic --threads 1 --rounds 1000 --window 0.05 \
    --csv "$dir/e.csv" >"$out" 2>"$err" </dev/null &
pid=$!
while [ "$(cat "$dir/e.csv" 2>/dev/null | wc -l)" -lt 4 ]; do
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
done
before=$(date +%s%N)
kill -INT $pid
wait $pid
status=$?
after=$(date +%s%N)
is "Ctrl-C ends a run with status 130, keeps what was finished" \
    sh -c "[ $status -eq 130 ] && grep -q '^  gil ' $out && [ \$(wc -l <$dir/e.csv) -ge 4 ]"
is "and within a second" [ $(((after - before) / 1000000)) -lt 1000 ]

# Without a standard error the CSV must not take its place, and the progress with it.
timeout 60 "$LAB" run --workload empty --mode gil --threads 1 --rounds 1 --window 0.02 \
    --csv "$dir/g.csv" >"$out" 2>&-
is "no standard error at all" \
    sh -c "[ $? -eq 0 ] && [ \$(wc -l <$dir/g.csv) -eq 2 ] && ! grep -q '^window' $dir/g.csv"

if taskset -c 0 true 2>/dev/null; then
    run taskset -c 0 "$LAB" run --workload empty --mode gil --threads 1 --rounds 1 \
        --window 0.02 --csv "$dir/f.csv"
    is "the affinity mask is honoured" awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        $column["cores"] != 1 || $column["observed_pu"] != 0 { exit 1 }' "$dir/f.csv"
fi
plan
