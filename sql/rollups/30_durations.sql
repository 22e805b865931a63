-- rollup.durations
-- Grain: one row per account, day of the start (else of the creation), direction and agent. Units: seconds.
-- Measured are connected calls that are over and have a duration.
-- Kept: by day
CREATE OR REPLACE VIEW rollup.durations_plain AS
SELECT
    b.account,
    b.day,
    f.direction,
    f.agent_id,
    count(*) AS calls,
    count(*) FILTER (WHERE NOT f.is_terminal) AS open_calls,
    count(*) FILTER (WHERE f.is_terminal AND f.is_connected) AS connected_calls,
    count(*) FILTER (WHERE f.is_terminal AND f.is_conversation) AS conversations,
    count(f.talk_seconds) AS measured_calls,
    coalesce(sum(f.talk_seconds), 0)::bigint AS duration_seconds,
    min(f.talk_seconds) AS shortest_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY f.talk_seconds) AS p50_seconds,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY f.talk_seconds) AS p90_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY f.talk_seconds) AS p95_seconds,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY f.talk_seconds) AS p99_seconds,
    max(f.talk_seconds) AS longest_seconds,
    count(*) FILTER (WHERE f.talk_seconds = 0) AS zero_length_calls,
    count(*) FILTER (WHERE abs(f.span_seconds - f.duration_seconds) > 2) AS mismatched_calls,
    count(f.time_to_answer_seconds) FILTER (WHERE f.is_connected) AS timed_answers,
    sum(f.time_to_answer_seconds) FILTER (WHERE f.is_connected) AS time_to_answer_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY f.time_to_answer_seconds) FILTER (WHERE f.is_connected)
        AS p50_time_to_answer_seconds,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY f.time_to_answer_seconds) FILTER (WHERE f.is_connected)
        AS p90_time_to_answer_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY f.time_to_answer_seconds) FILTER (WHERE f.is_connected)
        AS p95_time_to_answer_seconds
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT f.* FROM rollup.facts f
    WHERE f.account = b.account
        {started_that_day}
    OFFSET 0
) f
GROUP BY b.account, b.day, f.direction, f.agent_id;
