-- analytics.call_cost_daily
-- Grain: one row per day, account, direction and agent. Cost of all calls whatever their outcome; deleted calls stay.
-- Key: day, account, direction, agent_id.
-- Time: ended_at, else created_at.
-- Units: US dollars, minutes.
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
