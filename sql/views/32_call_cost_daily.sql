-- analytics.call_cost_daily
-- Grain: one row per day, account, direction and agent. Cost of all calls whatever their outcome; deleted calls stay.
-- Key: day, account, direction, agent_id.
-- Time: ended_at, else created_at.
-- Units: US dollars, minutes.
-- All statuses are priced: a failed call may cost. Null cost is not zero: known and pending calls stand beside each sum.
-- Every ratio has its numerator and denominator beside it, so that a roll-up can divide sums by sums.
CREATE OR REPLACE VIEW analytics.call_cost_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.agent_id,
    {cost_measures}
    coalesce(max(d.final_at) < now() AND d.day < (now() AT TIME ZONE r.time_zone)::date, false) AS is_final,
    r.time_zone AS reporting_time_zone
FROM rollup.costs_current d
CROSS JOIN replicator.reporting r
GROUP BY d.day, d.account, d.direction, d.agent_id, r.time_zone;
