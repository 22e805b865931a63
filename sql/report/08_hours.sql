-- One row per weekday (1 is Monday) and hour of creation, in the reporting time zone, over the period.
SELECT
    weekday,
    hour,
    sum(calls)::bigint AS calls,
    sum(placed_calls)::bigint AS placed_calls,
    sum(answered_calls)::bigint AS answered_calls
FROM analytics.reach_by_hour
WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
GROUP BY weekday, hour
ORDER BY weekday, hour;
