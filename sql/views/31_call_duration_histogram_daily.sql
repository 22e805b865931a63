-- analytics.call_duration_histogram_daily
-- Grain: one row per day, account, direction, agent and duration bucket. Units: seconds. Buckets add up over any rows.
-- Measured are the same calls as in call_duration_daily.
CREATE OR REPLACE VIEW analytics.call_duration_histogram_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.agent_id,
    d.lower_seconds,
    d.upper_seconds,
    d.calls,
    d.duration_seconds,
    r.time_zone AS reporting_time_zone
FROM rollup.duration_buckets_current d
CROSS JOIN replicator.reporting r;

COMMENT ON VIEW analytics.call_duration_histogram_daily IS 'Grain: one row per day, account, direction, agent and duration bucket. Counts add up over any rows; percentiles do not. Key: day, account, direction, agent_id, lower_seconds.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.day IS 'Day on which the call started (or was created, where it has no start), in the reporting time zone.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.lower_seconds IS 'Lower edge of the bucket in seconds, included.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.upper_seconds IS 'Upper edge of the bucket in seconds, excluded; null for the last bucket.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.calls IS 'Number of connected calls that are over and whose duration lies in the bucket.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.duration_seconds IS 'Sum of their durations in seconds.';
COMMENT ON COLUMN analytics.call_duration_histogram_daily.reporting_time_zone IS 'Name of the time zone of the days.';
