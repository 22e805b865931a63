-- analytics.call_duration_daily
-- Grain: one row per day (of the start, else of the creation), account, direction and agent. Units: seconds.
-- Measured are connected calls that are over and have a duration (calls.talk_seconds). Percentiles are of calls and do
-- not add up over rows: to roll them up use call_duration_histogram_daily.
CREATE OR REPLACE VIEW analytics.call_duration_daily AS
SELECT
    started_on AS day,
    account,
    direction,
    agent_id,
    count(*) AS calls,
    count(*) FILTER (WHERE is_open) AS open_calls,
    count(*) FILTER (WHERE is_terminal AND is_connected) AS connected_calls,
    count(*) FILTER (WHERE is_terminal AND is_conversation) AS conversations,
    count(talk_seconds) AS measured_calls,
    coalesce(sum(talk_seconds), 0)::bigint AS duration_seconds,
    avg(talk_seconds)::double precision AS average_seconds,
    min(talk_seconds) AS shortest_seconds,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY talk_seconds) AS p50_seconds,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY talk_seconds) AS p90_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY talk_seconds) AS p95_seconds,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY talk_seconds) AS p99_seconds,
    max(talk_seconds) AS longest_seconds,
    min(reporting_time_zone) AS reporting_time_zone
FROM analytics.calls
GROUP BY started_on, account, direction, agent_id;

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
