-- rollup.numbers
-- Grain: one row per account, day of creation, direction and number of ours. Units: calls, US dollars, seconds.
-- Counts and sums add up over rows. Internal: it holds raw phone numbers.
-- Kept: by day
CREATE OR REPLACE VIEW rollup.numbers_plain AS
SELECT
    b.account,
    b.day,
    f.direction,
    f.our_number,
    count(*) AS calls,
    {stage_counts}
    count(*) FILTER (WHERE f.stage = 'not_answered') AS not_answered_calls,
    count(*) FILTER (WHERE f.stage = 'busy') AS busy_calls,
    count(*) FILTER (WHERE f.stage = 'not_placed') AS not_placed_calls,
    count(*) FILTER (WHERE f.is_conversation) AS conversations,
    count(*) FILTER (WHERE f.is_quick_hang_up) AS quick_hang_ups,
    count(f.talk_seconds) AS measured_calls,
    coalesce(sum(f.talk_seconds), 0)::bigint AS duration_seconds,
    count(f.cost_usd) AS cost_known_calls,
    count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at >= now()) AS cost_pending_calls,
    count(*) FILTER (WHERE f.cost_state = 'pending' AND f.cost_given_up_at < now()) AS cost_given_up_calls,
    sum(f.cost_usd)::numeric(18, 6) AS cost_usd
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT f.* FROM rollup.facts f
    WHERE f.account = b.account
        {created_that_day}
    OFFSET 0
) f
GROUP BY b.account, b.day, f.direction, f.our_number;
