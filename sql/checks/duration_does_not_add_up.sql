-- The days' calls add up to the calls stored; and the histogram's seconds and calls, day by day, to those measured.
-- Returns: what does not add up, the day, the parts, the whole.
SELECT 'calls' AS what, NULL::date AS day, parts, whole
FROM (SELECT coalesce(sum(calls), 0)::bigint AS parts FROM analytics.call_duration_daily) d,
    (SELECT count(*) AS whole FROM truedy.calls) c
WHERE parts <> whole
UNION ALL
SELECT 'seconds', NULL, parts, whole
FROM (SELECT coalesce(sum(duration_seconds), 0)::bigint AS parts FROM analytics.call_duration_daily) d,
    (SELECT coalesce(sum(talk_seconds), 0) AS whole FROM analytics.calls) c
WHERE parts <> whole
UNION ALL
SELECT w.what, day, w.parts, w.whole
FROM (SELECT day, sum(calls)::bigint AS calls, sum(duration_seconds)::bigint AS seconds
    FROM analytics.call_duration_histogram_daily GROUP BY day) h
FULL JOIN (SELECT day, sum(measured_calls)::bigint AS calls, sum(duration_seconds)::bigint AS seconds
    FROM analytics.call_duration_daily GROUP BY day HAVING sum(measured_calls) > 0) d USING (day)
CROSS JOIN LATERAL (VALUES ('calls in buckets', h.calls, d.calls), ('seconds in buckets', h.seconds, d.seconds))
    AS w (what, parts, whole)
WHERE day IS NOT NULL AND w.parts IS DISTINCT FROM w.whole
