-- One row per campaign, the busiest first; those after the first `most` are one row, so that the sums are those of the page.
-- Attempts by day of creation, cost by day of the end, as everywhere.
WITH joined AS (
    SELECT campaign_id, calls, placed_calls, answered_calls, machine_calls, conversations, terminal_calls,
        NULL::numeric AS cost_usd, 0::bigint AS pending_calls
    FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
    UNION ALL
    SELECT campaign_id, 0, 0, 0, 0, 0, 0, cost_usd, cost_pending_calls
    FROM analytics.campaign_cost_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
), campaigns AS (
    SELECT
        campaign_id,
        sum(calls) AS calls, sum(placed_calls) AS placed_calls, sum(answered_calls) AS answered_calls,
        sum(machine_calls) AS machine_calls, sum(conversations) AS conversations, sum(terminal_calls) AS terminal_calls,
        sum(cost_usd) AS cost_usd, sum(pending_calls) AS pending_calls,
        least(row_number() OVER (ORDER BY sum(calls) DESC, campaign_id), %(most)s + 1) AS place
    FROM joined
    GROUP BY campaign_id
)
SELECT
    place::integer,
    CASE WHEN place <= %(most)s THEN left(max(c.campaign_id), 400) END AS name,
    count(*) AS members,
    sum(calls)::bigint AS calls,
    sum(placed_calls)::bigint AS placed_calls,
    sum(answered_calls)::bigint AS answered_calls,
    sum(machine_calls)::bigint AS machine_calls,
    sum(conversations)::bigint AS conversations,
    sum(terminal_calls)::bigint AS terminal_calls,
    sum(cost_usd) AS cost_usd,
    sum(pending_calls)::bigint AS pending_calls,
    CASE WHEN place <= %(most)s THEN left(max(n.name), 400) END AS title
FROM campaigns c
LEFT JOIN replicator.campaigns n ON n.campaign_id = c.campaign_id
GROUP BY place
ORDER BY place;
