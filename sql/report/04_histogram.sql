-- One row per bucket of duration, over the period. The last bucket has no upper edge.
SELECT lower_seconds, upper_seconds, sum(calls)::bigint AS calls
FROM analytics.call_duration_histogram_daily
WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
GROUP BY lower_seconds, upper_seconds
ORDER BY lower_seconds;
