-- Calls without the instant that a report goes by must stand on its day null, and no other call may.
-- Returns: report, how many calls its day null shows, how many calls have no instant.
SELECT r.report, coalesce(r.shown, 0) AS shown, c.stored
FROM (
    SELECT 'status_funnel_daily' AS report, sum(calls) FILTER (WHERE day IS NULL) AS shown
    FROM analytics.status_funnel_daily
    UNION ALL
    SELECT 'call_duration_daily', sum(calls) FILTER (WHERE day IS NULL) FROM analytics.call_duration_daily
    UNION ALL
    SELECT 'call_cost_daily', sum(calls) FILTER (WHERE day IS NULL) FROM analytics.call_cost_daily
) r
JOIN (
    SELECT 'status_funnel_daily' AS report, count(*) FILTER (WHERE created_at IS NULL) AS stored FROM truedy.calls
    UNION ALL
    SELECT 'call_duration_daily', count(*) FILTER (WHERE coalesce(started_at, created_at) IS NULL) FROM truedy.calls
    UNION ALL
    SELECT 'call_cost_daily', count(*) FILTER (WHERE coalesce(ended_at, created_at) IS NULL) FROM truedy.calls
) c ON c.report = r.report
WHERE coalesce(r.shown, 0) <> c.stored
