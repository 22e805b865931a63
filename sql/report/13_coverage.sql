-- One row per day of the period that has one: how much of it was compared with the source, and what of it is proven.
SELECT
    day, live_calls, proven_calls, day_seconds, proven_seconds, unsure_seconds, never_compared_seconds, unsure_reasons,
    oldest_verified_at, is_complete_and_proven
FROM analytics.coverage_daily
WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
ORDER BY day;
