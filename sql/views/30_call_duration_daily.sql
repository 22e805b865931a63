-- analytics.call_duration_daily
-- Grain: one row per day, account, direction and agent. Durations of connected calls that are over.
-- Key: day, account, direction, agent_id.
-- Time: started_at, else created_at.
-- Units: seconds.
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
