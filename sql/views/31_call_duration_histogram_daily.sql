-- analytics.call_duration_histogram_daily
-- Grain: one row per day, account, direction, agent and duration bucket. Units: seconds. Buckets add up over any rows.
-- Measured are the same calls as in call_duration_daily.
CREATE OR REPLACE VIEW analytics.call_duration_histogram_daily AS
SELECT
    c.started_on AS day,
    c.account,
    c.direction,
    c.agent_id,
    edges.lower_seconds,
    edges.upper_seconds,
    count(*) AS calls,
    sum(c.talk_seconds)::bigint AS duration_seconds,
    min(c.reporting_time_zone) AS reporting_time_zone
FROM analytics.calls c
JOIN (VALUES (0, 5), (5, 10), (10, 20), (20, 30), (30, 45), (45, 60), (60, 90), (90, 120), (120, 180), (180, 300),
    (300, 600), (600, 1200), (1200, 1800), (1800, 3600), (3600, NULL)) AS edges (lower_seconds, upper_seconds)
    ON c.talk_seconds >= edges.lower_seconds AND (edges.upper_seconds IS NULL OR c.talk_seconds < edges.upper_seconds)
GROUP BY c.started_on, c.account, c.direction, c.agent_id, edges.lower_seconds, edges.upper_seconds;

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
