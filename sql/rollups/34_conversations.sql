-- rollup.conversations
-- Grain: one row per account, day of the start (else of the creation), direction and agent. Units: seconds, words.
-- Counted are calls with a transcript in which somebody speaks. Percentiles are of calls' average waits for the agent.
-- Kept: by day
CREATE OR REPLACE VIEW rollup.conversations_plain AS
SELECT
    b.account,
    b.day,
    f.direction,
    f.agent_id,
    count(*) AS transcribed_calls,
    count(*) FILTER (WHERE v.contact_words = 0) AS silent_contact_calls,
    sum(v.agent_turns)::bigint AS agent_turns,
    sum(v.contact_turns)::bigint AS contact_turns,
    sum(v.agent_words)::bigint AS agent_words,
    sum(v.contact_words)::bigint AS contact_words,
    count(*) FILTER (WHERE v.is_timed) AS timed_calls,
    sum(v.agent_seconds) FILTER (WHERE v.is_timed) AS agent_seconds,
    sum(v.contact_seconds) FILTER (WHERE v.is_timed) AS contact_seconds,
    (sum(v.agent_interruptions) FILTER (WHERE v.is_timed))::bigint AS agent_interruptions,
    (sum(v.contact_interruptions) FILTER (WHERE v.is_timed))::bigint AS contact_interruptions,
    coalesce(sum(v.response_count), 0)::bigint AS response_count,
    sum(v.response_seconds) AS response_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY v.response_seconds / nullif(v.response_count, 0)) AS p50_response_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY v.response_seconds / nullif(v.response_count, 0)) AS p95_response_seconds,
    max(v.longest_turn_seconds) AS longest_turn_seconds
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT f.* FROM rollup.facts f
    WHERE f.account = b.account
        {started_that_day}
    OFFSET 0
) f
CROSS JOIN LATERAL (SELECT k.* FROM rollup.call_conversations_current k WHERE k.call_id = f.call_id OFFSET 0) v
GROUP BY b.account, b.day, f.direction, f.agent_id;
