-- What a lock leaves those that compute, beside what it does for those that wait: a row for each
-- cell with spinners. :run is the run.
--
-- rate, p50_ns, p99_ns: of role 0, what waits. background: what the spinners did a second, all of
-- them. alone: what they do under this lock where nothing is sent (echo_open:rate=0, as many
-- spinners), and kept: how much of that they have kept. share: of the most that any lock which
-- locks lets so many spinners do alone, so that a lock which is slow for them is not praised for
-- keeping them slow. Medians over the windows; NULL: was not measured.
WITH beside AS (
    SELECT w.cell, 1.0 * sum(s.ops) FILTER (WHERE s.role = 0) / w.seconds AS rate,
           max(s.p50_ns) FILTER (WHERE s.role = 0) AS p50_ns,
           max(s.p99_ns) FILTER (WHERE s.role = 0) AS p99_ns,
           1.0 * sum(s.ops) FILTER (WHERE s.name = 'spinner') / w.seconds AS background
    FROM cells c JOIN windows w USING (cell) JOIN samples s USING (window)
    WHERE c.run = :run AND NOT c.control AND c.workers > c.counted AND w.kind = 'timed' AND w.status IN ('ok', 'early')
      AND w.seconds > 0
    GROUP BY w.window HAVING count(*) FILTER (WHERE s.name = 'spinner') > 0),
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
           avg(p.p50_ns) FILTER (WHERE p.p50_place IN ((timed + 1) / 2, (timed + 2) / 2)) AS p50_ns,
           avg(p.p99_ns) FILTER (WHERE p.p99_place IN ((timed + 1) / 2, (timed + 2) / 2)) AS p99_ns,
           avg(p.background) FILTER (
               WHERE p.background_place IN ((windows + 1) / 2, (windows + 2) / 2)) AS background,
           c.workload || ':' LIKE 'echo_open:%rate=0:%' AS idle
    FROM placed p JOIN cells c USING (cell) GROUP BY p.cell),
most AS (
    SELECT threads, heap, build, max(background) AS background
    FROM middle WHERE idle AND gil NOT LIKE 'none%' GROUP BY threads, heap, build)
SELECT m.cell, m.workload, m.mode, m.policy, m.gil, m.heap, m.build, m.threads, m.safe, m.windows,
       m.rate, m.p50_ns, m.p99_ns, m.background, a.background AS alone,
       m.background / a.background AS kept, m.background / b.background AS share
FROM middle m
LEFT JOIN middle a ON a.idle AND (a.mode, a.gil, a.heap, a.build, a.threads)
                               = (m.mode, m.gil, m.heap, m.build, m.threads)
LEFT JOIN most b ON (b.threads, b.heap, b.build) = (m.threads, m.heap, m.build)
WHERE NOT m.idle ORDER BY m.number
