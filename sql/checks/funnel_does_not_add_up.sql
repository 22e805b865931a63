-- The stages of each row of the funnel add up to its calls, and all rows to the calls stored.
-- Returns: what does not add up, the day, the parts, the whole.
SELECT 'stages of a row' AS what, day, open_calls + answered_calls + machine_calls + not_answered_calls + busy_calls
    + not_placed_calls + cancelled_calls + unmapped_calls AS parts, calls AS whole
FROM analytics.status_funnel_daily
WHERE open_calls + answered_calls + machine_calls + not_answered_calls + busy_calls + not_placed_calls
    + cancelled_calls + unmapped_calls <> calls
UNION ALL
SELECT 'groups of a row', day, open_calls + terminal_calls + unmapped_calls, calls
FROM analytics.status_funnel_daily
WHERE open_calls + terminal_calls + unmapped_calls <> calls OR placed_calls + not_placed_calls + cancelled_calls <> terminal_calls
UNION ALL
SELECT 'rows', NULL, parts, whole
FROM (SELECT coalesce(sum(calls), 0)::bigint AS parts FROM analytics.status_funnel_daily) f,
    (SELECT count(*) AS whole FROM truedy.calls) c
WHERE parts <> whole
