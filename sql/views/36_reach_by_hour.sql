-- analytics.reach_by_hour
-- Grain: one row per day of creation, weekday, hour, account and direction. Units: calls; rates are 0 to 1.
-- Days, weekdays and hours are those of the reporting time zone, not of the called party: the contract tells no place.
-- Sum over days for a heat map; an hour that the clocks repeat holds twice the time.
CREATE OR REPLACE VIEW analytics.reach_by_hour AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.created_weekday AS weekday,
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

COMMENT ON VIEW analytics.reach_by_hour IS 'Grain: one row per day, weekday, hour, account and direction. Key: day, account, direction, weekday, hour.';
COMMENT ON COLUMN analytics.reach_by_hour.day IS 'Day on which the calls were created, in the reporting time zone.';
COMMENT ON COLUMN analytics.reach_by_hour.account IS 'The account.';
COMMENT ON COLUMN analytics.reach_by_hour.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.reach_by_hour.weekday IS 'Weekday in the reporting time zone, 1 Monday to 7 Sunday.';
COMMENT ON COLUMN analytics.reach_by_hour.hour IS 'Hour of the day in the reporting time zone, 0 to 23.';
COMMENT ON COLUMN analytics.reach_by_hour.calls IS 'Number of all calls created: attempts, not contacts.';
COMMENT ON COLUMN analytics.reach_by_hour.terminal_calls IS 'Number of calls that are over with a known status: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.reach_by_hour.placed_calls IS 'Number of calls that reached the other end, whatever came of it: the numerator of placed_rate, the denominator of answer_rate and machine_rate.';
COMMENT ON COLUMN analytics.reach_by_hour.answered_calls IS 'Number of calls that were answered and ended normally (completed): the numerator of answer_rate.';
COMMENT ON COLUMN analytics.reach_by_hour.machine_calls IS 'Number of calls that a machine answered (voicemail): the numerator of machine_rate.';
COMMENT ON COLUMN analytics.reach_by_hour.conversations IS 'Number of answered calls that connected and are not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.reach_by_hour.answer_rate IS 'answered_calls over placed_calls, 0 to 1, machines not counted as answers; null where none was placed.';
COMMENT ON COLUMN analytics.reach_by_hour.conversation_rate IS 'conversations over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.reach_by_hour.reporting_time_zone IS 'Name of the time zone of the days.';
