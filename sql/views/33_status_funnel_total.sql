-- analytics.status_funnel_total
-- Grain: one row per account, direction, agent and campaign, over all days.
-- Key: account, direction, agent_id, campaign_id.
-- Units: calls; rates are 0 to 1.
-- The same measures as status_funnel_daily: it is their sum.
CREATE OR REPLACE VIEW analytics.status_funnel_total AS
SELECT
    account,
    direction,
    agent_id,
    campaign_id,
    {funnel_columns}
    first_created_on,
    last_created_on,
    {stage_rates}
    quick_hang_ups::double precision / nullif(conversations, 0) AS quick_hang_up_rate,
    reporting_time_zone
FROM (
    SELECT
        d.account,
        d.direction,
        d.agent_id,
        d.campaign_id,
        {funnel_sums}
        min(d.first_day) AS first_created_on,
        max(d.last_day) AS last_created_on,
        r.time_zone AS reporting_time_zone
    FROM rollup.funnel_months_current d
    CROSS JOIN replicator.reporting r
    GROUP BY d.account, d.direction, d.agent_id, d.campaign_id, r.time_zone
) total;
