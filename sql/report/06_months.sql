-- One row per month, this one and the one before: the whole of it, and of the month before as far as this one has come.
SELECT
    date_trunc('month', day::timestamp)::date AS month,
    sum(calls)::bigint AS calls,
    sum(cost_known_calls)::bigint AS known_calls,
    sum(cost_pending_calls)::bigint AS pending_calls,
    sum(cost_usd) AS cost_usd,
    sum(cost_usd) FILTER (WHERE extract(day FROM day) <= extract(day FROM %(today)s::date)) AS cost_to_this_day_usd,
    bool_and(is_final) AS is_final,
    sum(cost_given_up_calls)::bigint AS given_up_calls
FROM analytics.call_cost_daily
WHERE account = %(account)s
    AND day BETWEEN (date_trunc('month', %(today)s::date::timestamp) - interval '1 month')::date AND %(today)s
GROUP BY 1
ORDER BY 1 DESC;
