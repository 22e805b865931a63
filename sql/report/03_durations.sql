-- One row per bucket of days of the period, and one (bucket null) each for the period and the one before it.
-- Counts, sums and the longest are exact. Percentiles do not add up over agents and days, so they are estimated from the
-- histogram, whose bands do. Of a band's calls the mean is known, and the edges (those of the band, or the shortest and
-- the longest call): they are taken to lie evenly below the mean and evenly above it, as many on either side as make the
-- mean what it is. So an estimate is wrong by less than its band is wide, and one call alone in its band is exact.
WITH bands AS (
    SELECT
        is_before, bucket, lower_seconds, upper_seconds,
        sum(calls)::bigint AS calls,
        sum(duration_seconds)::double precision / sum(calls) AS mean_seconds,
        sum(sum(calls)) OVER (PARTITION BY is_before, grouping(bucket), bucket ORDER BY lower_seconds) - sum(calls) AS shorter_calls
    FROM (
        SELECT
            day < %(since)s AS is_before,
            CASE WHEN day >= %(since)s THEN date_trunc(%(bucket)s, day::timestamp)::date END AS bucket,
            lower_seconds, upper_seconds, calls, duration_seconds
        FROM analytics.call_duration_histogram_daily
        WHERE account = %(account)s AND day BETWEEN %(before)s AND %(today)s
    ) h
    GROUP BY GROUPING SETS ((is_before, lower_seconds, upper_seconds), (is_before, bucket, lower_seconds, upper_seconds))
    HAVING grouping(bucket) = 1 OR bucket IS NOT NULL
), measured AS (
    SELECT
        is_before, bucket,
        sum(measured_calls)::bigint AS measured_calls,
        sum(duration_seconds)::bigint AS duration_seconds,
        min(shortest_seconds) AS shortest_seconds,
        max(longest_seconds) AS longest_seconds
    FROM (
        SELECT
            day < %(since)s AS is_before,
            CASE WHEN day >= %(since)s THEN date_trunc(%(bucket)s, day::timestamp)::date END AS bucket,
            measured_calls, duration_seconds, shortest_seconds, longest_seconds
        FROM analytics.call_duration_daily
        WHERE account = %(account)s AND day BETWEEN %(before)s AND %(today)s AND measured_calls > 0
    ) d
    GROUP BY GROUPING SETS ((is_before), (is_before, bucket))
    HAVING grouping(bucket) = 1 OR bucket IS NOT NULL
)
SELECT
    m.is_before,
    m.bucket,
    m.measured_calls,
    m.duration_seconds,
    -- As percentile_cont does: between the two calls that the share lies between.
    sum(p.weight * p.seconds) FILTER (WHERE p.share = 0.5) AS p50_seconds,
    sum(p.weight * p.seconds) FILTER (WHERE p.share = 0.9) AS p90_seconds,
    sum(p.weight * p.seconds) FILTER (WHERE p.share = 0.99) AS p99_seconds,
    m.longest_seconds
FROM measured m
JOIN LATERAL (
    SELECT
        s.share,
        w.weight,
        CASE
            WHEN b.calls = 1 OR e.high = e.low THEN b.mean_seconds
            WHEN u.share <= e.low_share THEN e.low + (b.mean_seconds - e.low) * u.share / e.low_share
            ELSE b.mean_seconds + (e.high - b.mean_seconds) * (u.share - e.low_share) / (1 - e.low_share)
        END AS seconds
    FROM (VALUES (0.5), (0.9), (0.99)) s (share)
    CROSS JOIN LATERAL (SELECT (m.measured_calls - 1) * s.share::double precision AS place) h
    CROSS JOIN LATERAL (VALUES
        (floor(h.place), 1 - (h.place - floor(h.place))), (floor(h.place) + 1, h.place - floor(h.place))
    ) w (place, weight)
    JOIN bands b ON b.is_before = m.is_before AND b.bucket IS NOT DISTINCT FROM m.bucket
        AND w.place >= b.shorter_calls AND w.place < b.shorter_calls + b.calls
    CROSS JOIN LATERAL (SELECT greatest(b.lower_seconds, m.shortest_seconds)::double precision AS low,
        least(b.upper_seconds - 1, m.longest_seconds)::double precision AS high) g
    CROSS JOIN LATERAL (SELECT g.low, g.high, (g.high - b.mean_seconds) / nullif(g.high - g.low, 0) AS low_share) e
    CROSS JOIN LATERAL (SELECT (w.place - b.shorter_calls + 0.5) / b.calls AS share) u
) p ON true
GROUP BY m.is_before, m.bucket, m.measured_calls, m.duration_seconds, m.longest_seconds
ORDER BY m.is_before, m.bucket;
