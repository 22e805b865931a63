-- analytics.call_cost_daily
-- Grain: one row per day (of the end, else of the creation), account, direction and agent. Units: US dollars, minutes.
-- All statuses are priced: a failed call may cost. Null cost is not zero: known and pending calls stand beside each sum.
-- Every ratio has its numerator and denominator beside it, so that a roll-up can divide sums by sums.
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
    count(*) FILTER (WHERE cost_state = 'implausible') AS cost_implausible_calls,
    sum(cost_usd)::numeric(18, 6) AS cost_usd,
    (sum(cost_usd) / nullif(count(cost_usd), 0))::numeric(18, 6) AS cost_per_known_call_usd,
    (sum(cost_usd) FILTER (WHERE talk_seconds > 0))::numeric(18, 6) AS timed_cost_usd,
    (sum(talk_seconds) FILTER (WHERE talk_seconds > 0 AND cost_usd IS NOT NULL) / 60.0)::double precision AS timed_minutes,
    (sum(cost_usd) FILTER (WHERE talk_seconds > 0) * 60
        / nullif(sum(talk_seconds) FILTER (WHERE talk_seconds > 0 AND cost_usd IS NOT NULL), 0)
    )::numeric(18, 6) AS cost_per_minute_usd,
    count(*) FILTER (WHERE is_conversation AND is_terminal) AS conversations,
    count(cost_usd) FILTER (WHERE is_conversation AND is_terminal) AS cost_known_conversations,
    (sum(cost_usd) FILTER (WHERE is_conversation AND is_terminal))::numeric(18, 6) AS conversation_cost_usd,
    (sum(cost_usd) FILTER (WHERE is_conversation AND is_terminal)
        / nullif(count(cost_usd) FILTER (WHERE is_conversation AND is_terminal), 0))::numeric(18, 6)
        AS direct_cost_per_conversation_usd,
    (sum(cost_usd) / nullif(count(*) FILTER (WHERE is_conversation AND is_terminal), 0))::numeric(18, 6)
        AS loaded_cost_per_conversation_usd,
    coalesce(bool_and(is_settled AND cost_state IN ('known', 'not_expected'))
        AND cost_on < (now() AT TIME ZONE min(reporting_time_zone))::date, false) AS is_final,
    min(reporting_time_zone) AS reporting_time_zone
FROM analytics.calls
GROUP BY cost_on, account, direction, agent_id;

COMMENT ON VIEW analytics.call_cost_daily IS 'Grain: one row per day, account, direction and agent. Cost of all calls whatever their outcome; deleted calls stay. Key: day, account, direction, agent_id.';
COMMENT ON COLUMN analytics.call_cost_daily.day IS 'Day on which the call ended (or was created, where it has no end), in the reporting time zone.';
COMMENT ON COLUMN analytics.call_cost_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.call_cost_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.call_cost_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.call_cost_daily.calls IS 'Number of all calls: known, pending, not expected and implausible costs together.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_known_calls IS 'Number of calls whose cost is known: the denominator of cost_per_known_call_usd.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_pending_calls IS 'Number of calls whose cost is not known and may come: the sums will grow.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_not_expected_calls IS 'Number of calls that never connected and have no cost.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_implausible_calls IS 'Number of calls whose cost cannot be believed; in no sum.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_usd IS 'Sum of the known costs in US dollars; null where none is known.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_per_known_call_usd IS 'cost_usd over cost_known_calls in US dollars; null where no cost is known.';
COMMENT ON COLUMN analytics.call_cost_daily.timed_cost_usd IS 'Part of cost_usd that connected calls with a duration above zero cost, in US dollars: the numerator of cost_per_minute_usd.';
COMMENT ON COLUMN analytics.call_cost_daily.timed_minutes IS 'Minutes of the same calls: the denominator of cost_per_minute_usd.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_per_minute_usd IS 'timed_cost_usd over timed_minutes, in US dollars; null without minutes.';
COMMENT ON COLUMN analytics.call_cost_daily.conversations IS 'Number of conversations that are over: the denominator of loaded_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.call_cost_daily.cost_known_conversations IS 'Number of those whose cost is known: the denominator of direct_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.call_cost_daily.conversation_cost_usd IS 'Part of cost_usd that conversations cost, in US dollars: the numerator of direct_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.call_cost_daily.direct_cost_per_conversation_usd IS 'conversation_cost_usd over cost_known_conversations, in US dollars: what a conversation itself costs.';
COMMENT ON COLUMN analytics.call_cost_daily.loaded_cost_per_conversation_usd IS 'cost_usd over conversations, in US dollars: what a conversation costs with all attempts that led to none.';
COMMENT ON COLUMN analytics.call_cost_daily.is_final IS 'The day is over, every call of it is settled and no cost is outstanding: of the calls that are stored, nothing is expected to change.';
COMMENT ON COLUMN analytics.call_cost_daily.reporting_time_zone IS 'Name of the time zone of the days.';
