-- Service levels show each call once, and no more in time than judged; errors show each call that names one or could not
-- be placed, and what it cost.
-- Returns: what does not add up, the parts, the whole.
SELECT 'calls' AS what, parts::numeric AS parts, whole::numeric AS whole
FROM (SELECT coalesce(sum(calls), 0) AS parts FROM analytics.sla_daily) s, (SELECT count(*) AS whole FROM truedy.calls) c
WHERE parts <> whole
UNION ALL
SELECT 'in time', answered_in_time_calls + transcript_in_time_calls + cost_in_time_calls,
    timed_calls + transcript_judged_calls + cost_judged_calls
FROM analytics.sla_daily
WHERE answered_in_time_calls > timed_calls OR timed_calls > connected_calls OR connected_calls > calls
    OR transcript_in_time_calls > transcript_judged_calls OR cost_in_time_calls > cost_judged_calls
    OR transcript_judged_calls + transcript_backfilled_calls + transcript_unknown_calls > calls
    OR cost_judged_calls + cost_backfilled_calls > calls
UNION ALL
SELECT w.what, w.parts, w.whole
FROM (SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(not_placed_calls), 0) AS not_placed,
    coalesce(sum(cost_usd), 0) AS usd FROM analytics.errors_daily) e
CROSS JOIN (SELECT count(*) AS calls, count(*) FILTER (WHERE stage = 'not_placed') AS not_placed,
    coalesce(sum(cost_usd), 0) AS usd FROM analytics.calls WHERE error_class IS NOT NULL OR stage = 'not_placed') c
CROSS JOIN LATERAL (VALUES ('errors', e.calls, c.calls), ('not placed', e.not_placed, c.not_placed),
    ('US dollars of errors', e.usd, c.usd)) AS w (what, parts, whole)
WHERE w.parts <> w.whole
