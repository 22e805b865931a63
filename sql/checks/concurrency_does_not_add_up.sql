-- The hours' seconds add up to the calls' seconds (at most 24 hours each, until now); no hour is longer than its clock;
-- an average is not above its peak, nor a peak above its calls.
-- Returns: what does not add up, the account, the hour, the parts, the whole.
SELECT 'seconds' AS what, coalesce(h.account, c.account) AS account, NULL::timestamptz AS hour_at,
    h.seconds AS parts, c.seconds AS whole
FROM (SELECT account, sum(busy_seconds) AS seconds FROM analytics.concurrency_hourly GROUP BY account) h
FULL JOIN (
    SELECT
        account,
        extract(epoch FROM sum(least(
            coalesce(ended_at, CASE WHEN is_open THEN now() ELSE started_at + make_interval(secs => duration_seconds) END),
            started_at + interval '24 hours', now()
        ) - started_at))::double precision AS seconds
    FROM analytics.calls
    WHERE is_connected AND started_at < now()
        AND coalesce(ended_at, CASE WHEN is_open THEN now() ELSE started_at + make_interval(secs => duration_seconds) END)
            > started_at
    GROUP BY account
) c ON c.account = h.account
WHERE abs(coalesce(h.seconds, 0) - coalesce(c.seconds, 0)) > 0.001 + 1e-9 * coalesce(c.seconds, 0)
UNION ALL
SELECT 'an hour', account, hour_at, busy_seconds, hour_seconds
FROM analytics.concurrency_hourly
WHERE hour_seconds > 3600 OR hour_seconds <= 0 OR average_concurrency > peak_calls + 1e-9 OR peak_calls > calls
    OR extract(hour FROM hour_at AT TIME ZONE reporting_time_zone) <> hour
    OR (hour_at AT TIME ZONE reporting_time_zone)::date <> day
UNION ALL
SELECT 'rows of an hour', account, hour_at, count(*), 1
FROM analytics.concurrency_hourly
GROUP BY account, hour_at
HAVING count(*) > 1
