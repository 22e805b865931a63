-- rollup.funnel
-- Grain: one row per account, day of creation, direction, agent and campaign. Units: calls; next_change_at is an instant.
-- Every count adds up over rows.
-- Kept: by day, agent and month
CREATE OR REPLACE VIEW rollup.funnel_plain AS
SELECT
    b.account,
    b.day,
    f.direction,
    f.agent_id,
    f.campaign_id,
    count(*) AS calls,
    count(*) FILTER (WHERE f.stage = 'open') AS open_calls,
    count(*) FILTER (WHERE f.stale_at < now()) AS stale_open_calls,
    count(*) FILTER (WHERE f.stage NOT IN ('open', 'unmapped')) AS terminal_calls,
    count(*) FILTER (WHERE f.stage = 'not_placed') AS not_placed_calls,
    count(*) FILTER (WHERE f.stage = 'cancelled') AS cancelled_calls,
    count(*) FILTER (WHERE f.stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
    count(*) FILTER (WHERE f.stage = 'busy') AS busy_calls,
    count(*) FILTER (WHERE f.stage = 'not_answered') AS not_answered_calls,
    count(*) FILTER (WHERE f.stage = 'machine') AS machine_calls,
    count(*) FILTER (WHERE f.stage = 'answered') AS answered_calls,
    count(*) FILTER (WHERE f.stage = 'unmapped') AS unmapped_calls,
    count(*) FILTER (WHERE f.is_conversation) AS conversations,
    count(*) FILTER (WHERE f.is_quick_hang_up) AS quick_hang_ups,
    count(*) FILTER (WHERE f.is_goal) AS goal_calls,
    count(*) FILTER (WHERE f.is_deleted) AS deleted_calls,
    count(f.error_class) AS error_calls,
    least(
        min(f.stale_at) FILTER (WHERE f.stale_at >= now()),
        min(f.cost_given_up_at) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at >= now())
    ) AS next_change_at
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT f.* FROM rollup.facts f
    WHERE f.account = b.account
        {created_that_day}
    OFFSET 0
) f
GROUP BY b.account, b.day, f.direction, f.agent_id, f.campaign_id;
