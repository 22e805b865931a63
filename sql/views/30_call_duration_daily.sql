-- analytics.call_duration_daily
-- Grain: one row per day (started_on, else created_on), account, direction and agent. Units: seconds.
-- Only calls that are over and have a duration count; percentiles are of calls and do not add up over rows: to roll
-- them up use call_duration_histogram_daily.
CREATE OR REPLACE VIEW analytics.call_duration_daily AS
SELECT
    started_on AS day,
    account,
    direction,
    agent_id,
    count(*) AS calls,
    count(*) FILTER (WHERE is_terminal) AS terminal_calls,
    count(*) FILTER (WHERE is_conversation AND is_terminal) AS conversations,
    count(duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS measured_calls,
    coalesce(sum(duration_seconds) FILTER (WHERE is_terminal AND is_connected), 0)::bigint AS duration_seconds,
    (avg(duration_seconds) FILTER (WHERE is_terminal AND is_connected))::double precision AS average_seconds,
    min(duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS shortest_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS p50_seconds,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS p90_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS p95_seconds,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS p99_seconds,
    max(duration_seconds) FILTER (WHERE is_terminal AND is_connected) AS longest_seconds,
    min(reporting_time_zone) AS reporting_time_zone
FROM analytics.calls
GROUP BY started_on, account, direction, agent_id;

COMMENT ON VIEW analytics.call_duration_daily IS 'Grain: one row per day, account, direction and agent. Durations of connected calls that are over. Key: day, account, direction, agent_id.';
COMMENT ON COLUMN analytics.call_duration_daily.day IS 'Day on which the call started (or was created, where it never did), in the reporting time zone.';
COMMENT ON COLUMN analytics.call_duration_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.call_duration_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.call_duration_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.call_duration_daily.calls IS 'All calls, open ones included.';
COMMENT ON COLUMN analytics.call_duration_daily.terminal_calls IS 'Calls that are over.';
COMMENT ON COLUMN analytics.call_duration_daily.conversations IS 'Calls that are over and were a conversation with a person.';
COMMENT ON COLUMN analytics.call_duration_daily.measured_calls IS 'Connected calls that are over and have a duration: the denominator of the average.';
COMMENT ON COLUMN analytics.call_duration_daily.duration_seconds IS 'Sum of their durations in seconds: the numerator of the average.';
COMMENT ON COLUMN analytics.call_duration_daily.average_seconds IS 'Average duration in seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.shortest_seconds IS 'Shortest duration in seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.p50_seconds IS 'Median duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.p90_seconds IS '90th percentile of the duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.p95_seconds IS '95th percentile of the duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.p99_seconds IS '99th percentile of the duration in seconds, interpolated.';
COMMENT ON COLUMN analytics.call_duration_daily.longest_seconds IS 'Longest duration in seconds.';
COMMENT ON COLUMN analytics.call_duration_daily.reporting_time_zone IS 'The time zone of the days.';
