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
    {stage_counts}
    count(*) FILTER (WHERE f.is_conversation) AS conversations
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT f.* FROM rollup.facts f
    WHERE f.account = b.account
        {created_that_day}
    OFFSET 0
) f
GROUP BY b.account, b.day, f.created_weekday, f.created_hour, f.direction;
