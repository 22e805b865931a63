-- One row per agent, the busiest first; those after the first `most` are one row, so that the sums are those of the page.
-- Attempts by day of creation, talk by day of the start, cost by day of the end, as everywhere.
WITH joined AS (
    SELECT agent_id, calls, placed_calls, answered_calls, conversations,
        0::bigint AS measured_calls, 0::bigint AS duration_seconds, NULL::numeric AS cost_usd, 0::bigint AS pending_calls
    FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
    UNION ALL
    SELECT agent_id, 0, 0, 0, 0, measured_calls, duration_seconds, NULL, 0
    FROM analytics.call_duration_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
    UNION ALL
    SELECT agent_id, 0, 0, 0, 0, 0, 0, cost_usd, cost_pending_calls
    FROM analytics.call_cost_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
), agents AS (
    SELECT
        agent_id,
        sum(calls) AS calls, sum(placed_calls) AS placed_calls, sum(answered_calls) AS answered_calls,
        sum(conversations) AS conversations, sum(measured_calls) AS measured_calls,
        sum(duration_seconds) AS duration_seconds, sum(cost_usd) AS cost_usd, sum(pending_calls) AS pending_calls,
        least(row_number() OVER (ORDER BY sum(calls) DESC, sum(duration_seconds) DESC, agent_id), %(most)s + 1) AS place
    FROM joined
    GROUP BY agent_id
)
SELECT
    place::integer,
    CASE WHEN place <= %(most)s THEN max(a.agent_id::text) END AS name,
    count(*) AS members,
    sum(calls)::bigint AS calls,
    sum(placed_calls)::bigint AS placed_calls,
    sum(answered_calls)::bigint AS answered_calls,
    sum(conversations)::bigint AS conversations,
    sum(measured_calls)::bigint AS measured_calls,
    sum(duration_seconds)::bigint AS duration_seconds,
    sum(cost_usd) AS cost_usd,
    sum(pending_calls)::bigint AS pending_calls,
    CASE WHEN place <= %(most)s THEN left(max(n.name), 400) END AS title
FROM agents a
LEFT JOIN replicator.agents n ON n.agent_id = a.agent_id
GROUP BY place
ORDER BY place;
