-- analytics.agent_scorecard
-- Grain: one row per account, period (the last 7, 30 and 90 days, today included) and agent.
-- Key: account, period_days, agent_id.
-- Units: calls, seconds, US dollars, words; rates are 0 to 1.
-- Each measure keeps its own day: the funnel's is that of creation, durations' and conversations' that of the start,
-- cost's that of the end. So a call at the edge of the period can be in one and not in the other.
CREATE OR REPLACE VIEW analytics.agent_scorecard AS
WITH live AS MATERIALIZED (
    -- Of the days that are not up to date, the calls are counted once, for all measures and all periods.
    SELECT * FROM rollup.scorecard_live WHERE day >= (SELECT min(since_on) FROM rollup.periods)
)
SELECT
    s.account,
    p.period_days,
    p.since_on,
    s.agent_id,
    n.name AS agent_name,
    n.team,
    coalesce(s.calls, 0) AS calls,
    coalesce(s.open_calls, 0) AS open_calls,
    coalesce(s.terminal_calls, 0) AS terminal_calls,
    coalesce(s.placed_calls, 0) AS placed_calls,
    coalesce(s.answered_calls, 0) AS answered_calls,
    coalesce(s.machine_calls, 0) AS machine_calls,
    coalesce(s.conversations, 0) AS conversations,
    coalesce(s.quick_hang_ups, 0) AS quick_hang_ups,
    coalesce(s.goal_calls, 0) AS goal_calls,
    coalesce(s.error_calls, 0) AS error_calls,
    {stage_rates}
    s.quick_hang_ups::double precision / nullif(s.conversations, 0) AS quick_hang_up_rate,
    s.goal_calls::double precision / nullif(s.conversations, 0) AS goal_rate,
    coalesce(s.measured_calls, 0) AS measured_calls,
    coalesce(s.duration_seconds, 0) AS duration_seconds,
    s.duration_seconds::double precision / nullif(s.measured_calls, 0) AS average_seconds,
    s.longest_seconds,
    coalesce(s.cost_known_calls, 0) AS cost_known_calls,
    coalesce(s.cost_pending_calls, 0) AS cost_pending_calls,
    coalesce(s.cost_given_up_calls, 0) AS cost_given_up_calls,
    s.cost_usd,
    s.timed_cost_usd,
    (s.timed_seconds / 60.0)::double precision AS timed_minutes,
    (s.timed_cost_usd * 60 / nullif(s.timed_seconds, 0))::numeric(18, 6) AS cost_per_minute_usd,
    s.conversation_cost_usd,
    coalesce(s.cost_known_conversations, 0) AS cost_known_conversations,
    (s.conversation_cost_usd / nullif(s.cost_known_conversations, 0))::numeric(18, 6)
        AS direct_cost_per_conversation_usd,
    s.wasted_cost_usd,
    coalesce(s.transcribed_calls, 0) AS transcribed_calls,
    s.agent_seconds,
    s.agent_seconds + s.contact_seconds AS speech_seconds,
    s.agent_seconds / nullif(s.agent_seconds + s.contact_seconds, 0) AS agent_talk_share,
    s.agent_interruptions,
    s.contact_interruptions,
    s.response_seconds,
    coalesce(s.response_count, 0) AS response_count,
    s.response_seconds / nullif(s.response_count, 0) AS average_response_seconds,
    p.reporting_time_zone
FROM rollup.periods p
CROSS JOIN LATERAL (
    -- Kept days are read from each roll-up.
    SELECT
        a.account,
        a.agent_id,
        sum(a.calls)::bigint AS calls,
        sum(a.open_calls)::bigint AS open_calls,
        sum(a.terminal_calls)::bigint AS terminal_calls,
        sum(a.placed_calls)::bigint AS placed_calls,
        sum(a.answered_calls)::bigint AS answered_calls,
        sum(a.machine_calls)::bigint AS machine_calls,
        sum(a.conversations)::bigint AS conversations,
        sum(a.quick_hang_ups)::bigint AS quick_hang_ups,
        sum(a.goal_calls)::bigint AS goal_calls,
        sum(a.error_calls)::bigint AS error_calls,
        sum(a.measured_calls)::bigint AS measured_calls,
        sum(a.duration_seconds)::bigint AS duration_seconds,
        max(a.longest_seconds) AS longest_seconds,
        sum(a.cost_known_calls)::bigint AS cost_known_calls,
        sum(a.cost_pending_calls)::bigint AS cost_pending_calls,
        sum(a.cost_given_up_calls)::bigint AS cost_given_up_calls,
        sum(a.cost_usd)::numeric(18, 6) AS cost_usd,
        sum(a.timed_cost_usd)::numeric(18, 6) AS timed_cost_usd,
        sum(a.timed_seconds)::bigint AS timed_seconds,
        sum(a.conversation_cost_usd)::numeric(18, 6) AS conversation_cost_usd,
        sum(a.cost_known_conversations)::bigint AS cost_known_conversations,
        sum(a.wasted_cost_usd)::numeric(18, 6) AS wasted_cost_usd,
        sum(a.transcribed_calls)::bigint AS transcribed_calls,
        sum(a.agent_seconds) AS agent_seconds,
        sum(a.contact_seconds) AS contact_seconds,
        sum(a.agent_interruptions)::bigint AS agent_interruptions,
        sum(a.contact_interruptions)::bigint AS contact_interruptions,
        sum(a.response_seconds) AS response_seconds,
        sum(a.response_count)::bigint AS response_count
    FROM (
        SELECT
            r.account, r.agent_id, r.calls, r.open_calls, r.terminal_calls, r.placed_calls, r.answered_calls,
            r.machine_calls, r.conversations, r.quick_hang_ups, r.goal_calls, r.error_calls,
            NULL::bigint AS measured_calls, NULL::bigint AS duration_seconds, NULL::integer AS longest_seconds,
            NULL::bigint AS cost_known_calls, NULL::bigint AS cost_pending_calls,
            NULL::bigint AS cost_given_up_calls, NULL::numeric AS cost_usd,
            NULL::numeric AS timed_cost_usd, NULL::bigint AS timed_seconds, NULL::numeric AS conversation_cost_usd,
            NULL::bigint AS cost_known_conversations, NULL::numeric AS wasted_cost_usd,
            NULL::bigint AS transcribed_calls, NULL::double precision AS agent_seconds,
            NULL::double precision AS contact_seconds, NULL::bigint AS agent_interruptions,
            NULL::bigint AS contact_interruptions, NULL::double precision AS response_seconds,
            NULL::bigint AS response_count
        FROM rollup.funnel_agents r
        WHERE r.day >= p.since_on
            AND NOT EXISTS (SELECT FROM rollup.stale x WHERE x.account = r.account AND x.day = r.day)
        UNION ALL
        SELECT
            r.account, r.agent_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.measured_calls,
            r.duration_seconds, r.longest_seconds, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL
        FROM rollup.durations r
        WHERE r.day >= p.since_on
            AND NOT EXISTS (SELECT FROM rollup.stale x WHERE x.account = r.account AND x.day = r.day)
        UNION ALL
        SELECT
            r.account, r.agent_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            r.cost_known_calls, r.cost_pending_calls, r.cost_given_up_calls, r.cost_usd, r.timed_cost_usd, r.timed_seconds,
            r.conversation_cost_usd, r.cost_known_conversations, r.wasted_cost_usd, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL
        FROM rollup.costs_agents r
        WHERE r.day >= p.since_on
            AND NOT EXISTS (SELECT FROM rollup.stale x WHERE x.account = r.account AND x.day = r.day)
        UNION ALL
        SELECT
            r.account, r.agent_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.transcribed_calls, r.agent_seconds, r.contact_seconds,
            r.agent_interruptions, r.contact_interruptions, r.response_seconds, r.response_count
        FROM rollup.conversations r
        WHERE r.day >= p.since_on
            AND NOT EXISTS (SELECT FROM rollup.stale x WHERE x.account = r.account AND x.day = r.day)
        UNION ALL
        SELECT
            r.account, r.agent_id, r.calls, r.open_calls, r.terminal_calls, r.placed_calls, r.answered_calls,
            r.machine_calls, r.conversations, r.quick_hang_ups, r.goal_calls, r.error_calls, r.measured_calls,
            r.duration_seconds, r.longest_seconds, r.cost_known_calls, r.cost_pending_calls, r.cost_given_up_calls, r.cost_usd,
            r.timed_cost_usd, r.timed_seconds, r.conversation_cost_usd, r.cost_known_conversations,
            r.wasted_cost_usd, r.transcribed_calls, r.agent_seconds, r.contact_seconds, r.agent_interruptions,
            r.contact_interruptions, r.response_seconds, r.response_count
        FROM live r
        WHERE r.day >= p.since_on
    ) a
    GROUP BY a.account, a.agent_id
) s
LEFT JOIN replicator.agents n ON n.agent_id = s.agent_id;
