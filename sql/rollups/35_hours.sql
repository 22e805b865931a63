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
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT x.* FROM rollup.facts x
    WHERE x.account = b.account
        AND coalesce(x.created_at, '-infinity') >= b.since
        AND coalesce(x.created_at, '-infinity') < b.until
        AND coalesce(x.created_on, '-infinity') = b.day
    OFFSET 0
) f
GROUP BY b.account, b.day, f.created_weekday, f.created_hour, f.direction;
