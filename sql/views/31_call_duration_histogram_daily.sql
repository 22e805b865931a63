-- analytics.call_duration_histogram_daily
-- Grain: one row per day, account, direction, agent and duration bucket. Counts add up over any rows; percentiles do
-- not.
-- Key: day, account, direction, agent_id, lower_seconds.
-- Time: started_at, else created_at.
-- Units: seconds.
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
