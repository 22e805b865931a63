-- rollup.scorecard_live
-- Grain: one row per account, day that is not up to date, and agent: what the scorecard takes of rollup.funnel, durations,
-- costs and conversations, counted from the calls at once. Units: calls, seconds, US dollars.
-- Each measure is that of its own day (creation, start, end), so a call may be in the rows of three days.
CREATE OR REPLACE VIEW rollup.scorecard_live AS
SELECT
    b.account,
    b.day,
    f.agent_id,
    count(*) FILTER (WHERE f.is_created) AS calls,
    count(*) FILTER (WHERE f.is_created AND f.stage = 'open') AS open_calls,
    count(*) FILTER (WHERE f.is_created AND f.stage NOT IN ('open', 'unmapped')) AS terminal_calls,
    count(*) FILTER (WHERE f.is_created AND f.stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
    count(*) FILTER (WHERE f.is_created AND f.stage = 'answered') AS answered_calls,
    count(*) FILTER (WHERE f.is_created AND f.stage = 'machine') AS machine_calls,
    count(*) FILTER (WHERE f.is_created AND f.is_conversation) AS conversations,
    count(*) FILTER (WHERE f.is_created AND f.is_quick_hang_up) AS quick_hang_ups,
    count(*) FILTER (WHERE f.is_created AND f.is_goal) AS goal_calls,
    count(f.error_class) FILTER (WHERE f.is_created) AS error_calls,
    count(f.talk_seconds) FILTER (WHERE f.is_started) AS measured_calls,
    coalesce(sum(f.talk_seconds) FILTER (WHERE f.is_started), 0)::bigint AS duration_seconds,
    max(f.talk_seconds) FILTER (WHERE f.is_started) AS longest_seconds,
    count(*) FILTER (WHERE f.is_charged AND f.cost_state = 'known') AS cost_known_calls,
    count(*) FILTER (WHERE f.is_charged AND f.cost_state = 'pending' AND f.cost_given_up_at >= now()) AS cost_pending_calls,
    count(*) FILTER (WHERE f.is_charged AND f.cost_state = 'pending' AND f.cost_given_up_at < now()) AS cost_given_up_calls,
    sum(f.cost_usd) FILTER (WHERE f.is_charged) AS cost_usd,
    sum(f.cost_usd) FILTER (WHERE f.is_charged AND f.talk_seconds > 0) AS timed_cost_usd,
    sum(f.talk_seconds) FILTER (WHERE f.is_charged AND f.talk_seconds > 0 AND f.cost_usd IS NOT NULL) AS timed_seconds,
    sum(f.cost_usd) FILTER (WHERE f.is_charged AND f.is_conversation AND f.is_terminal) AS conversation_cost_usd,
    count(f.cost_usd) FILTER (WHERE f.is_charged AND f.is_conversation AND f.is_terminal) AS cost_known_conversations,
    sum(f.cost_usd) FILTER (WHERE f.is_charged AND f.is_terminal AND (NOT f.is_conversation OR f.is_quick_hang_up))
        AS wasted_cost_usd,
    count(v.call_id) FILTER (WHERE f.is_started) AS transcribed_calls,
    sum(v.agent_seconds) FILTER (WHERE f.is_started AND v.is_timed) AS agent_seconds,
    sum(v.contact_seconds) FILTER (WHERE f.is_started AND v.is_timed) AS contact_seconds,
    sum(v.agent_interruptions) FILTER (WHERE f.is_started AND v.is_timed) AS agent_interruptions,
    sum(v.contact_interruptions) FILTER (WHERE f.is_started AND v.is_timed) AS contact_interruptions,
    sum(v.response_seconds) FILTER (WHERE f.is_started) AS response_seconds,
    sum(v.response_count) FILTER (WHERE f.is_started) AS response_count
FROM rollup.stale_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their indexes, one for each instant, whatever the planner expects of so many days.
    SELECT
        x.*,
        coalesce(x.created_on, '-infinity') = b.day AS is_created,
        coalesce(x.started_on, '-infinity') = b.day AS is_started,
        coalesce(x.cost_on, '-infinity') = b.day AS is_charged
    FROM (
        SELECT c.id FROM truedy.calls c
        WHERE c.account = b.account
            AND coalesce(c.created_at, '-infinity') >= b.since AND coalesce(c.created_at, '-infinity') < b.until
        UNION
        SELECT c.id FROM truedy.calls c
        WHERE c.account = b.account
            AND coalesce(c.started_at, c.created_at, '-infinity') >= b.since
            AND coalesce(c.started_at, c.created_at, '-infinity') < b.until
        UNION
        SELECT c.id FROM truedy.calls c
        WHERE c.account = b.account
            AND coalesce(c.ended_at, c.created_at, '-infinity') >= b.since
            AND coalesce(c.ended_at, c.created_at, '-infinity') < b.until
    ) i
    CROSS JOIN LATERAL (SELECT f.* FROM rollup.facts f WHERE f.call_id = i.id OFFSET 0) x
    OFFSET 0
) f
LEFT JOIN LATERAL (SELECT k.* FROM rollup.call_conversations_current k WHERE k.call_id = f.call_id OFFSET 0) v ON true
WHERE f.is_created OR f.is_started OR f.is_charged
GROUP BY b.account, b.day, f.agent_id;
