-- analytics.call_cost_monthly
-- Grain: one row per month (of the end, else of the creation), account, direction, agent and campaign.
-- Units: US dollars, minutes. The same measures as call_cost_daily; null cost is not zero.
CREATE OR REPLACE VIEW analytics.call_cost_monthly AS
SELECT
    d.month AS month_on,
    d.account,
    d.direction,
    d.agent_id,
    d.campaign_id,
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
    coalesce(max(d.final_at) < now()
        AND d.month < date_trunc('month', now() AT TIME ZONE r.time_zone)::date, false) AS is_final,
    r.time_zone AS reporting_time_zone
FROM rollup.costs_months_current d
CROSS JOIN replicator.reporting r
GROUP BY d.month, d.account, d.direction, d.agent_id, d.campaign_id, r.time_zone;

COMMENT ON VIEW analytics.call_cost_monthly IS 'Grain: one row per month, account, direction, agent and campaign. Key: month_on, account, direction, agent_id, campaign_id.';
COMMENT ON COLUMN analytics.call_cost_monthly.month_on IS 'First day of the month of the calls'' ends, else of their creation, in the reporting time zone; null where neither is known.';
COMMENT ON COLUMN analytics.call_cost_monthly.account IS 'The account.';
COMMENT ON COLUMN analytics.call_cost_monthly.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.call_cost_monthly.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.call_cost_monthly.campaign_id IS 'The value at replicator.reporting.campaign_path of the call''s context (campaign_id), where that is a text or a number; its first 200 characters.';
COMMENT ON COLUMN analytics.call_cost_monthly.calls IS 'Number of all calls created: attempts, not contacts.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_known_calls IS 'Number of calls whose cost is known: the denominator of cost_per_known_call_usd.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_pending_calls IS 'Number of calls whose cost is not known and may come: the sums will grow.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_not_expected_calls IS 'Number of calls that never connected and have no cost.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_implausible_calls IS 'Number of calls whose cost cannot be believed; in no sum.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_usd IS 'Sum of the known costs in US dollars; null where none is known.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_per_known_call_usd IS 'cost_usd over cost_known_calls in US dollars; null where no cost is known.';
COMMENT ON COLUMN analytics.call_cost_monthly.timed_cost_usd IS 'Part of cost_usd that connected calls with a duration above zero cost, in US dollars: the numerator of cost_per_minute_usd.';
COMMENT ON COLUMN analytics.call_cost_monthly.timed_minutes IS 'Minutes of the same calls: the denominator of cost_per_minute_usd.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_per_minute_usd IS 'timed_cost_usd over timed_minutes, in US dollars; null without minutes.';
COMMENT ON COLUMN analytics.call_cost_monthly.conversations IS 'Number of answered calls that connected and are not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.call_cost_monthly.cost_known_conversations IS 'Number of those whose cost is known: the denominator of direct_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.call_cost_monthly.conversation_cost_usd IS 'Part of cost_usd that conversations cost, in US dollars: the numerator of direct_cost_per_conversation_usd.';
COMMENT ON COLUMN analytics.call_cost_monthly.direct_cost_per_conversation_usd IS 'conversation_cost_usd over cost_known_conversations, in US dollars: what a conversation itself costs.';
COMMENT ON COLUMN analytics.call_cost_monthly.loaded_cost_per_conversation_usd IS 'cost_usd over conversations, in US dollars: what a conversation costs with all attempts that led to none.';
COMMENT ON COLUMN analytics.call_cost_monthly.wasted_calls IS 'Number of calls that are over and led to no conversation, or to one that was hung up quickly.';
COMMENT ON COLUMN analytics.call_cost_monthly.wasted_cost_usd IS 'What those calls cost in US dollars, as far as it is known.';
COMMENT ON COLUMN analytics.call_cost_monthly.billed_minutes IS 'Sum of calls.billed_minutes_estimate of the calls whose cost is known: minutes rounded up as the rules in replicator.reporting guess.';
COMMENT ON COLUMN analytics.call_cost_monthly.is_final IS 'The month is over, each call settled, no cost outstanding. Corrections after that are in cost_adjustments.';
COMMENT ON COLUMN analytics.call_cost_monthly.reporting_time_zone IS 'Name of the time zone of the days.';
