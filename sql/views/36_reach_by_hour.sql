-- analytics.reach_by_hour
-- Grain: one row per day, weekday, hour, account and direction, of all calls, placed or not.
-- Key: day, account, direction, weekday, hour.
-- Time: created_at.
-- Units: calls; rates are 0 to 1.
-- Days, weekdays and hours are those of the reporting time zone, not of the called party: the contract tells no place.
-- Sum over days for a heat map; an hour that the clocks repeat holds twice the time.
CREATE OR REPLACE VIEW analytics.reach_by_hour AS
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
    d.answered_calls::double precision / nullif(d.placed_calls, 0) AS answer_rate,
    d.conversations::double precision / nullif(d.terminal_calls, 0) AS conversation_rate,
    r.time_zone AS reporting_time_zone
FROM rollup.hours_current d
CROSS JOIN replicator.reporting r;
