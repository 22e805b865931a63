-- rollup.hours
-- Grain: one row per account, day of creation, hour, weekday and direction. Units: calls. Counts add up over rows.
-- Kept: by day
CREATE OR REPLACE VIEW rollup.hours_plain AS
SELECT
    b.account,
    b.day,
    f.created_weekday,
    f.created_hour,
    f.direction,
    count(*) AS calls,
    count(*) FILTER (WHERE f.stage NOT IN ('open', 'unmapped')) AS terminal_calls,
    count(*) FILTER (WHERE f.stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
    count(*) FILTER (WHERE f.stage = 'answered') AS answered_calls,
    count(*) FILTER (WHERE f.stage = 'machine') AS machine_calls,
    count(*) FILTER (WHERE f.is_conversation) AS conversations
FROM rollup.day_bounds b
JOIN rollup.facts f ON f.account = b.account
    AND coalesce(f.created_at, '-infinity') >= b.since
    AND coalesce(f.created_at, '-infinity') < b.until
    AND coalesce(f.created_on, '-infinity') = b.day
GROUP BY b.account, b.day, f.created_weekday, f.created_hour, f.direction;
