-- analytics.coverage_daily
-- Grain: one row per account and day, from the first known call or covered instant to today, days without calls too:
-- how much of the day was compared with the source, and what of it is proven.
-- Key: account, day.
-- Time: created_at.
-- Units: calls, seconds; shares are 0 to 1.
-- A row is there for a day without calls too: an empty day that was compared and an empty day that was never compared are
-- not the same. A day's seconds are counted exactly, 23 or 25 hours where the clocks change, and today's until now:
--     day_seconds     = covered_seconds + never_compared_seconds
--     covered_seconds = proven_seconds + unsure_seconds
-- A call created after now, or more than 100 years ago (a clock that was wrong), is on no day here.
CREATE OR REPLACE VIEW analytics.coverage_daily AS
SELECT
    a.account,
    b.day,
    l.live_calls,
    p.proven_calls,
    p.proven_calls::double precision / nullif(l.live_calls, 0) AS proven_share,
    b.day_seconds::double precision AS day_seconds,
    v.covered_seconds::double precision AS covered_seconds,
    v.proven_seconds::double precision AS proven_seconds,
    (v.covered_seconds - v.proven_seconds)::double precision AS unsure_seconds,
    (b.day_seconds - v.covered_seconds)::double precision AS never_compared_seconds,
    (v.covered_seconds / nullif(b.day_seconds, 0))::double precision AS covered_time_share,
    (v.proven_seconds / nullif(b.day_seconds, 0))::double precision AS proven_time_share,
    ((v.covered_seconds - v.proven_seconds) / nullif(b.day_seconds, 0))::double precision AS unsure_time_share,
    ((b.day_seconds - v.covered_seconds) / nullif(b.day_seconds, 0))::double precision AS never_compared_time_share,
    v.unsure_reasons,
    v.oldest_verified_at,
    b.ends_at <= now() AND v.proven_seconds = b.day_seconds AS is_complete_and_proven,
    r.time_zone AS reporting_time_zone
FROM replicator.reporting r
CROSS JOIN LATERAL (
    SELECT x.account, min(x.first_at) AS first_at
    FROM (
        -- By an index, and not by grouping all calls.
        SELECT k.account, (SELECT min(c.created_at) FROM truedy.calls c
            WHERE c.account = k.account AND c.created_at >= now() - interval '100 years') AS first_at
        FROM (SELECT DISTINCT account FROM rollup.day_bounds) k
        UNION ALL
        -- The piece that reaches down to the beginning is known from its upper end only.
        SELECT account, min(CASE WHEN isfinite(since) THEN since ELSE until END) FROM replicator.coverage GROUP BY account
    ) x
    GROUP BY x.account
) a
CROSS JOIN LATERAL generate_series(
    date_trunc('day', a.first_at AT TIME ZONE r.time_zone), now() AT TIME ZONE r.time_zone, interval '1 day'
) AS d (midnight)
CROSS JOIN LATERAL (
    SELECT
        day,
        begins_at,
        ends_at,
        extract(epoch FROM least(ends_at, now()) - begins_at) AS day_seconds
    FROM (
        SELECT
            d.midnight::date AS day,
            -- Where a midnight comes twice (the clocks go back to it), a day begins with its first.
            CASE WHEN (d.midnight AT TIME ZONE r.time_zone - interval '1 hour') AT TIME ZONE r.time_zone >= d.midnight
                THEN d.midnight AT TIME ZONE r.time_zone - interval '1 hour'
                ELSE d.midnight AT TIME ZONE r.time_zone END AS begins_at,
            CASE WHEN ((d.midnight + interval '1 day') AT TIME ZONE r.time_zone - interval '1 hour')
                    AT TIME ZONE r.time_zone >= d.midnight + interval '1 day'
                THEN (d.midnight + interval '1 day') AT TIME ZONE r.time_zone - interval '1 hour'
                ELSE (d.midnight + interval '1 day') AT TIME ZONE r.time_zone END AS ends_at
    ) e
) b
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(seconds), 0) AS covered_seconds,
        coalesce(sum(seconds) FILTER (WHERE is_proven), 0) AS proven_seconds,
        string_agg(DISTINCT coalesce(nullif(reason, ''), 'not proven'), '; ') FILTER (WHERE NOT is_proven) AS unsure_reasons,
        min(verified_at) AS oldest_verified_at
    FROM (
        SELECT
            c.is_proven,
            c.reason,
            c.verified_at,
            extract(epoch FROM least(c.until, b.ends_at, now()) - greatest(c.since, b.begins_at)) AS seconds
        FROM replicator.coverage c
        WHERE c.account = a.account AND c.since < least(b.ends_at, now()) AND c.until > b.begins_at
    ) o
) v
-- By the day's instants and not by grouping: a range of an index for each day, however many calls there are.
CROSS JOIN LATERAL (
    SELECT count(*) AS live_calls
    FROM truedy.calls c
    WHERE c.account = a.account AND c.deleted_at IS NULL AND c.created_at >= b.begins_at AND c.created_at < b.ends_at
) l
CROSS JOIN LATERAL (
    SELECT count(*) AS proven_calls
    FROM replicator.coverage x
    JOIN truedy.calls c ON c.account = x.account
        AND c.created_at >= greatest(x.since, b.begins_at) AND c.created_at < least(x.until, b.ends_at)
    WHERE x.account = a.account AND x.is_proven AND x.since < b.ends_at AND x.until > b.begins_at AND c.deleted_at IS NULL
) p;
