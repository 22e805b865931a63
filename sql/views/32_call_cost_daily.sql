-- analytics.call_cost_daily
-- Grain: one row per day (of the end, else of the creation), account, direction and agent. Units: US dollars, minutes.
-- All statuses are priced: a failed call may cost. Null cost is not zero: known and pending calls stand beside each sum.
-- Every ratio has its numerator and denominator beside it, so that a roll-up can divide sums by sums.
CREATE OR REPLACE VIEW analytics.call_cost_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.agent_id,
    sum(d.calls)::bigint AS calls,
    sum(d.cost_known_calls)::bigint AS cost_known_calls,
    sum(d.cost_pending_calls)::bigint AS cost_pending_calls,
    sum(d.cost_not_expected_calls)::bigint AS cost_not_expected_calls,
    sum(d.cost_implausible_calls)::bigint AS cost_implausible_calls,
    sum(d.cost_usd)::numeric(18, 6) AS cost_usd,
    (sum(d.cost_usd) / nullif(sum(d.cost_known_calls), 0))::numeric(18, 6) AS cost_per_known_call_usd,
    sum(d.timed_cost_usd)::numeric(18, 6) AS timed_cost_usd,
    (sum(d.timed_seconds) / 60.0)::double precision AS timed_minutes,
    (sum(d.timed_cost_usd) * 60 / nullif(sum(d.timed_seconds), 0))::numeric(18, 6) AS cost_per_minute_usd,
    sum(d.conversations)::bigint AS conversations,
    sum(d.cost_known_conversations)::bigint AS cost_known_conversations,
    sum(d.conversation_cost_usd)::numeric(18, 6) AS conversation_cost_usd,
    (sum(d.conversation_cost_usd) / nullif(sum(d.cost_known_conversations), 0))::numeric(18, 6)
        AS direct_cost_per_conversation_usd,
    (sum(d.cost_usd) / nullif(sum(d.conversations), 0))::numeric(18, 6) AS loaded_cost_per_conversation_usd,
    sum(d.wasted_calls)::bigint AS wasted_calls,
    sum(d.wasted_cost_usd)::numeric(18, 6) AS wasted_cost_usd,
    sum(d.billed_minutes_estimate) AS billed_minutes,
    coalesce(max(d.final_at) < now() AND d.day < (now() AT TIME ZONE r.time_zone)::date, false) AS is_final,
    r.time_zone AS reporting_time_zone
FROM rollup.costs_current d
CROSS JOIN replicator.reporting r
GROUP BY d.day, d.account, d.direction, d.agent_id, r.time_zone;

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
COMMENT ON COLUMN analytics.call_cost_daily.wasted_calls IS 'Number of calls that are over and led to no conversation, or to one that was hung up quickly.';
COMMENT ON COLUMN analytics.call_cost_daily.wasted_cost_usd IS 'What those calls cost in US dollars, as far as it is known.';
COMMENT ON COLUMN analytics.call_cost_daily.billed_minutes IS 'Sum of calls.billed_minutes_estimate of the calls whose cost is known: minutes rounded up as the rules in replicator.reporting guess.';
