-- analytics.campaign_summary
-- Grain: one row per account and campaign, over all days; calls without a campaign are one row.
-- Key: account, campaign_id.
-- Units: calls, US dollars.
-- Cost is that of the campaign's calls whatever their day, so it belongs to the same calls as the funnel.
CREATE OR REPLACE VIEW analytics.campaign_summary AS
SELECT
    f.account,
    f.campaign_id,
    n.name AS campaign_name,
    f.first_created_on,
    f.last_created_on,
    {funnel_columns}
    {stage_rates}
    f.quick_hang_ups::double precision / nullif(f.conversations, 0) AS quick_hang_up_rate,
    f.goal_calls::double precision / nullif(f.conversations, 0) AS goal_rate,
    c.cost_known_calls,
    c.cost_pending_calls,
    c.cost_given_up_calls,
    c.cost_usd,
    c.wasted_calls,
    c.wasted_cost_usd,
    c.cost_known_conversations,
    c.conversation_cost_usd,
    (c.conversation_cost_usd / nullif(c.cost_known_conversations, 0))::numeric(18, 6) AS direct_cost_per_conversation_usd,
    (c.cost_usd / nullif(f.conversations, 0))::numeric(18, 6) AS loaded_cost_per_conversation_usd,
    (c.cost_usd / nullif(f.goal_calls, 0))::numeric(18, 6) AS loaded_cost_per_goal_usd,
    r.time_zone AS reporting_time_zone
FROM (
    SELECT
        d.account,
        d.campaign_id,
        {funnel_sums}
        min(d.first_day) AS first_created_on,
        max(d.last_day) AS last_created_on
    FROM rollup.funnel_months_current d
    GROUP BY d.account, d.campaign_id
) f
JOIN (
    SELECT
        d.account,
        d.campaign_id,
        sum(d.cost_known_calls)::bigint AS cost_known_calls,
        sum(d.cost_pending_calls)::bigint AS cost_pending_calls,
        sum(d.cost_given_up_calls)::bigint AS cost_given_up_calls,
        sum(d.cost_usd)::numeric(18, 6) AS cost_usd,
        sum(d.wasted_calls)::bigint AS wasted_calls,
        sum(d.wasted_cost_usd)::numeric(18, 6) AS wasted_cost_usd,
        sum(d.cost_known_conversations)::bigint AS cost_known_conversations,
        sum(d.conversation_cost_usd)::numeric(18, 6) AS conversation_cost_usd
    FROM rollup.costs_months_current d
    GROUP BY d.account, d.campaign_id
) c ON c.account = f.account AND coalesce(c.campaign_id, '') = coalesce(f.campaign_id, '')
    AND (c.campaign_id IS NULL) = (f.campaign_id IS NULL)
CROSS JOIN replicator.reporting r
LEFT JOIN replicator.campaigns n ON n.campaign_id = f.campaign_id;
