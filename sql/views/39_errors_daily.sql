-- analytics.errors_daily
-- Grain: one row per day of creation, account, direction, agent and class of error. Units: calls, US dollars.
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
        count(*) FILTER (WHERE f.cost_state = 'pending') AS cost_pending_calls,
        sum(f.cost_usd)::numeric(18, 6) AS cost_usd
    FROM rollup.facts f
    WHERE f.account = b.account AND (f.error_class IS NOT NULL OR f.stage = 'not_placed')
        AND coalesce(f.created_at, '-infinity') >= b.since
        AND coalesce(f.created_at, '-infinity') < b.until
        AND coalesce(f.created_on, '-infinity') = b.day
    GROUP BY f.direction, f.agent_id, coalesce(f.error_class, 'not said')
) c;

COMMENT ON VIEW analytics.errors_daily IS 'Grain: one row per day of creation, account, direction, agent and class of error. Key: day, account, direction, agent_id, error_class.';
COMMENT ON COLUMN analytics.errors_daily.day IS 'Day on which the calls were created, in the reporting time zone.';
COMMENT ON COLUMN analytics.errors_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.errors_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.errors_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.errors_daily.error_class IS 'Class of the error by replicator.error_classes; other where none knows it, not said where a call was not placed and its context names no error.';
COMMENT ON COLUMN analytics.errors_daily.calls IS 'Number of calls with such an error, whatever became of them.';
COMMENT ON COLUMN analytics.errors_daily.open_calls IS 'Number of those that are not over.';
COMMENT ON COLUMN analytics.errors_daily.not_placed_calls IS 'Number of those that could not be placed (failed).';
COMMENT ON COLUMN analytics.errors_daily.connected_calls IS 'Number of those that were connected all the same: they broke off, or an earlier error stayed in the context.';
COMMENT ON COLUMN analytics.errors_daily.cost_known_calls IS 'Number of those whose cost is known.';
COMMENT ON COLUMN analytics.errors_daily.cost_pending_calls IS 'Number of those whose cost is still to come: not in cost_usd.';
COMMENT ON COLUMN analytics.errors_daily.cost_usd IS 'Sum of the known costs in US dollars; null where none is known.';
COMMENT ON COLUMN analytics.errors_daily.reporting_time_zone IS 'Name of the time zone of the days.';
