-- One row per weekday (1 is Monday) and hour of creation, in the reporting time zone, over the period.
SELECT
    created_weekday AS weekday,
    created_hour AS hour,
    count(*) AS calls,
    count(*) FILTER (WHERE stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
    count(*) FILTER (WHERE stage = 'answered') AS answered_calls
FROM analytics.calls
WHERE account = %(account)s AND created_on BETWEEN %(since)s AND %(today)s
GROUP BY created_weekday, created_hour
ORDER BY created_weekday, created_hour;
