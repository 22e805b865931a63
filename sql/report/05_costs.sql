-- One row per day of the end, of the period and the one before.
SELECT
    day,
    sum(calls)::bigint AS calls,
    sum(cost_known_calls)::bigint AS known_calls,
    sum(cost_pending_calls)::bigint AS pending_calls,
    sum(cost_not_expected_calls)::bigint AS not_expected_calls,
    sum(cost_implausible_calls)::bigint AS implausible_calls,
    sum(cost_usd) AS cost_usd,
    sum(timed_cost_usd) AS timed_cost_usd,
    coalesce(sum(timed_minutes), 0)::double precision AS timed_minutes,
    sum(conversations)::bigint AS conversations,
    sum(cost_known_conversations)::bigint AS known_conversations,
    sum(conversation_cost_usd) AS conversation_cost_usd,
    bool_and(is_final) AS is_final,
    sum(cost_given_up_calls)::bigint AS given_up_calls
FROM analytics.call_cost_daily
WHERE account = %(account)s AND day BETWEEN %(before)s AND %(today)s
GROUP BY day
ORDER BY day;
