-- analytics.campaign_summary
-- Grain: one row per account and campaign, over all days; calls without a campaign are one row. Units: calls, US dollars.
-- Cost is that of the campaign's calls whatever their day, so it belongs to the same calls as the funnel.
CREATE OR REPLACE VIEW analytics.campaign_summary AS
SELECT
    f.account,
    f.campaign_id,
    n.name AS campaign_name,
    f.first_created_on,
    f.last_created_on,
    f.calls,
    f.open_calls,
    f.stale_open_calls,
    f.terminal_calls,
    f.not_placed_calls,
    f.cancelled_calls,
    f.placed_calls,
    f.busy_calls,
    f.not_answered_calls,
    f.machine_calls,
    f.answered_calls,
    f.unmapped_calls,
    f.conversations,
    f.quick_hang_ups,
    f.goal_calls,
    f.deleted_calls,
    f.placed_calls::double precision / nullif(f.terminal_calls, 0) AS placed_rate,
    f.answered_calls::double precision / nullif(f.placed_calls, 0) AS answer_rate,
    f.machine_calls::double precision / nullif(f.placed_calls, 0) AS machine_rate,
    f.conversations::double precision / nullif(f.terminal_calls, 0) AS conversation_rate,
    f.quick_hang_ups::double precision / nullif(f.conversations, 0) AS quick_hang_up_rate,
    f.goal_calls::double precision / nullif(f.conversations, 0) AS goal_rate,
    c.cost_known_calls,
    c.cost_pending_calls,
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

COMMENT ON VIEW analytics.campaign_summary IS 'Grain: one row per account and campaign, over all days. Key: account, campaign_id.';
COMMENT ON COLUMN analytics.campaign_summary.account IS 'The account.';
COMMENT ON COLUMN analytics.campaign_summary.campaign_id IS 'The value at replicator.reporting.campaign_path of the call''s context (campaign_id), where that is a text or a number; its first 200 characters.';
COMMENT ON COLUMN analytics.campaign_summary.campaign_name IS 'Name of the campaign, as in replicator.campaigns; null where nobody named it.';
COMMENT ON COLUMN analytics.campaign_summary.first_created_on IS 'First day on which one of these calls was created.';
COMMENT ON COLUMN analytics.campaign_summary.last_created_on IS 'Last day on which one of these calls was created.';
COMMENT ON COLUMN analytics.campaign_summary.calls IS 'Number of all calls created: attempts, not contacts.';
COMMENT ON COLUMN analytics.campaign_summary.open_calls IS 'Number of calls that are not over (queued, ringing, in progress).';
COMMENT ON COLUMN analytics.campaign_summary.stale_open_calls IS 'Number of calls, of open_calls or unmapped_calls, that are open for longer than replicator.reporting.stale_open_hours.';
COMMENT ON COLUMN analytics.campaign_summary.terminal_calls IS 'Number of calls that are over with a known status: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.campaign_summary.not_placed_calls IS 'Number of calls that could not be placed (failed).';
COMMENT ON COLUMN analytics.campaign_summary.cancelled_calls IS 'Number of calls that were cancelled.';
COMMENT ON COLUMN analytics.campaign_summary.placed_calls IS 'Number of calls that reached the other end, whatever came of it: the numerator of placed_rate, the denominator of answer_rate and machine_rate.';
COMMENT ON COLUMN analytics.campaign_summary.busy_calls IS 'Number of calls to a busy line.';
COMMENT ON COLUMN analytics.campaign_summary.not_answered_calls IS 'Number of calls that nobody answered.';
COMMENT ON COLUMN analytics.campaign_summary.machine_calls IS 'Number of calls that a machine answered (voicemail): the numerator of machine_rate.';
COMMENT ON COLUMN analytics.campaign_summary.answered_calls IS 'Number of calls that were answered and ended normally (completed): the numerator of answer_rate.';
COMMENT ON COLUMN analytics.campaign_summary.unmapped_calls IS 'Number of calls with a status that replicator.status_stages does not know: add it there.';
COMMENT ON COLUMN analytics.campaign_summary.conversations IS 'Number of answered calls that connected and are not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.campaign_summary.quick_hang_ups IS 'Number of conversations that were over in less than replicator.reporting.quick_hang_up_seconds.';
COMMENT ON COLUMN analytics.campaign_summary.goal_calls IS 'Number of calls that reached the goal of replicator.reporting.goal_path; zero where no path is set.';
COMMENT ON COLUMN analytics.campaign_summary.deleted_calls IS 'Number of these calls that the source no longer has.';
COMMENT ON COLUMN analytics.campaign_summary.placed_rate IS 'placed_calls over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.campaign_summary.answer_rate IS 'answered_calls over placed_calls, 0 to 1, machines not counted as answers; null where none was placed.';
COMMENT ON COLUMN analytics.campaign_summary.machine_rate IS 'machine_calls over placed_calls, 0 to 1; null where none was placed.';
COMMENT ON COLUMN analytics.campaign_summary.conversation_rate IS 'conversations over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.campaign_summary.quick_hang_up_rate IS 'quick_hang_ups over conversations, 0 to 1; null where there was none.';
COMMENT ON COLUMN analytics.campaign_summary.goal_rate IS 'goal_calls over conversations, 0 to 1; null where there was none.';
COMMENT ON COLUMN analytics.campaign_summary.cost_known_calls IS 'Number of calls whose cost is known: the denominator of cost_per_known_call_usd.';
COMMENT ON COLUMN analytics.campaign_summary.cost_pending_calls IS 'Number of calls whose cost is not known and may come: the sums will grow.';
COMMENT ON COLUMN analytics.campaign_summary.cost_usd IS 'Sum of the known costs in US dollars; null where none is known.';
COMMENT ON COLUMN analytics.campaign_summary.wasted_calls IS 'Number of calls that are over and led to no conversation, or to one that was hung up quickly.';
COMMENT ON COLUMN analytics.campaign_summary.wasted_cost_usd IS 'What those calls cost in US dollars, as far as it is known.';
COMMENT ON COLUMN analytics.campaign_summary.cost_known_conversations IS 'Number of those whose cost is known: the denominator of direct_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.campaign_summary.conversation_cost_usd IS 'Part of cost_usd that conversations cost, in US dollars: the numerator of direct_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.campaign_summary.direct_cost_per_conversation_usd IS 'conversation_cost_usd over cost_known_conversations, in US dollars: what a conversation itself costs.';
COMMENT ON COLUMN analytics.campaign_summary.loaded_cost_per_conversation_usd IS 'cost_usd over conversations, in US dollars: what a conversation costs with all attempts that led to none.';
COMMENT ON COLUMN analytics.campaign_summary.loaded_cost_per_goal_usd IS 'cost_usd over goal_calls, in US dollars: everything that was spent, for each goal reached.';
COMMENT ON COLUMN analytics.campaign_summary.reporting_time_zone IS 'Name of the time zone of the days.';
