-- rollup.stale_bounds
-- Grain: one row per account and day that is counted from the calls: the stale days, and always minus infinity, where
-- calls without the instant are; hardly ever is there one. Columns as in rollup.day_bounds.
CREATE OR REPLACE VIEW rollup.stale_bounds AS
SELECT
    d.account,
    d.day,
    CASE WHEN d.day = '-infinity' THEN '-infinity'
        ELSE d.day::timestamp AT TIME ZONE r.time_zone - interval '3 hours' END AS since,
    CASE WHEN d.day = '-infinity' THEN '4000-01-01 00:00Z BC'::timestamptz
        ELSE (d.day + 1)::timestamp AT TIME ZONE r.time_zone + interval '3 hours' END AS until
FROM (
    SELECT account, day FROM rollup.stale
    UNION
    SELECT account, date '-infinity' FROM rollup.days WHERE day = '-infinity'
) d
CROSS JOIN replicator.reporting r;
