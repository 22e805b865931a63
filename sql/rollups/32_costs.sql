-- rollup.costs
-- Grain: one row per account, day of the end (else of the creation), direction, agent and campaign.
-- Units: US dollars, seconds, minutes. Every measure adds up over rows; final_at does by its greatest.
-- A cost that does not come is pending until it is given up: the day is counted anew then, at next_change_at, and when the
-- cost comes all the same.
-- Kept: by day, agent and month
CREATE OR REPLACE VIEW rollup.costs_plain AS
SELECT
    b.account,
    b.day,
    f.direction,
    f.agent_id,
    f.campaign_id,
    count(*) AS calls,
    count(*) FILTER (WHERE f.is_connected AND f.is_terminal) AS connected_calls,
    count(*) FILTER (WHERE f.cost_state = 'known') AS cost_known_calls,
    count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at >= now()) AS cost_pending_calls,
    count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at < now()) AS cost_given_up_calls,
    count(*) FILTER (WHERE f.cost_state = 'not_expected') AS cost_not_expected_calls,
    count(*) FILTER (WHERE f.cost_state = 'implausible') AS cost_implausible_calls,
    sum(f.cost_usd)::numeric(18, 6) AS cost_usd,
    (sum(f.cost_usd) FILTER (WHERE f.talk_seconds > 0))::numeric(18, 6) AS timed_cost_usd,
    (sum(f.talk_seconds) FILTER (WHERE f.talk_seconds > 0 AND f.cost_usd IS NOT NULL))::bigint AS timed_seconds,
    (sum(f.billed_minutes_estimate) FILTER (WHERE f.cost_usd IS NOT NULL)) AS billed_minutes_estimate,
    count(*) FILTER (WHERE f.is_conversation AND f.is_terminal) AS conversations,
    count(f.cost_usd) FILTER (WHERE f.is_conversation AND f.is_terminal) AS cost_known_conversations,
    (sum(f.cost_usd) FILTER (WHERE f.is_conversation AND f.is_terminal))::numeric(18, 6) AS conversation_cost_usd,
    count(*) FILTER (WHERE f.is_terminal AND (NOT f.is_conversation OR f.is_quick_hang_up)) AS wasted_calls,
    (sum(f.cost_usd) FILTER (WHERE f.is_terminal AND (NOT f.is_conversation OR f.is_quick_hang_up)))::numeric(18, 6)
        AS wasted_cost_usd,
    count(*) FILTER (WHERE f.is_goal) AS goal_calls,
    count(*) FILTER (WHERE f.is_deleted) AS deleted_calls,
    -- When the last of these calls is settled; for one that is open, or whose cost has not come, when its cost is given up.
    max(CASE WHEN f.cost_state IN ('known', 'not_expected') THEN coalesce(f.settles_at, f.cost_given_up_at)
        ELSE f.cost_given_up_at END) AS final_at,
    min(f.cost_given_up_at) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at >= now()) AS next_change_at
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT x.* FROM rollup.facts x
    WHERE x.account = b.account
        AND coalesce(x.ended_at, x.created_at, '-infinity') >= b.since
        AND coalesce(x.ended_at, x.created_at, '-infinity') < b.until
        AND coalesce(x.cost_on, '-infinity') = b.day
    OFFSET 0
) f
GROUP BY b.account, b.day, f.direction, f.agent_id, f.campaign_id;
