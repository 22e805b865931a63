-- analytics.calls_by_hour
-- Grain: one row per day, weekday, hour, account and direction, of all calls: how many, whatever came of them.
-- Key: day, account, direction, weekday, hour.
-- Time: created_at.
-- Units: calls.
-- Hours are those of the reporting time zone. Hours without a call have no row. Counts add up over rows.
CREATE OR REPLACE VIEW analytics.calls_by_hour AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.created_weekday AS weekday,
    (ARRAY['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[d.created_weekday] AS weekday_name,
    d.created_hour AS hour,
    d.calls,
    d.terminal_calls,
    d.placed_calls,
    d.answered_calls,
    d.machine_calls,
    d.conversations,
    r.time_zone AS reporting_time_zone
FROM rollup.hours_current d
CROSS JOIN replicator.reporting r;
