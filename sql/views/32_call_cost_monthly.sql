-- analytics.call_cost_monthly
-- Grain: one row per month, account, direction, agent and campaign.
-- Key: month_on, account, direction, agent_id, campaign_id.
-- Time: ended_at, else created_at.
-- Units: US dollars, minutes.
-- The same measures as call_cost_daily; null cost is not zero.
CREATE OR REPLACE VIEW analytics.call_cost_monthly AS
SELECT
    d.month AS month_on,
    d.account,
    d.direction,
    d.agent_id,
    d.campaign_id,
    {cost_measures}
    coalesce(max(d.final_at) < now()
        AND d.month < date_trunc('month', now() AT TIME ZONE r.time_zone)::date, false) AS is_final,
    r.time_zone AS reporting_time_zone
FROM rollup.costs_months_current d
CROSS JOIN replicator.reporting r
GROUP BY d.month, d.account, d.direction, d.agent_id, d.campaign_id, r.time_zone;
