-- analytics.reach_by_attempt
-- Grain: one row per day of creation, account and number of the attempt, 1 to 9; 10 is ten or more. Units: calls; rates
-- are 0 to 1. Outbound calls only.
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
    a.placed_calls::double precision / nullif(a.terminal_calls, 0) AS placed_rate,
    a.answered_calls::double precision / nullif(a.placed_calls, 0) AS answer_rate,
    a.machine_calls::double precision / nullif(a.placed_calls, 0) AS machine_rate,
    a.conversations::double precision / nullif(a.terminal_calls, 0) AS conversation_rate,
    r.time_zone AS reporting_time_zone
FROM (
    SELECT
        created_on AS day,
        account,
        CASE WHEN attempt_number > 10 THEN 10 ELSE attempt_number END AS attempt_number,
        count(*) AS calls,
        count(*) FILTER (WHERE stage = 'open') AS open_calls,
        count(*) FILTER (WHERE stage NOT IN ('open', 'unmapped')) AS terminal_calls,
        count(*) FILTER (WHERE stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
        count(*) FILTER (WHERE stage = 'answered') AS answered_calls,
        count(*) FILTER (WHERE stage = 'machine') AS machine_calls,
        count(*) FILTER (WHERE is_conversation) AS conversations
    FROM analytics.call_attempts
    GROUP BY 1, 2, 3
) a
CROSS JOIN replicator.reporting r;

COMMENT ON VIEW analytics.reach_by_attempt IS 'Grain: one row per day of creation, account and number of the attempt (10: ten or more). Outbound calls. Key: day, account, attempt_number.';
COMMENT ON COLUMN analytics.reach_by_attempt.day IS 'Day on which the calls were created, in the reporting time zone.';
COMMENT ON COLUMN analytics.reach_by_attempt.account IS 'The account.';
COMMENT ON COLUMN analytics.reach_by_attempt.attempt_number IS 'Number of the attempt as in call_attempts, 1 to 9; 10 is ten or more, null is not known.';
COMMENT ON COLUMN analytics.reach_by_attempt.calls IS 'Number of outbound calls that were this attempt.';
COMMENT ON COLUMN analytics.reach_by_attempt.open_calls IS 'Number of those that are not over.';
COMMENT ON COLUMN analytics.reach_by_attempt.terminal_calls IS 'Number of those that are over with a known status: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.reach_by_attempt.placed_calls IS 'Number of those that reached the other end: the numerator of placed_rate, the denominator of answer_rate and machine_rate.';
COMMENT ON COLUMN analytics.reach_by_attempt.answered_calls IS 'Number of those that were answered and ended normally: the numerator of answer_rate.';
COMMENT ON COLUMN analytics.reach_by_attempt.machine_calls IS 'Number of those that a machine answered: the numerator of machine_rate.';
COMMENT ON COLUMN analytics.reach_by_attempt.conversations IS 'Number of those that were a conversation: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.reach_by_attempt.placed_rate IS 'placed_calls over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.reach_by_attempt.answer_rate IS 'answered_calls over placed_calls, 0 to 1; null where none was placed.';
COMMENT ON COLUMN analytics.reach_by_attempt.machine_rate IS 'machine_calls over placed_calls, 0 to 1; null where none was placed.';
COMMENT ON COLUMN analytics.reach_by_attempt.conversation_rate IS 'conversations over terminal_calls, 0 to 1; null where no call is over.';
COMMENT ON COLUMN analytics.reach_by_attempt.reporting_time_zone IS 'Name of the time zone of the days.';
