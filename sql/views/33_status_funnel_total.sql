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
    calls,
    open_calls,
    stale_open_calls,
    terminal_calls,
    not_placed_calls,
    cancelled_calls,
    placed_calls,
    busy_calls,
    not_answered_calls,
    machine_calls,
    answered_calls,
    unmapped_calls,
    conversations,
    quick_hang_ups,
    goal_calls,
    deleted_calls,
    first_created_on,
    last_created_on,
    placed_calls::double precision / nullif(terminal_calls, 0) AS placed_rate,
    answered_calls::double precision / nullif(placed_calls, 0) AS answer_rate,
    machine_calls::double precision / nullif(placed_calls, 0) AS machine_rate,
    conversations::double precision / nullif(terminal_calls, 0) AS conversation_rate,
    quick_hang_ups::double precision / nullif(conversations, 0) AS quick_hang_up_rate,
    reporting_time_zone
FROM (
    SELECT
        d.account,
        d.direction,
        d.agent_id,
        d.campaign_id,
        sum(d.calls)::bigint AS calls,
        sum(d.open_calls)::bigint AS open_calls,
        sum(d.stale_open_calls)::bigint AS stale_open_calls,
        sum(d.terminal_calls)::bigint AS terminal_calls,
        sum(d.not_placed_calls)::bigint AS not_placed_calls,
        sum(d.cancelled_calls)::bigint AS cancelled_calls,
        sum(d.placed_calls)::bigint AS placed_calls,
        sum(d.busy_calls)::bigint AS busy_calls,
        sum(d.not_answered_calls)::bigint AS not_answered_calls,
        sum(d.machine_calls)::bigint AS machine_calls,
        sum(d.answered_calls)::bigint AS answered_calls,
        sum(d.unmapped_calls)::bigint AS unmapped_calls,
        sum(d.conversations)::bigint AS conversations,
        sum(d.quick_hang_ups)::bigint AS quick_hang_ups,
        sum(d.goal_calls)::bigint AS goal_calls,
        sum(d.deleted_calls)::bigint AS deleted_calls,
        min(d.first_day) AS first_created_on,
        max(d.last_day) AS last_created_on,
        r.time_zone AS reporting_time_zone
    FROM rollup.funnel_months_current d
    CROSS JOIN replicator.reporting r
    GROUP BY d.account, d.direction, d.agent_id, d.campaign_id, r.time_zone
) total;
