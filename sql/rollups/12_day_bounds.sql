-- rollup.day_bounds
-- Grain: one row per account and day on which calls are known. since and until enclose the day, and a little more: an
-- index finds what lies between, the day itself decides. Clocks that are put back at midnight pass through it twice,
-- so a day's exact bounds cannot be told from its date. Calls without the instant are on the day minus infinity.
CREATE OR REPLACE VIEW rollup.day_bounds AS
SELECT
    {bounds_of_a_day}
FROM (SELECT account, day FROM rollup.touched UNION SELECT account, day FROM rollup.days) d
CROSS JOIN replicator.reporting r;
