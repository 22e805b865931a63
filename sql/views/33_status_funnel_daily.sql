-- analytics.status_funnel_daily
-- Grain: one row per day of creation, account, direction, agent and campaign. Units: calls; rates are 0 to 1.
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
    d.calls,
    d.open_calls,
    d.stale_open_calls,
    d.terminal_calls,
    d.not_placed_calls,
    d.cancelled_calls,
    d.placed_calls,
    d.busy_calls,
    d.not_answered_calls,
    d.machine_calls,
    d.answered_calls,
    d.unmapped_calls,
    d.conversations,
    d.quick_hang_ups,
    d.goal_calls,
    d.deleted_calls,
    d.placed_calls::double precision / nullif(d.terminal_calls, 0) AS placed_rate,
    d.answered_calls::double precision / nullif(d.placed_calls, 0) AS answer_rate,
    d.machine_calls::double precision / nullif(d.placed_calls, 0) AS machine_rate,
    d.conversations::double precision / nullif(d.terminal_calls, 0) AS conversation_rate,
    d.quick_hang_ups::double precision / nullif(d.conversations, 0) AS quick_hang_up_rate,
    r.time_zone AS reporting_time_zone
FROM rollup.funnel_current d
CROSS JOIN replicator.reporting r;

COMMENT ON VIEW analytics.status_funnel_daily IS 'Grain: one row per day of creation, account, direction, agent and campaign. The stages partition the calls. Key: day, account, direction, agent_id, campaign_id.';
COMMENT ON COLUMN analytics.status_funnel_daily.day IS 'Day on which the calls were created, in the reporting time zone.';
COMMENT ON COLUMN analytics.status_funnel_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.status_funnel_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.status_funnel_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.status_funnel_daily.campaign_id IS 'campaign_id of the calls'' context.';
COMMENT ON COLUMN analytics.status_funnel_daily.calls IS 'Number of all calls created: attempts, not contacts.';
COMMENT ON COLUMN analytics.status_funnel_daily.open_calls IS 'Number of calls that are not over (queued, ringing, in progress).';
COMMENT ON COLUMN analytics.status_funnel_daily.stale_open_calls IS 'Number of calls, of open_calls or unmapped_calls, that are open for longer than replicator.reporting.stale_open_hours.';
COMMENT ON COLUMN analytics.status_funnel_daily.terminal_calls IS 'Number of calls that are over with a known status: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.not_placed_calls IS 'Number of calls that could not be placed (failed).';
COMMENT ON COLUMN analytics.status_funnel_daily.cancelled_calls IS 'Number of calls that were cancelled.';
COMMENT ON COLUMN analytics.status_funnel_daily.placed_calls IS 'Number of calls that reached the other end, whatever came of it: the numerator of placed_rate, the denominator of answer_rate and machine_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.busy_calls IS 'Number of calls to a busy line.';
COMMENT ON COLUMN analytics.status_funnel_daily.not_answered_calls IS 'Number of calls that nobody answered.';
COMMENT ON COLUMN analytics.status_funnel_daily.machine_calls IS 'Number of calls that a machine answered (voicemail): the numerator of machine_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.answered_calls IS 'Number of calls that were answered and ended normally (completed): the numerator of answer_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.unmapped_calls IS 'Number of calls with a status that replicator.status_stages does not know: add it there.';
COMMENT ON COLUMN analytics.status_funnel_daily.conversations IS 'Number of answered calls that connected and are not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.placed_rate IS 'placed_calls over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.status_funnel_daily.answer_rate IS 'answered_calls over placed_calls, 0 to 1, machines not counted as answers; null where none was placed.';
COMMENT ON COLUMN analytics.status_funnel_daily.machine_rate IS 'machine_calls over placed_calls, 0 to 1; null where none was placed.';
COMMENT ON COLUMN analytics.status_funnel_daily.conversation_rate IS 'conversations over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.status_funnel_daily.reporting_time_zone IS 'Name of the time zone of the days.';
COMMENT ON COLUMN analytics.status_funnel_daily.quick_hang_ups IS 'Number of conversations that were over in less than replicator.reporting.quick_hang_up_seconds.';
COMMENT ON COLUMN analytics.status_funnel_daily.goal_calls IS 'Number of calls that reached the goal of replicator.reporting.goal_path; zero where no path is set.';
COMMENT ON COLUMN analytics.status_funnel_daily.deleted_calls IS 'Number of these calls that the source no longer has.';
COMMENT ON COLUMN analytics.status_funnel_daily.quick_hang_up_rate IS 'quick_hang_ups over conversations, 0 to 1; null where there was none.';
