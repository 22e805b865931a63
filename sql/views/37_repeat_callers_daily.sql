-- analytics.repeat_callers_daily
-- Grain: one row per day and account with inbound calls: how many came from somebody who had called shortly before.
-- Key: day, account.
-- Time: created_at.
-- Units: calls, callers (different numbers); rates are 0 to 1.
-- A repeat is an inbound call whose number called the account before, within 24 hours or 7 days of 24 hours. A call
-- exactly that long before counts; calls of the same instant are in the order of their ids. In the replica's first week
-- earlier calls may not be known. Calls add up over rows, callers do not.
-- A filter on the day reads that day's calls and, by an index, their callers' others; without one it does so for all.
CREATE OR REPLACE VIEW analytics.repeat_callers_daily AS
SELECT
    nullif(b.day, '-infinity') AS day,
    b.account,
    c.calls,
    c.calls - c.caller_calls AS unknown_caller_calls,
    c.caller_calls,
    c.repeat_24h_calls,
    c.repeat_7d_calls,
    c.repeat_24h_calls::double precision / nullif(c.caller_calls, 0) AS repeat_24h_rate,
    c.repeat_7d_calls::double precision / nullif(c.caller_calls, 0) AS repeat_7d_rate,
    c.callers,
    c.repeat_24h_callers,
    c.repeat_7d_callers,
    r.time_zone AS reporting_time_zone
FROM rollup.day_bounds b
CROSS JOIN replicator.reporting r
CROSS JOIN LATERAL (
    SELECT
        count(*) AS calls,
        count(k.caller) FILTER (WHERE f.created_at IS NOT NULL) AS caller_calls,
        count(*) FILTER (WHERE f.created_at - p.created_at <= interval '24 hours') AS repeat_24h_calls,
        count(p.created_at) AS repeat_7d_calls,
        count(DISTINCT k.caller) AS callers,
        count(DISTINCT k.caller) FILTER (WHERE f.created_at - p.created_at <= interval '24 hours')
            AS repeat_24h_callers,
        count(DISTINCT k.caller) FILTER (WHERE p.created_at IS NOT NULL) AS repeat_7d_callers
    FROM rollup.facts f
    CROSS JOIN LATERAL (SELECT CASE WHEN f.is_party_known THEN f.other_party END AS caller) k
    LEFT JOIN LATERAL (
        SELECT e.created_at
        FROM rollup.facts e
        WHERE e.other_party = k.caller AND e.created_at <= f.created_at
            AND e.created_at >= f.created_at - interval '168 hours'
            AND (e.created_at, e.call_id) < (f.created_at, f.call_id)
            AND e.direction = 'inbound' AND e.account = f.account
        ORDER BY e.created_at DESC LIMIT 1
    ) p ON true
    WHERE f.account = b.account AND f.direction = 'inbound'
        {created_that_day}
) c
WHERE c.calls > 0;
