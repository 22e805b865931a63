-- analytics.campaign_cost_daily
-- Grain: one row per day, account, direction and campaign; calls without a campaign are one row.
-- Key: day, account, direction, campaign_id.
-- Time: ended_at, else created_at.
-- Units: US dollars, minutes.
-- The same measures as call_cost_daily, over the same calls; null cost is not zero.
CREATE OR REPLACE VIEW analytics.campaign_cost_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.campaign_id,
    n.name AS campaign_name,
    {cost_measures}
    coalesce(max(d.final_at) < now() AND d.day < (now() AT TIME ZONE r.time_zone)::date, false) AS is_final,
    r.time_zone AS reporting_time_zone
FROM rollup.costs_current d
CROSS JOIN replicator.reporting r
LEFT JOIN replicator.campaigns n ON n.campaign_id = d.campaign_id
GROUP BY d.day, d.account, d.direction, d.campaign_id, n.name, r.time_zone;
