-- analytics.call_cost_daily
-- Grain: one row per day (of the end, else of the creation), account, direction and agent. Units: US dollars, minutes.
-- All statuses are priced: a failed call may cost. Null cost is not zero: known and pending calls stand beside each sum.
CREATE OR REPLACE VIEW analytics.call_cost_daily AS
SELECT
    cost_on AS day,
    account,
    direction,
    agent_id,
    count(*) AS calls,
    count(*) FILTER (WHERE cost_state = 'known') AS cost_known_calls,
    count(*) FILTER (WHERE cost_state = 'pending') AS cost_pending_calls,
    count(*) FILTER (WHERE cost_state = 'not_expected') AS cost_not_expected_calls,
    sum(cost_usd)::numeric(18, 6) AS cost_usd,
    (sum(cost_usd) FILTER (WHERE is_conversation))::numeric(18, 6) AS conversation_cost_usd,
    (sum(cost_usd) FILTER (WHERE duration_seconds > 0))::numeric(18, 6) AS timed_cost_usd,
    (sum(duration_seconds) FILTER (WHERE duration_seconds > 0 AND cost_usd IS NOT NULL) / 60.0)::double precision AS timed_minutes,
    (sum(cost_usd) FILTER (WHERE duration_seconds > 0)
        / nullif(sum(duration_seconds) FILTER (WHERE duration_seconds > 0 AND cost_usd IS NOT NULL), 0) * 60
    )::numeric(18, 6) AS cost_per_minute_usd,
    (sum(cost_usd) / nullif(count(*) FILTER (WHERE cost_state = 'known'), 0))::numeric(18, 6) AS cost_per_known_call_usd,
    count(*) FILTER (WHERE is_conversation AND is_terminal) AS conversations,
    (sum(cost_usd) / nullif(count(*) FILTER (WHERE is_conversation AND is_terminal), 0))::numeric(18, 6)
        AS loaded_cost_per_conversation_usd,
    bool_and(is_settled) AND count(*) FILTER (WHERE cost_state = 'pending') = 0 AS is_final,
    min(reporting_time_zone) AS reporting_time_zone
FROM analytics.calls
GROUP BY cost_on, account, direction, agent_id;

COMMENT ON VIEW analytics.call_cost_daily IS 'Grain: one row per day, account, direction and agent. Cost of all calls whatever their outcome; deleted calls stay. Key: day, account, direction, agent_id.';
COMMENT ON COLUMN analytics.call_cost_daily.day IS 'Day on which the call ended (or was created, where it has no end), in the reporting time zone.';
COMMENT ON COLUMN analytics.call_cost_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.call_cost_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.call_cost_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.call_cost_daily.calls IS 'All calls.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_known_calls IS 'Calls whose cost is known.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_pending_calls IS 'Calls whose cost is not known and may come: the sums will grow.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_not_expected_calls IS 'Calls that never connected and have no cost.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_usd IS 'Sum of the known costs in US dollars; null where none is known.';
COMMENT ON COLUMN analytics.call_cost_daily.conversation_cost_usd IS 'Part of it that conversations cost, in US dollars.';
COMMENT ON COLUMN analytics.call_cost_daily.timed_cost_usd IS 'Part of it that calls with a duration above zero cost, in US dollars: the numerator of the cost per minute.';
COMMENT ON COLUMN analytics.call_cost_daily.timed_minutes IS 'Minutes of calls with a duration and a known cost: the denominator of the cost per minute.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_per_minute_usd IS 'timed_cost_usd over timed_minutes, a ratio of sums, in US dollars; null without minutes.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_per_known_call_usd IS 'cost_usd over cost_known_calls in US dollars; null where no cost is known.';
COMMENT ON COLUMN analytics.call_cost_daily.conversations IS 'Conversations with a person that are over.';
COMMENT ON COLUMN analytics.call_cost_daily.loaded_cost_per_conversation_usd IS 'All known cost, failed attempts included, over conversations, in US dollars.';
COMMENT ON COLUMN analytics.call_cost_daily.is_final IS 'Every call is settled and no cost is pending: the row is not expected to change.';
COMMENT ON COLUMN analytics.call_cost_daily.reporting_time_zone IS 'The time zone of the days.';
