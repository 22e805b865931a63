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
    count(*) FILTER (WHERE f.stage NOT IN ('open', 'unmapped')) AS terminal_calls,
    count(*) FILTER (WHERE f.stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
    count(*) FILTER (WHERE f.stage = 'answered') AS answered_calls,
    count(*) FILTER (WHERE f.stage = 'machine') AS machine_calls,
    count(*) FILTER (WHERE f.stage = 'not_answered') AS not_answered_calls,
    count(*) FILTER (WHERE f.stage = 'busy') AS busy_calls,
    count(*) FILTER (WHERE f.stage = 'not_placed') AS not_placed_calls,
    count(*) FILTER (WHERE f.is_conversation) AS conversations,
    count(*) FILTER (WHERE f.is_quick_hang_up) AS quick_hang_ups,
    count(f.talk_seconds) AS measured_calls,
    coalesce(sum(f.talk_seconds), 0)::bigint AS duration_seconds,
    count(f.cost_usd) AS cost_known_calls,
    count(*) FILTER (WHERE f.cost_state = 'pending') AS cost_pending_calls,
    sum(f.cost_usd)::numeric(18, 6) AS cost_usd
FROM rollup.day_bounds b
JOIN rollup.facts f ON f.account = b.account
    AND coalesce(f.created_at, '-infinity') >= b.since
    AND coalesce(f.created_at, '-infinity') < b.until
    AND coalesce(f.created_on, '-infinity') = b.day
GROUP BY b.account, b.day, f.direction, f.our_number;
