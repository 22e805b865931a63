-- analytics.status_funnel_total
-- Grain: one row per account, direction, agent and campaign, over all days. Units: calls; rates are 0 to 1.
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

COMMENT ON VIEW analytics.status_funnel_total IS 'Grain: one row per account, direction, agent and campaign, over all days. Key: account, direction, agent_id, campaign_id.';
COMMENT ON COLUMN analytics.status_funnel_total.account IS 'The account.';
COMMENT ON COLUMN analytics.status_funnel_total.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.status_funnel_total.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.status_funnel_total.campaign_id IS 'campaign_id of the calls'' context.';
COMMENT ON COLUMN analytics.status_funnel_total.calls IS 'Number of all calls created: attempts, not contacts.';
COMMENT ON COLUMN analytics.status_funnel_total.open_calls IS 'Number of calls that are not over (queued, ringing, in progress).';
COMMENT ON COLUMN analytics.status_funnel_total.stale_open_calls IS 'Number of calls, of open_calls or unmapped_calls, that are open for longer than replicator.reporting.stale_open_hours.';
COMMENT ON COLUMN analytics.status_funnel_total.terminal_calls IS 'Number of calls that are over with a known status: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.status_funnel_total.not_placed_calls IS 'Number of calls that could not be placed (failed).';
COMMENT ON COLUMN analytics.status_funnel_total.cancelled_calls IS 'Number of calls that were cancelled.';
COMMENT ON COLUMN analytics.status_funnel_total.placed_calls IS 'Number of calls that reached the other end, whatever came of it: the numerator of placed_rate, the denominator of answer_rate and machine_rate.';
COMMENT ON COLUMN analytics.status_funnel_total.busy_calls IS 'Number of calls to a busy line.';
COMMENT ON COLUMN analytics.status_funnel_total.not_answered_calls IS 'Number of calls that nobody answered.';
COMMENT ON COLUMN analytics.status_funnel_total.machine_calls IS 'Number of calls that a machine answered (voicemail): the numerator of machine_rate.';
COMMENT ON COLUMN analytics.status_funnel_total.answered_calls IS 'Number of calls that were answered and ended normally (completed): the numerator of answer_rate.';
COMMENT ON COLUMN analytics.status_funnel_total.unmapped_calls IS 'Number of calls with a status that replicator.status_stages does not know: add it there.';
COMMENT ON COLUMN analytics.status_funnel_total.conversations IS 'Number of answered calls that connected and are not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.status_funnel_total.quick_hang_ups IS 'Number of conversations that were over in less than replicator.reporting.quick_hang_up_seconds.';
COMMENT ON COLUMN analytics.status_funnel_total.goal_calls IS 'Number of calls that reached the goal of replicator.reporting.goal_path; zero where no path is set.';
COMMENT ON COLUMN analytics.status_funnel_total.deleted_calls IS 'Number of these calls that the source no longer has.';
COMMENT ON COLUMN analytics.status_funnel_total.first_created_on IS 'First day on which one of these calls was created.';
COMMENT ON COLUMN analytics.status_funnel_total.last_created_on IS 'Last day on which one of these calls was created.';
COMMENT ON COLUMN analytics.status_funnel_total.placed_rate IS 'placed_calls over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.status_funnel_total.answer_rate IS 'answered_calls over placed_calls, 0 to 1, machines not counted as answers; null where none was placed.';
COMMENT ON COLUMN analytics.status_funnel_total.machine_rate IS 'machine_calls over placed_calls, 0 to 1; null where none was placed.';
COMMENT ON COLUMN analytics.status_funnel_total.conversation_rate IS 'conversations over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.status_funnel_total.quick_hang_up_rate IS 'quick_hang_ups over conversations, 0 to 1; null where there was none.';
COMMENT ON COLUMN analytics.status_funnel_total.reporting_time_zone IS 'Name of the time zone of the days.';
