-- The days' calls add up to the calls stored, and their seconds and measured calls to those of analytics.calls; that
-- view's durations to the stored ones; and the histogram, day by day (the day null too), to what was measured.
-- Returns: what does not add up, the day, the parts, the whole.
SELECT 'calls' AS what, NULL::date AS day, parts, whole
FROM (SELECT coalesce(sum(calls), 0)::bigint AS parts FROM analytics.call_duration_daily) d,
    (SELECT count(*) AS whole FROM truedy.calls) c
WHERE parts <> whole
UNION ALL
SELECT w.what, NULL, w.parts, w.whole
FROM (SELECT coalesce(sum(measured_calls), 0)::bigint AS calls, coalesce(sum(duration_seconds), 0)::bigint AS seconds
    FROM analytics.call_duration_daily) d
CROSS JOIN (SELECT count(talk_seconds) AS calls, coalesce(sum(talk_seconds), 0)::bigint AS seconds
    FROM analytics.calls) c
CROSS JOIN LATERAL (VALUES ('measured calls', d.calls, c.calls), ('seconds', d.seconds, c.seconds))
    AS w (what, parts, whole)
WHERE w.parts <> w.whole
UNION ALL
SELECT 'seconds as stored', NULL, parts, whole
FROM (SELECT sum(duration_seconds) AS parts FROM analytics.calls) v,
    (SELECT sum(duration_seconds) AS whole FROM truedy.calls) c
WHERE parts IS DISTINCT FROM whole
UNION ALL
-- Nulls do not join: infinity stands for the day null here.
SELECT w.what, nullif(day, 'infinity'), w.parts, w.whole
FROM (SELECT coalesce(day, 'infinity') AS day, sum(calls)::bigint AS calls, sum(duration_seconds)::bigint AS seconds
    FROM analytics.call_duration_histogram_daily GROUP BY 1) h
FULL JOIN (SELECT coalesce(day, 'infinity') AS day, sum(measured_calls)::bigint AS calls,
    sum(duration_seconds)::bigint AS seconds
    FROM analytics.call_duration_daily GROUP BY 1 HAVING sum(measured_calls) > 0) d USING (day)
CROSS JOIN LATERAL (VALUES ('calls in buckets', h.calls, d.calls), ('seconds in buckets', h.seconds, d.seconds))
    AS w (what, parts, whole)
WHERE w.parts IS DISTINCT FROM w.whole
