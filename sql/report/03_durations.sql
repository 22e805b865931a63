-- One row per bucket of days of the period, and one (bucket null) each for the period and the one before it.
-- Percentiles do not add up, so they are of the calls themselves, in whatever bucket is asked for.
SELECT
    m.is_before,
    m.bucket,
    count(*) AS measured_calls,
    sum(m.talk_seconds)::bigint AS duration_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY m.talk_seconds) AS p50_seconds,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY m.talk_seconds) AS p90_seconds,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY m.talk_seconds) AS p99_seconds,
    max(m.talk_seconds) AS longest_seconds
FROM (
    SELECT
        started_on < %(since)s AS is_before,
        CASE WHEN started_on >= %(since)s THEN date_trunc(%(bucket)s, started_on::timestamp)::date END AS bucket,
        talk_seconds
    FROM analytics.calls
    WHERE account = %(account)s AND started_on BETWEEN %(before)s AND %(today)s AND talk_seconds IS NOT NULL
) m
GROUP BY GROUPING SETS ((m.is_before), (m.is_before, m.bucket))
HAVING grouping(m.bucket) = 1 OR m.bucket IS NOT NULL
ORDER BY m.is_before, m.bucket;
