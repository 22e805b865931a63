-- rollup.stale_bounds
-- Grain: one row per account and day that is counted from the calls: the stale days, and always minus infinity, where
-- calls without the instant are; hardly ever is there one. Columns as in rollup.day_bounds.
CREATE OR REPLACE VIEW rollup.stale_bounds AS
SELECT
    {bounds_of_a_day}
FROM (
    SELECT account, day FROM rollup.stale
    UNION
    SELECT account, date '-infinity' FROM rollup.days WHERE day = '-infinity'
) d
CROSS JOIN replicator.reporting r;
