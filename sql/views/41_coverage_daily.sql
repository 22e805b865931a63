-- analytics.coverage_daily
-- Grain: one row per account and day of creation, from the first known call (or the first covered instant) to today,
-- days without a call too: an empty day that was compared and an empty day that nobody looked at are not the same.
-- Units: calls, seconds; shares are 0 to 1.
-- How much of a day was compared with the source, and what of it is proven? A day's seconds are counted exactly, 23 or 25
-- hours where the clocks change, and today's until now:
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

COMMENT ON VIEW analytics.coverage_daily IS 'Grain: one row per account and day of creation, from the first known call to today, days without calls too: how much of the day was compared with the source, and what of it is proven. Key: account, day.';
COMMENT ON COLUMN analytics.coverage_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.coverage_daily.day IS 'Day on which calls are created, in the reporting time zone.';
COMMENT ON COLUMN analytics.coverage_daily.live_calls IS 'Number of calls stored of this day that were not found deleted at the source: the denominator of proven_share.';
COMMENT ON COLUMN analytics.coverage_daily.proven_calls IS 'Number of those whose place in the list is proven: the numerator of proven_share.';
COMMENT ON COLUMN analytics.coverage_daily.proven_share IS 'proven_calls over live_calls, 0 to 1; null where no call is stored.';
COMMENT ON COLUMN analytics.coverage_daily.day_seconds IS 'Length of the day in seconds: 82,800 or 90,000 where the clocks change; of today what has passed. The denominator of the shares of time.';
COMMENT ON COLUMN analytics.coverage_daily.covered_seconds IS 'Seconds of the day that were compared with the source: proven or unsure.';
COMMENT ON COLUMN analytics.coverage_daily.proven_seconds IS 'Seconds of the day that were compared, and it is proven that no call of theirs is missing.';
COMMENT ON COLUMN analytics.coverage_daily.unsure_seconds IS 'Seconds of the day that were compared and could not be proven, for unsure_reasons.';
COMMENT ON COLUMN analytics.coverage_daily.never_compared_seconds IS 'Seconds of the day that were never compared with the source.';
COMMENT ON COLUMN analytics.coverage_daily.covered_time_share IS 'covered_seconds over day_seconds, 0 to 1.';
COMMENT ON COLUMN analytics.coverage_daily.proven_time_share IS 'proven_seconds over day_seconds, 0 to 1.';
COMMENT ON COLUMN analytics.coverage_daily.unsure_time_share IS 'unsure_seconds over day_seconds, 0 to 1.';
COMMENT ON COLUMN analytics.coverage_daily.never_compared_time_share IS 'never_compared_seconds over day_seconds, 0 to 1.';
COMMENT ON COLUMN analytics.coverage_daily.unsure_reasons IS 'Why a stretch of the day is unsure; several with a semicolon. Null where nothing is.';
COMMENT ON COLUMN analytics.coverage_daily.oldest_verified_at IS 'Instant of the oldest comparison of what is covered: where covered_time_share is 1, the whole day was right as of then. Null where nothing was compared.';
COMMENT ON COLUMN analytics.coverage_daily.is_complete_and_proven IS 'The day is over, all of it was compared, and it is proven that no call is missing. Never true of today.';
COMMENT ON COLUMN analytics.coverage_daily.reporting_time_zone IS 'Name of the time zone of the days.';
