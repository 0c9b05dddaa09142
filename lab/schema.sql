-- The results file: an SQLite database, read by sqlite3, pandas, R and everything else.
--
--   machines -> runs -> cells -> windows -> samples
--
-- A run is one matrix on one machine, a cell one setting of every dial, a window one
-- measurement of a cell in a process of its own, a sample one worker's share of a
-- window. A row is written when its window is over, whole or not at all.
--
-- What is not known is NULL: never 0, never a guess. Times of day are UTC in ISO 8601
-- and may jump with the clock; started_ns is CLOCK_MONOTONIC and sequence counts the
-- windows of a run, so these two say what came after what. Seconds and nanoseconds say
-- so in their names. The views below are for readers; nothing depends on them but
-- readers.
--
-- user_version below is the number of this schema. A lab refuses a file of a later one
-- and says so; one of an earlier it reads but does not write. 2: windows has what was counted
-- of memory, of contention, and what was held back; and there is contended. 3: windows has
-- the collector's pauses; and there is turns. 4: cells has what the workers are. 5: windows has what
-- its processes used, what came with connections, and latencies of all workers together.

PRAGMA application_id = 0x6c616221; -- "lab!": what the `file` command sees
PRAGMA user_version = 5;

CREATE TABLE machines (
    machine   INTEGER PRIMARY KEY,
    key       TEXT NOT NULL UNIQUE, -- the same from boot to boot; see lab/provenance.h
    host      TEXT,
    synthetic TEXT,                 -- hwloc's one line, "Package:1 Core:2 PU:1"
    hwloc_xml TEXT                  -- lstopo -i FILE draws it
) STRICT;

CREATE TABLE runs (
    run       INTEGER PRIMARY KEY,
    uuid      TEXT NOT NULL UNIQUE, -- the same in every file that the run is copied to
    machine   INTEGER NOT NULL REFERENCES machines,
    matrix    TEXT NOT NULL,        -- its name; 'run' for the dials of a command line
    source    TEXT NOT NULL,        -- the matrix's whole text, or the command line
    plan      TEXT NOT NULL,        -- hash of cells and settings: equal plans, equal hashes
    build     TEXT NOT NULL,        -- hash of the program that ran it
    cores     INTEGER NOT NULL,     -- processors that it was allowed
    seed      INTEGER NOT NULL,
    placing   TEXT NOT NULL,        -- order of the windows: shuffled, pairs or sorted
    window_s  REAL NOT NULL,        -- how long each was to be measured ...
    ramp_s    REAL NOT NULL,        -- ... after it has run for so long
    timeout_s REAL NOT NULL,
    memory_bytes INTEGER NOT NULL,  -- a cell's process that uses more is ended
    bind      TEXT NOT NULL,        -- auto, yes, no or apart
    rounds_least INTEGER NOT NULL,
    rounds_most  INTEGER NOT NULL,
    precision REAL NOT NULL,        -- between the two, a cell stops when the interval of its
                                    -- median is within this share of it; 0: at the least
    budget_s  REAL NOT NULL,        -- for the whole matrix, shared out equally; 0: unbounded
    started   TEXT NOT NULL,
    ended     TEXT,                 -- NULL: not finished
    pid       INTEGER               -- of the process that began or resumed it last
) STRICT;

-- What was true of machine and build, as lab/provenance.h collects it. What does
-- not change is of the moment 'run'; what does has a row 'before' and one 'after'.
CREATE TABLE facts (
    run    INTEGER NOT NULL REFERENCES runs,
    moment TEXT NOT NULL CHECK (moment IN ('run', 'before', 'after')),
    name   TEXT NOT NULL,
    value  TEXT,                    -- NULL: absent on this machine
    PRIMARY KEY (run, moment, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cells (
    cell     INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL REFERENCES runs,
    number   INTEGER NOT NULL,      -- in the plan, from 0
    workload TEXT NOT NULL,         -- as typed, with parameters
    mode     TEXT NOT NULL,         -- as typed: 'gil', 'biased+none'
    policy   TEXT NOT NULL,
    gil      TEXT NOT NULL,         -- the lock, with those parameters that are not the usual
    heap     TEXT NOT NULL,
    threads  INTEGER NOT NULL,
    build    TEXT NOT NULL,         -- which program ran it: '' for the lab itself
    control  INTEGER NOT NULL,      -- 1, 2: the twins from which the noise floor is taken
    about    TEXT NOT NULL,         -- the workload in a line
    kind     TEXT NOT NULL,         -- cpu, io or mixed
    unit     TEXT NOT NULL,         -- what is counted, singular
    shares   TEXT NOT NULL,         -- nothing, handover, reads, writes or tables
    counted  INTEGER NOT NULL,      -- workers whose operations are counted: those of role 0
    workers  INTEGER NOT NULL,      -- all workers
    base     INTEGER NOT NULL,      -- the thread count with which others are compared
    safe     INTEGER NOT NULL,      -- 0: the policy needs a lock and has none
    miscounts INTEGER NOT NULL,     -- 1: unsafe, and threads share objects: there is an audit
    refusal  TEXT,                  -- why it is not run; NULL: it is
    execution_unit TEXT NOT NULL,   -- what its workers are, the dial `unit`: thread, greenlet ...
    units    INTEGER,               -- how many, on all threads together; NULL: they are the threads
    carriers INTEGER NOT NULL,      -- threads on which they are; a pool's are not counted
    UNIQUE (run, number)
) STRICT;

CREATE TABLE windows (
    window   INTEGER PRIMARY KEY,
    cell     INTEGER NOT NULL REFERENCES cells,
    kind     TEXT NOT NULL CHECK (kind IN ('timed', 'audit', 'stats')),
    block    INTEGER NOT NULL,      -- from 1: a pass through all cells; others have 0
    sequence INTEGER NOT NULL,      -- from 1, over the whole run
    started  TEXT NOT NULL,
    started_ns INTEGER NOT NULL,
    took_s   REAL NOT NULL,         -- the whole process
    status   TEXT NOT NULL,         -- ok; early: ended by the bound on kept memory;
                                    -- failed, timeout, skipped
    note     TEXT NOT NULL,         -- why; or what else a reader must know
    seconds  REAL,                  -- of the measured window
    overlap  REAL,                  -- share of it in which all workers were at work
    steal    REAL,                  -- share of all processors' time taken by other machines
    busy     REAL,                  -- share used by other programs of this machine
    mhz      REAL,
    max_rss_bytes INTEGER,
    lost     INTEGER,               -- updates that the program lost, not the runtime
    handed_over INTEGER,            -- objects that were all dropped; NULL: nobody looked how many
    held_back   INTEGER,            -- of them, at most, were dead and not destroyed
    published INTEGER, off INTEGER, over INTEGER, under INTEGER, -- as in docs/reading.md
    leaked   INTEGER, early INTEGER, kept_bytes INTEGER,
    young_collections INTEGER,      -- of the cycle collector, from the first object to the last
    all_collections INTEGER,        -- worker's end: of young containers, and of all
    garbage  INTEGER,               -- containers that it found dead
    pause_total_ns INTEGER,         -- in which the world stood still; NULL, and so the next: it
    pause_p50_ns INTEGER, pause_p99_ns INTEGER, pause_max_ns INTEGER, -- never did
    -- Of block 1, from a window beside it in which they were counted:
    live_objects INTEGER,           -- when all had ended: not 0 is a leak
    most_objects INTEGER,           -- alive at once
    asked_bytes  INTEGER,           -- most that was asked of the heap at once, for all of them
    taken_bytes  INTEGER,           -- and what it takes, rounded up; NULL: the heap cannot say
    -- Of a 'stats' window, as objects/stats.h has them:
    own_ops  INTEGER, foreign_ops INTEGER, -- counts by the thread that made the object; by others
    retries  INTEGER,               -- compare-and-swaps that failed, locks that another held
    merges   INTEGER,
    queued   INTEGER, most_queued INTEGER, most_held_bytes INTEGER,
    delay_p50_ns INTEGER, delay_p99_ns INTEGER, delay_max_ns INTEGER, -- NULL: nothing was queued
    crowded  INTEGER,               -- 1: there were more places or objects than are told apart
    incomplete INTEGER,             -- 1: there was no memory to count all
    -- Of all threads of its processes, those too that a workload starts by itself:
    process_cpu_s REAL, process_voluntary_switches INTEGER, process_involuntary_switches INTEGER,
    connections INTEGER,            -- that the workload has opened; NULL: it is not about them
    grown_bytes INTEGER,            -- resident memory at the window's end, less that before setup
    -- Of all workers of role 0 together; NULL: it records none.
    latency_p50_ns INTEGER, latency_p90_ns INTEGER, latency_p99_ns INTEGER, latency_p999_ns INTEGER,
    latency_max_ns INTEGER,
    UNIQUE (cell, kind, block)
) STRICT;

CREATE TABLE samples (
    window  INTEGER NOT NULL REFERENCES windows,
    role    INTEGER NOT NULL,       -- 0: the one that is counted
    worker  INTEGER NOT NULL,       -- within its role; of units the thread that carries them:
    name    TEXT NOT NULL,          -- of the role      then ops are the sum of all on it
    ops     INTEGER NOT NULL,
    cpu_s   REAL NOT NULL,          -- of that thread, and of a pool that works for it; where it
                                    -- carries several roles, they stand in the first
    planned_pu INTEGER, observed_pu INTEGER,
    binding TEXT NOT NULL,          -- bound, unbound, simulated or refused
    p50_ns INTEGER, p90_ns INTEGER, p99_ns INTEGER, max_ns INTEGER, -- NULL: not recorded
    cycles INTEGER, instructions INTEGER, cache_misses INTEGER,     -- NULL: not allowed here
    voluntary_switches INTEGER, involuntary_switches INTEGER,
    PRIMARY KEY (window, role, worker)
) STRICT, WITHOUT ROWID;

-- The ten objects, or places where objects were made, that others have counted most.
CREATE TABLE contended (
    window  INTEGER NOT NULL REFERENCES windows,
    rank    INTEGER NOT NULL,       -- from 1
    type    TEXT NOT NULL,
    site    TEXT NOT NULL,          -- 'benches/fibonacci.c:41 in fibonacci_init'
    alone   INTEGER NOT NULL,       -- 1: one object; 0: those that were made there
    objects INTEGER NOT NULL,
    threads INTEGER NOT NULL,       -- that counted it
    own_ops INTEGER NOT NULL, foreign_ops INTEGER NOT NULL, retries INTEGER NOT NULL,
    PRIMARY KEY (window, rank)
) STRICT, WITHOUT ROWID;

-- How threads fared at the global lock, of a window beside a 'stats' one, in the usual build.
CREATE TABLE turns (
    window  INTEGER NOT NULL REFERENCES windows,
    role    INTEGER NOT NULL,       -- as in samples; -1: the lock, the sum of all threads
    worker  INTEGER NOT NULL,
    name    TEXT NOT NULL,          -- of the role; 'lock'
    held_ns INTEGER NOT NULL, waiting_ns INTEGER NOT NULL, free_ns INTEGER NOT NULL, -- of the window
    forced  INTEGER NOT NULL,       -- it let go as it was asked to, and another got the lock
    in_vain INTEGER NOT NULL,       -- likewise, and nobody else did
    voluntary INTEGER NOT NULL,     -- it detached
    requests INTEGER NOT NULL,      -- others asked it to let go
    waits   INTEGER NOT NULL,
    wait_p50_ns INTEGER, wait_p90_ns INTEGER, wait_p99_ns INTEGER, wait_p999_ns INTEGER,
    wait_max_ns INTEGER,            -- NULL: it never waited
    PRIMARY KEY (window, role, worker)
) STRICT, WITHOUT ROWID;

-- One row for each timed window that was measured: who, when, how fast.
CREATE VIEW rates AS
SELECT c.run, c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads, c.kind,
       c.unit, c.safe, c.control, w.window, w.block, w.sequence, w.started,
       sum(s.ops) / w.seconds AS rate,                                  -- operations a second
       sum(s.ops) * 1.0 * sum(s.ops) / (count(*) * sum(s.ops * 1.0 * s.ops)) AS fairness, -- Jain's
       avg(s.p50_ns) AS p50_ns, max(s.p99_ns) AS p99_ns,
       sum(s.cpu_s) AS cpu_s, w.steal, w.busy, w.max_rss_bytes
FROM windows w JOIN cells c USING (cell) JOIN samples s USING (window)
WHERE w.kind = 'timed' AND w.status IN ('ok', 'early') AND w.seconds > 0 AND s.role = 0
GROUP BY w.window;

-- One row for each cell: the median of its windows' rates.
CREATE VIEW medians AS
SELECT run, cell, workload, mode, heap, build, execution_unit, units, threads, kind, unit, safe, control,
       windows, avg(rate) AS rate, least, most
FROM (SELECT *, row_number() OVER by_rate AS place, count(*) OVER whole AS windows,
             min(rate) OVER whole AS least, max(rate) OVER whole AS most
      FROM rates
      WINDOW by_rate AS (PARTITION BY cell ORDER BY rate), whole AS (PARTITION BY cell))
WHERE place IN ((windows + 1) / 2, (windows + 2) / 2)
GROUP BY cell;

-- Each cell beside the same mode at its base (one thread), and beside nolock there.
CREATE VIEW speedups AS
SELECT m.*, m.rate / own.rate AS speedup, m.rate / free.rate AS of_nolock
FROM medians m JOIN cells c USING (cell)
LEFT JOIN medians own ON (own.run, own.workload, own.mode, own.heap, own.build, own.execution_unit, own.threads, own.control)
                       = (m.run, m.workload, m.mode, m.heap, m.build, m.execution_unit, c.base, 0)
                     AND own.units IS m.units
LEFT JOIN medians free ON (free.run, free.workload, free.mode, free.heap, free.build, free.execution_unit, free.threads, free.control)
                        = (m.run, m.workload, 'nolock', m.heap, m.build, m.execution_unit, c.base, 0)
                      AND free.units IS m.units
WHERE m.control = 0;

-- The safe mode that did most, for each workload, unit and thread count.
CREATE VIEW best AS
SELECT run, workload, heap, build, execution_unit, units, threads, mode, max(rate) AS rate
FROM medians WHERE safe AND NOT control
GROUP BY run, workload, heap, build, execution_unit, units, threads;

-- What wrong counts did, for each unsafe cell.
CREATE VIEW damage AS
SELECT c.run, c.cell, c.workload, c.mode, c.execution_unit, c.units, c.threads, w.published, w.off, w.over - w.under AS net,
       w.leaked, w.early
FROM windows w JOIN cells c USING (cell)
WHERE w.kind = 'audit' AND w.status IN ('ok', 'early');

-- Who contended for what, for each cell in which that was counted.
CREATE VIEW contention AS
SELECT c.run, c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads,
       w.own_ops, w.foreign_ops, w.retries, w.merges, w.queued, w.most_queued, w.most_held_bytes, w.delay_p50_ns, w.delay_p99_ns,
       w.delay_max_ns, h.type AS hottest, h.site AS made_at
FROM windows w JOIN cells c USING (cell) LEFT JOIN contended h ON h.window = w.window AND h.rank = 1
WHERE w.kind = 'stats' AND w.status IN ('ok', 'early');

-- Who had the lock and who waited for it, for each cell in which it was watched: shares of a
-- worker's time; of the row 'lock' how many threads did, on average.
CREATE VIEW lock_use AS
SELECT run, cell, workload, mode, gil, execution_unit, units, threads, role, worker, held_ns / all_ns AS held,
       waiting_ns / all_ns AS waiting, free_ns / all_ns AS free, forced, in_vain, voluntary, requests,
       waits, wait_p50_ns, wait_p90_ns, wait_p99_ns, wait_p999_ns, wait_max_ns
FROM (SELECT c.run, c.cell, c.workload, c.mode, c.gil, c.execution_unit, c.units, c.threads, t.name AS role, t.worker, t.held_ns,
             t.waiting_ns, t.free_ns, t.forced, t.in_vain, t.voluntary, t.requests, t.waits,
             t.wait_p50_ns, t.wait_p90_ns, t.wait_p99_ns, t.wait_p999_ns, t.wait_max_ns,
             nullif(t.held_ns + t.waiting_ns + t.free_ns, 0) * 1.0
                 / CASE t.role WHEN -1 THEN c.carriers ELSE 1 END AS all_ns
      FROM turns t JOIN windows w USING (window) JOIN cells c USING (cell)
      WHERE w.status IN ('ok', 'early'));

-- What each cell's objects took, their tables included.
CREATE VIEW memory AS
SELECT c.run, c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads, w.most_objects,
       w.asked_bytes * 1.0 / nullif(w.most_objects, 0) AS asked_per_object,
       w.taken_bytes * 1.0 / nullif(w.most_objects, 0) AS taken_per_object,
       coalesce(w.taken_bytes, w.asked_bytes) AS peak_bytes, w.live_objects
FROM windows w JOIN cells c USING (cell)
WHERE w.most_objects IS NOT NULL;

-- What the cycle collector did in each timed window in which it ran.
CREATE VIEW pauses AS
SELECT c.run, c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads, w.block,
       w.young_collections, w.all_collections, w.garbage, w.pause_total_ns, w.pause_p50_ns, w.pause_p99_ns, w.pause_max_ns
FROM windows w JOIN cells c USING (cell)
WHERE w.kind = 'timed' AND w.status IN ('ok', 'early') AND w.young_collections + w.all_collections > 0;

-- What waiting costs, for each timed window: latencies of all workers of role 0 together, and for
-- each of their operations what all threads used.
CREATE VIEW waits AS
SELECT c.run, c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads, c.kind,
       w.block, sum(s.ops) / w.seconds AS rate, w.latency_p50_ns AS p50_ns, w.latency_p90_ns AS p90_ns,
       w.latency_p99_ns AS p99_ns, w.latency_p999_ns AS p999_ns, w.latency_max_ns AS max_ns,
       w.process_cpu_s * 1e9 / nullif(sum(s.ops), 0) AS cpu_ns,
       w.process_voluntary_switches * 1.0 / nullif(sum(s.ops), 0) AS voluntary_switches,
       w.process_involuntary_switches * 1.0 / nullif(sum(s.ops), 0) AS involuntary_switches,
       w.connections, w.grown_bytes * 1.0 / w.connections AS connection_bytes
FROM windows w JOIN cells c USING (cell) JOIN samples s USING (window)
WHERE w.kind = 'timed' AND w.status IN ('ok', 'early') AND w.seconds > 0 AND s.role = 0
      AND w.process_cpu_s IS NOT NULL
GROUP BY w.window;

-- Cells that have fewer measured windows than planned, and the last reason given.
CREATE VIEW gaps AS
SELECT c.run, c.cell, c.workload, c.mode, c.heap, c.build, c.execution_unit, c.units, c.threads,
       count(w.window) AS windows, r.rounds_least AS planned,
       coalesce(c.refusal,
                (SELECT status || ': ' || note FROM windows x
                 WHERE x.cell = c.cell AND x.kind = 'timed' AND x.status NOT IN ('ok', 'early')
                 ORDER BY block DESC LIMIT 1), 'not run yet') AS reason
FROM cells c JOIN runs r USING (run)
LEFT JOIN windows w ON w.cell = c.cell AND w.kind = 'timed' AND w.status IN ('ok', 'early')
GROUP BY c.cell HAVING count(w.window) < r.rounds_least;

-- Every sample with all that is known of it, and a row 'skipped' for each cell that is not
-- run: what `lab export --format csv` writes.
CREATE VIEW tidy AS
SELECT m.key AS machine, r.uuid AS run, r.matrix, r.cores, r.seed,
       c.cell, c.workload, c.kind, c.unit, c.shares, c.mode, c.policy, c.gil, c.heap, c.build, c.threads,
       c.execution_unit, c.units, c.control, c.safe, coalesce(w.kind, 'timed') AS window, coalesce(w.block, 0) AS round,
       w.sequence, coalesce(w.status, 'skipped') AS status, coalesce(w.note, c.refusal) AS note,
       w.started, w.started_ns, w.seconds, w.overlap, w.steal, w.busy, w.mhz, w.max_rss_bytes,
       s.name AS role, s.role AS role_number, s.worker, s.ops, s.cpu_s,
       s.planned_pu, s.observed_pu, s.binding, s.p50_ns, s.p90_ns, s.p99_ns, s.max_ns,
       s.cycles, s.instructions, s.cache_misses, s.voluntary_switches, s.involuntary_switches,
       w.lost, w.published, w.off, w.over, w.under, w.leaked, w.early, w.kept_bytes,
       w.live_objects, w.most_objects, w.asked_bytes, w.taken_bytes, w.handed_over, w.held_back,
       w.young_collections, w.all_collections, w.garbage, w.pause_total_ns, w.pause_p50_ns,
       w.pause_p99_ns, w.pause_max_ns,
       w.own_ops, w.foreign_ops, w.retries, w.merges, w.queued, w.most_queued, w.most_held_bytes,
       w.delay_p50_ns, w.delay_p99_ns, w.delay_max_ns,
       w.process_cpu_s, w.process_voluntary_switches, w.process_involuntary_switches,
       w.connections, w.grown_bytes,
       w.latency_p50_ns, w.latency_p90_ns, w.latency_p99_ns, w.latency_p999_ns, w.latency_max_ns
FROM cells c JOIN runs r USING (run) JOIN machines m USING (machine)
LEFT JOIN windows w USING (cell) LEFT JOIN samples s USING (window)
WHERE w.window IS NOT NULL OR c.refusal IS NOT NULL;
