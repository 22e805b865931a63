-- What the roll-ups keep of a day that is up to date is what the calls say of it, counted by another hand.
-- Returns: what differs, account, day, kept, counted.
SELECT what, account, day, kept, counted
FROM (
    SELECT 'funnel' AS what, account, day, sum(kept) AS kept, sum(counted) AS counted
    FROM (
        SELECT account, day, calls + conversations AS kept, 0 AS counted FROM rollup.funnel
        UNION ALL
        SELECT account, created_on, 0, 1 + is_conversation::integer FROM analytics.calls WHERE created_on IS NOT NULL
    ) f
    GROUP BY account, day
    UNION ALL
    SELECT 'durations', account, day, sum(kept), sum(counted)
    FROM (
        SELECT account, day, calls + duration_seconds AS kept, 0 AS counted FROM rollup.durations
        UNION ALL
        SELECT account, started_on, 0, 1 + coalesce(talk_seconds, 0) FROM analytics.calls WHERE started_on IS NOT NULL
    ) d
    GROUP BY account, day
    UNION ALL
    SELECT 'costs', account, day, sum(kept), sum(counted)
    FROM (
        SELECT account, day, calls + coalesce(cost_usd, 0) AS kept, 0 AS counted FROM rollup.costs
        UNION ALL
        SELECT account, cost_on, 0, 1 + coalesce(cost_usd, 0) FROM analytics.calls WHERE cost_on IS NOT NULL
    ) c
    GROUP BY account, day
) all_days
WHERE kept <> counted
    AND NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = all_days.account AND s.day = all_days.day)
