-- One row per day of creation and direction, of the period and the one before. Other directions than the three are one.
SELECT
    day,
    CASE WHEN direction IN ('outbound', 'inbound', 'webrtc') THEN direction ELSE 'other' END AS direction,
    sum(calls)::bigint AS calls,
    sum(open_calls)::bigint AS open_calls,
    sum(stale_open_calls)::bigint AS stale_open_calls,
    sum(unmapped_calls)::bigint AS unmapped_calls,
    sum(terminal_calls)::bigint AS terminal_calls,
    sum(not_placed_calls)::bigint AS not_placed_calls,
    sum(cancelled_calls)::bigint AS cancelled_calls,
    sum(placed_calls)::bigint AS placed_calls,
    sum(busy_calls)::bigint AS busy_calls,
    sum(not_answered_calls)::bigint AS not_answered_calls,
    sum(machine_calls)::bigint AS machine_calls,
    sum(answered_calls)::bigint AS answered_calls,
    sum(conversations)::bigint AS conversations
FROM analytics.status_funnel_daily
WHERE account = %(account)s AND day BETWEEN %(before)s AND %(today)s
GROUP BY 1, 2
ORDER BY 1, 2;
