-- analytics.reach_by_attempt
-- Grain: one row per day, account and number of the attempt (10: ten or more). Outbound calls.
-- Key: day, account, attempt_number.
-- Time: created_at.
-- Units: calls; rates are 0 to 1.
-- Later attempts are the hard cases: a falling rate is no proof that calling again does harm. Counts add up over rows.
-- A filter on the day reads that day's calls and, by an index, their parties' others; without one it does so for all.
CREATE OR REPLACE VIEW analytics.reach_by_attempt AS
SELECT
    a.day,
    a.account,
    a.attempt_number,
    a.calls,
    a.open_calls,
    a.terminal_calls,
    a.placed_calls,
    a.answered_calls,
    a.machine_calls,
    a.conversations,
    {stage_rates}
    r.time_zone AS reporting_time_zone
FROM (
    SELECT
        created_on AS day,
        account,
        CASE WHEN attempt_number > 10 THEN 10 ELSE attempt_number END AS attempt_number,
        count(*) AS calls,
        count(*) FILTER (WHERE stage = 'open') AS open_calls,
        {stage_counts}
        count(*) FILTER (WHERE is_conversation) AS conversations
    FROM analytics.call_attempts
    GROUP BY 1, 2, 3
) a
CROSS JOIN replicator.reporting r;
