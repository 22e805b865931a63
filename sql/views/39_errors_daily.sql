-- analytics.errors_daily
-- Grain: one row per day, account, direction, agent and class of error.
-- Key: day, account, direction, agent_id, error_class.
-- Time: created_at.
-- Units: calls, US dollars.
-- Calls whose context names an error (calls.error_class), and calls that could not be placed without saying why, in the
-- class 'not said'. Counts add up over rows.
-- A filter on the day reads that day's calls only; without one it reads all.
CREATE OR REPLACE VIEW analytics.errors_daily AS
SELECT
    nullif(b.day, '-infinity') AS day,
    b.account,
    c.direction,
    c.agent_id,
    c.error_class,
    c.calls,
    c.open_calls,
    c.not_placed_calls,
    c.connected_calls,
    c.cost_known_calls,
    c.cost_pending_calls,
    c.cost_given_up_calls,
    c.cost_usd,
    r.time_zone AS reporting_time_zone
FROM rollup.day_bounds b
CROSS JOIN replicator.reporting r
CROSS JOIN LATERAL (
    SELECT
        f.direction,
        f.agent_id,
        coalesce(f.error_class, 'not said') AS error_class,
        count(*) AS calls,
        count(*) FILTER (WHERE NOT f.is_terminal) AS open_calls,
        count(*) FILTER (WHERE f.stage = 'not_placed') AS not_placed_calls,
        count(*) FILTER (WHERE f.is_connected) AS connected_calls,
        count(f.cost_usd) AS cost_known_calls,
        count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at >= now()) AS cost_pending_calls,
        count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at < now()) AS cost_given_up_calls,
        sum(f.cost_usd)::numeric(18, 6) AS cost_usd
    FROM rollup.facts f
    WHERE f.account = b.account AND (f.error_class IS NOT NULL OR f.stage = 'not_placed')
        {created_that_day}
    GROUP BY f.direction, f.agent_id, coalesce(f.error_class, 'not said')
) c;
