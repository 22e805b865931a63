-- analytics.status_funnel_daily
-- Grain: one row per day of creation, account, direction, agent and campaign. Units: calls; rates are 0 to 1.
-- The stages partition the calls: open + answered + machine + not_answered + busy + not_placed + cancelled + unmapped =
-- calls. Rates are of calls that are over; open calls are not failures.
CREATE OR REPLACE VIEW analytics.status_funnel_daily AS
SELECT
    created_on AS day,
    account,
    direction,
    agent_id,
    campaign_id,
    count(*) AS calls,
    count(*) FILTER (WHERE stage = 'open') AS open_calls,
    count(*) FILTER (WHERE is_stale_open) AS stale_open_calls,
    count(*) FILTER (WHERE is_terminal) AS terminal_calls,
    count(*) FILTER (WHERE stage = 'not_placed') AS not_placed_calls,
    count(*) FILTER (WHERE stage = 'cancelled') AS cancelled_calls,
    count(*) FILTER (WHERE stage = 'busy') AS busy_calls,
    count(*) FILTER (WHERE stage = 'not_answered') AS not_answered_calls,
    count(*) FILTER (WHERE stage = 'machine') AS machine_calls,
    count(*) FILTER (WHERE stage = 'answered') AS answered_calls,
    count(*) FILTER (WHERE stage = 'unmapped') AS unmapped_calls,
    count(*) FILTER (WHERE is_conversation AND is_terminal) AS conversations,
    count(*) FILTER (WHERE is_terminal AND stage NOT IN ('not_placed', 'cancelled')) AS placed_calls,
    (count(*) FILTER (WHERE is_terminal AND stage NOT IN ('not_placed', 'cancelled')))::double precision
        / nullif(count(*) FILTER (WHERE is_terminal), 0) AS placed_rate,
    (count(*) FILTER (WHERE stage = 'answered' AND is_terminal))::double precision
        / nullif(count(*) FILTER (WHERE is_terminal AND stage NOT IN ('not_placed', 'cancelled')), 0) AS answer_rate,
    (count(*) FILTER (WHERE is_conversation AND is_terminal))::double precision
        / nullif(count(*) FILTER (WHERE is_terminal), 0) AS conversation_rate,
    min(reporting_time_zone) AS reporting_time_zone
FROM analytics.calls
GROUP BY created_on, account, direction, agent_id, campaign_id;

COMMENT ON VIEW analytics.status_funnel_daily IS 'Grain: one row per day of creation, account, direction, agent and campaign. The stages partition the calls. Key: day, account, direction, agent_id, campaign_id.';
COMMENT ON COLUMN analytics.status_funnel_daily.day IS 'Day on which the calls were created, in the reporting time zone.';
COMMENT ON COLUMN analytics.status_funnel_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.status_funnel_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.status_funnel_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.status_funnel_daily.campaign_id IS 'campaign_id of the calls'' context.';
COMMENT ON COLUMN analytics.status_funnel_daily.calls IS 'All calls: attempts, not contacts.';
COMMENT ON COLUMN analytics.status_funnel_daily.open_calls IS 'Calls that are not over (queued, ringing, in progress).';
COMMENT ON COLUMN analytics.status_funnel_daily.stale_open_calls IS 'Calls that are open for longer than replicator.reporting.stale_open_hours.';
COMMENT ON COLUMN analytics.status_funnel_daily.terminal_calls IS 'Calls that are over: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.not_placed_calls IS 'Calls that could not be placed (failed).';
COMMENT ON COLUMN analytics.status_funnel_daily.cancelled_calls IS 'Calls that were cancelled.';
COMMENT ON COLUMN analytics.status_funnel_daily.busy_calls IS 'Calls to a busy line.';
COMMENT ON COLUMN analytics.status_funnel_daily.not_answered_calls IS 'Calls that nobody answered.';
COMMENT ON COLUMN analytics.status_funnel_daily.machine_calls IS 'Calls that a machine answered (voicemail).';
COMMENT ON COLUMN analytics.status_funnel_daily.answered_calls IS 'Calls that ended normally (completed).';
COMMENT ON COLUMN analytics.status_funnel_daily.unmapped_calls IS 'Calls with a status that replicator.status_stages does not know: add it there.';
COMMENT ON COLUMN analytics.status_funnel_daily.conversations IS 'Answered calls that are over, connected and not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.placed_calls IS 'Calls that are over and reached the network: the numerator of placed_rate, the denominator of answer_rate.';
COMMENT ON COLUMN analytics.status_funnel_daily.placed_rate IS 'placed_calls over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.status_funnel_daily.answer_rate IS 'Answered calls that are over, over placed_calls, 0 to 1; null where none was placed.';
COMMENT ON COLUMN analytics.status_funnel_daily.conversation_rate IS 'conversations over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.status_funnel_daily.reporting_time_zone IS 'The time zone of the days.';
