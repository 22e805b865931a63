-- rollup.periods
-- Grain: one row per period of the scorecard: so many days up to today, in the reporting time zone.
CREATE OR REPLACE VIEW rollup.periods AS
SELECT
    n.period_days,
    (now() AT TIME ZONE r.time_zone)::date - n.period_days + 1 AS since_on,
    r.time_zone AS reporting_time_zone
FROM replicator.reporting r
CROSS JOIN (VALUES (7), (30), (90)) n (period_days);
