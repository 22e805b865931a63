-- analytics.concurrency_hourly
-- Grain: one row per hour and account with connected calls going on: how many at once.
-- Key: hour_at, account.
-- Time: hour_at.
-- Units: calls, seconds.
-- Counted are connected calls with a start, from started_at until just before the end; a call that spans several hours
-- is in each. An open call lasts until now; without an end that is known, the duration gives it; without that, a call
-- that is over is left out, as is one that ends before it starts. A call is counted for 24 hours at most: an end that
-- was lost would fill every hour since.
-- The peak is exact: of the level after each start and end. Calls of several accounts meet in no row.
-- Hours are counted from the day's beginning in the reporting time zone: a day has 23 or 25 of them where the clocks
-- change (where they change by half an hour, the last one is shorter). The hour that goes on has passed only in part.
-- A filter on the day reads the calls of two days; without one it reads all, twice.
CREATE OR REPLACE VIEW analytics.concurrency_hourly AS
SELECT
    h.began_at AS hour_at,
    d.day,
    extract(hour FROM h.began_at AT TIME ZONE r.time_zone)::integer AS hour,
    d.account,
    h.calls,
    h.peak_calls,
    h.busy_seconds,
    h.hour_seconds,
    h.busy_seconds / nullif(h.hour_seconds, 0) AS average_concurrency,
    r.time_zone AS reporting_time_zone
FROM replicator.reporting r
CROSS JOIN (
    -- What lasts 24 hours can end on the day after the next one, where that has 23.
    SELECT DISTINCT k.account, k.day + n.days AS day
    FROM rollup.day_bounds k CROSS JOIN generate_series(0, 2) n (days)
    WHERE k.day > '-infinity'
) d
CROSS JOIN LATERAL (SELECT
    -- Where a midnight comes twice (the clocks go back to it), a day begins with its first.
    CASE WHEN (x.midnight AT TIME ZONE r.time_zone - interval '1 hour') AT TIME ZONE r.time_zone >= x.midnight
        THEN x.midnight AT TIME ZONE r.time_zone - interval '1 hour'
        ELSE x.midnight AT TIME ZONE r.time_zone END AS begins_at,
    least(now(), CASE WHEN (x.next_midnight AT TIME ZONE r.time_zone - interval '1 hour') AT TIME ZONE r.time_zone
            >= x.next_midnight
        THEN x.next_midnight AT TIME ZONE r.time_zone - interval '1 hour'
        ELSE x.next_midnight AT TIME ZONE r.time_zone END) AS ends_at
    FROM (SELECT d.day::timestamp AS midnight, (d.day + 1)::timestamp AS next_midnight) x
) b
CROSS JOIN LATERAL (
    SELECT
        min(at) AS began_at,
        sum(CASE WHEN is_beginning THEN level ELSE started END)::bigint AS calls,
        max(level)::bigint AS peak_calls,
        sum(level * extract(epoch FROM next_at - at))::double precision AS busy_seconds,
        sum(extract(epoch FROM next_at - at))::double precision AS hour_seconds
    FROM (
        SELECT
            at,
            is_beginning,
            started,
            sum(delta) OVER (ORDER BY at) AS level,
            lead(at) OVER (ORDER BY at) AS next_at
        FROM (
            -- One row an instant: what ends as another one begins does not overlap it.
            SELECT at, sum(delta) AS delta, sum(started) AS started, bool_or(is_beginning) AS is_beginning
            FROM (
                SELECT e.at, e.delta, e.started, false AS is_beginning
                FROM rollup.facts f
                CROSS JOIN LATERAL (SELECT
                    CASE WHEN f.ended_at IS NOT NULL THEN f.ended_at
                        WHEN NOT f.is_terminal THEN now()
                        WHEN f.duration_seconds >= 0 THEN f.started_at + make_interval(secs => f.duration_seconds)
                    END AS ended_at
                ) l
                CROSS JOIN LATERAL (VALUES
                    (greatest(f.started_at, b.begins_at), 1, 1),
                    (least(l.ended_at, f.started_at + interval '24 hours', b.ends_at), -1, 0)
                ) e (at, delta, started)
                WHERE f.account = d.account AND f.is_connected
                    AND coalesce(f.started_at, f.created_at, '-infinity') >= b.begins_at - interval '24 hours'
                    AND coalesce(f.started_at, f.created_at, '-infinity') < b.ends_at
                    AND l.ended_at > f.started_at
                    AND least(l.ended_at, f.started_at + interval '24 hours') > b.begins_at
                UNION ALL
                SELECT g.at, 0, 0, true FROM generate_series(b.begins_at, b.ends_at, interval '1 hour') g (at)
                UNION ALL
                SELECT b.ends_at, 0, 0, false
            ) events
            GROUP BY at
        ) instants
    ) levels
    WHERE next_at IS NOT NULL
    GROUP BY floor(extract(epoch FROM at - b.begins_at) / 3600)
    HAVING max(level) > 0
) h;
