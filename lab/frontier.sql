-- What a lock leaves those that compute, beside what it does for those that wait: a row for each
-- cell with spinners. :run is the run.
--
-- rate, p50_ns, p99_ns: of role 0, what waits. background: what the spinners did a second, all of
-- them. alone: what as many threads do under this lock where nobody waits, which is the workload
-- countdown, and kept: how much of that the spinners have kept. share: of the most that any lock
-- which locks lets so many do alone, so that a lock which is slow for them is not praised for
-- keeping them slow. Medians over the windows, and with _low and _high the least and the most of
-- a window; NULL: was not measured.
WITH beside AS (
    SELECT w.cell, 1.0 * sum(s.ops) FILTER (WHERE s.role = 0) / w.seconds AS rate,
           max(s.p50_ns) FILTER (WHERE s.role = 0) AS p50_ns,
           max(s.p99_ns) FILTER (WHERE s.role = 0) AS p99_ns,
           1.0 * sum(s.ops) FILTER (WHERE s.name = 'spinner' OR c.workload = 'countdown')
               / w.seconds AS background
    FROM cells c JOIN windows w USING (cell) JOIN samples s USING (window)
    WHERE c.run = :run AND NOT c.control AND w.kind = 'timed' AND w.status IN ('ok', 'early')
      AND w.seconds > 0
      -- Quickly, for a million samples: cells that have other roles. (0: that is not known.)
      AND (c.workers > c.counted OR c.workers = 0 OR c.workload = 'countdown')
    GROUP BY w.window
    HAVING count(*) FILTER (WHERE s.name = 'spinner' OR c.workload = 'countdown') > 0),
placed AS (
    SELECT *, count(*) OVER whole AS windows, count(p50_ns) OVER whole AS timed,
           row_number() OVER (PARTITION BY cell ORDER BY rate) AS rate_place,
           row_number() OVER (PARTITION BY cell ORDER BY p50_ns NULLS LAST) AS p50_place,
           row_number() OVER (PARTITION BY cell ORDER BY p99_ns NULLS LAST) AS p99_place,
           row_number() OVER (PARTITION BY cell ORDER BY background) AS background_place
    FROM beside WINDOW whole AS (PARTITION BY cell)),
middle AS (
    SELECT c.*, p.windows,
           avg(p.rate) FILTER (WHERE p.rate_place IN ((windows + 1) / 2, (windows + 2) / 2)) AS rate,
           min(p.rate) AS rate_low, max(p.rate) AS rate_high,
           avg(p.p50_ns) FILTER (WHERE p.p50_place IN ((timed + 1) / 2, (timed + 2) / 2)) AS p50_ns,
           avg(p.p99_ns) FILTER (WHERE p.p99_place IN ((timed + 1) / 2, (timed + 2) / 2)) AS p99_ns,
           min(p.p99_ns) AS p99_ns_low, max(p.p99_ns) AS p99_ns_high,
           avg(p.background) FILTER (
               WHERE p.background_place IN ((windows + 1) / 2, (windows + 2) / 2)) AS background,
           min(p.background) AS background_low, max(p.background) AS background_high
    FROM placed p JOIN cells c USING (cell) GROUP BY p.cell),
-- (Of threads: elsewhere there are more or fewer workers than threads. 0: that is not known.)
alone AS (SELECT * FROM middle WHERE workload = 'countdown' AND counted IN (threads, 0)),
most AS (
    SELECT threads, heap, build, max(background) AS background
    FROM alone WHERE gil NOT LIKE 'none%' GROUP BY threads, heap, build)
SELECT m.cell, m.workload, m.mode, m.policy, m.gil, m.heap, m.build, m.threads, m.safe, m.windows,
       m.rate, m.rate_low, m.rate_high, m.p50_ns, m.p99_ns, m.p99_ns_low, m.p99_ns_high,
       m.background, a.background AS alone, m.background / a.background AS kept,
       m.background_low / a.background AS kept_low, m.background_high / a.background AS kept_high,
       m.background / b.background AS share, m.background_low / b.background AS share_low,
       m.background_high / b.background AS share_high
FROM middle m
LEFT JOIN alone a ON (a.mode, a.gil, a.heap, a.build, a.threads)
                   = (m.mode, m.gil, m.heap, m.build, m.threads)
LEFT JOIN most b ON (b.threads, b.heap, b.build) = (m.threads, m.heap, m.build)
WHERE m.workload <> 'countdown' ORDER BY m.number
