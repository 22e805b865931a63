-- One row per campaign, the busiest first; those after the first `most` are one row.
WITH campaigns AS (
    SELECT
        campaign_id,
        sum(calls) AS calls, sum(placed_calls) AS placed_calls, sum(answered_calls) AS answered_calls,
        sum(machine_calls) AS machine_calls, sum(conversations) AS conversations, sum(terminal_calls) AS terminal_calls,
        least(row_number() OVER (ORDER BY sum(calls) DESC, campaign_id), %(most)s + 1) AS place
    FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
    GROUP BY campaign_id
)
SELECT
    place::integer,
    CASE WHEN place <= %(most)s THEN left(max(campaign_id), 400) END AS name,
    count(*) AS members,
    sum(calls)::bigint AS calls,
    sum(placed_calls)::bigint AS placed_calls,
    sum(answered_calls)::bigint AS answered_calls,
    sum(machine_calls)::bigint AS machine_calls,
    sum(conversations)::bigint AS conversations,
    sum(terminal_calls)::bigint AS terminal_calls
FROM campaigns
GROUP BY place
ORDER BY place;
