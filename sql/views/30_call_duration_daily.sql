-- analytics.call_duration_daily
-- Grain: one row per day (of the start, else of the creation), account, direction and agent. Units: seconds.
-- Measured are connected calls that are over and have a duration (calls.talk_seconds). Percentiles are of calls and do
-- not add up over rows: to roll them up use call_duration_histogram_daily.
CREATE OR REPLACE VIEW analytics.call_duration_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.agent_id,
    d.calls,
    d.open_calls,
    d.connected_calls,
    d.conversations,
    d.measured_calls,
    d.duration_seconds,
    d.duration_seconds::double precision / nullif(d.measured_calls, 0) AS average_seconds,
    d.shortest_seconds,
    d.p50_seconds,
    d.p90_seconds,
    d.p95_seconds,
    d.p99_seconds,
    d.longest_seconds,
    d.zero_length_calls,
    d.mismatched_calls,
    r.time_zone AS reporting_time_zone
FROM rollup.durations_current d
CROSS JOIN replicator.reporting r;

COMMENT ON VIEW analytics.call_duration_daily IS 'Grain: one row per day, account, direction and agent. Durations of connected calls that are over. Key: day, account, direction, agent_id.';
COMMENT ON COLUMN analytics.call_duration_daily.day IS 'Day on which the call started (or was created, where it has no start), in the reporting time zone.';
COMMENT ON COLUMN analytics.call_duration_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.call_duration_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.call_duration_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.call_duration_daily.calls IS 'Number of all calls, open ones included.';
COMMENT ON COLUMN analytics.call_duration_daily.open_calls IS 'Number of calls that are not over: not measured yet.';
COMMENT ON COLUMN analytics.call_duration_daily.connected_calls IS 'Number of connected calls that are over, with or without a duration.';
COMMENT ON COLUMN analytics.call_duration_daily.conversations IS 'Number of calls that are over and were a conversation.';
COMMENT ON COLUMN analytics.call_duration_daily.measured_calls IS 'Number of connected calls that are over and have a duration: the denominator of average_seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.duration_seconds IS 'Sum of their durations in seconds: the numerator of average_seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.average_seconds IS 'duration_seconds over measured_calls, in seconds; null where none is measured.';
COMMENT ON COLUMN analytics.call_duration_daily.shortest_seconds IS 'Shortest duration in seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.p50_seconds IS 'Median duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.p90_seconds IS '90th percentile of the duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.p95_seconds IS '95th percentile of the duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.p99_seconds IS '99th percentile of the duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.longest_seconds IS 'Longest duration in seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.reporting_time_zone IS 'Name of the time zone of the days.';
COMMENT ON COLUMN analytics.call_duration_daily.zero_length_calls IS 'Number of measured calls of zero seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.mismatched_calls IS 'Number of calls whose duration_seconds differs by more than two from the time between start and end.';
