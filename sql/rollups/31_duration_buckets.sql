-- rollup.duration_buckets
-- Grain: one row per account, day of the start (else of the creation), direction, agent and bucket of duration.
-- Units: seconds. The lower edge is inside its bucket; the last bucket is open.
-- Kept: by day
CREATE OR REPLACE VIEW rollup.duration_buckets_plain AS
SELECT
    b.account,
    b.day,
    f.direction,
    f.agent_id,
    e.lower_seconds,
    e.upper_seconds,
    count(*) AS calls,
    sum(f.talk_seconds)::bigint AS duration_seconds
FROM rollup.day_bounds b
CROSS JOIN LATERAL (
    -- OFFSET 0: a day's calls are found by their index, whatever the planner expects of so many days.
    SELECT f.* FROM rollup.facts f
    WHERE f.account = b.account
        {started_that_day}
    OFFSET 0
) f
JOIN (VALUES (0, 5), (5, 10), (10, 20), (20, 30), (30, 45), (45, 60), (60, 90), (90, 120), (120, 180), (180, 300),
    (300, 600), (600, 1200), (1200, 1800), (1800, 3600), (3600, NULL)) AS e (lower_seconds, upper_seconds)
    ON f.talk_seconds >= e.lower_seconds AND (e.upper_seconds IS NULL OR f.talk_seconds < e.upper_seconds)
GROUP BY b.account, b.day, f.direction, f.agent_id, e.lower_seconds, e.upper_seconds;
