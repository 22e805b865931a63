-- The seconds of a day add up to its length, its shares of calls to no more than all, no day is missing or doubled, and
-- the days' calls add up to the live calls that are created by now and in the last 100 years.
-- Returns: what does not add up, the account, the day, the parts, the whole.
SELECT 'seconds' AS what, account, day, covered_seconds + never_compared_seconds AS parts, day_seconds AS whole
FROM analytics.coverage_daily
WHERE abs(covered_seconds + never_compared_seconds - day_seconds) > 0.001
    OR abs(proven_seconds + unsure_seconds - covered_seconds) > 0.001
    OR covered_seconds > day_seconds OR proven_seconds > covered_seconds OR proven_seconds < 0
UNION ALL
SELECT 'proven calls', account, day, proven_calls, live_calls
FROM analytics.coverage_daily
WHERE proven_calls > live_calls
UNION ALL
SELECT 'days', account, NULL, count(*), max(day) - min(day) + 1
FROM analytics.coverage_daily
GROUP BY account
HAVING count(*) <> max(day) - min(day) + 1
UNION ALL
SELECT 'calls', coalesce(d.account, c.account), NULL, d.live_calls, c.live_calls
FROM (SELECT account, sum(live_calls) AS live_calls FROM analytics.coverage_daily GROUP BY account) d
FULL JOIN (SELECT c.account, count(*) FILTER (WHERE c.deleted_at IS NULL) AS live_calls
    FROM truedy.calls c
    LEFT JOIN replicator.reporting r ON true
    WHERE c.created_at >= now() - interval '100 years'
        AND (c.created_at AT TIME ZONE coalesce(r.time_zone, 'UTC'))::date <= (now() AT TIME ZONE coalesce(r.time_zone, 'UTC'))::date
    GROUP BY c.account) c ON c.account = d.account
WHERE coalesce(d.live_calls, 0) <> coalesce(c.live_calls, 0)
