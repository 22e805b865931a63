-- analytics.status_funnel_daily
-- Grain: one row per day, account, direction, agent and campaign. The stages partition the calls.
-- Key: day, account, direction, agent_id, campaign_id.
-- Time: created_at.
-- Units: calls; rates are 0 to 1.
-- The stages partition the calls:
--     calls          = open_calls + terminal_calls + unmapped_calls
--     terminal_calls = placed_calls + not_placed_calls + cancelled_calls
--     placed_calls   = answered_calls + machine_calls + not_answered_calls + busy_calls
-- Rates are of calls that are over with a known status: an open call is not a failure, and an unknown status neither.
CREATE OR REPLACE VIEW analytics.status_funnel_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.agent_id,
    d.campaign_id,
    {funnel_columns}
    {stage_rates}
    d.quick_hang_ups::double precision / nullif(d.conversations, 0) AS quick_hang_up_rate,
    r.time_zone AS reporting_time_zone
FROM rollup.funnel_current d
CROSS JOIN replicator.reporting r;
