-- A call's attempt is a number of at least 1 and at most of all in the window; the first one of a window has none before;
-- contacts reached are some of those tried, and those of the contacts; repeats in a day are some of those in a week.
-- Returns: what is contradicted, the call or nothing, the day or nothing.
SELECT 'attempt' AS what, call_id, created_on AS day
FROM analytics.call_attempts
WHERE attempt_number < 1 OR attempt_number > attempt_count OR is_first <> (attempt_number = 1)
    OR (attempt_count = 1) <> (previous_attempt_at IS NULL) OR gap_hours < 0
    OR is_after_conversation <> (attempt_number < attempt_count)
UNION ALL
SELECT 'contacts', NULL, day
FROM analytics.contacts_daily
WHERE reached_contacts > tried_contacts OR tried_contacts > contacts OR contacts > party_calls
UNION ALL
SELECT 'repeat callers', NULL, day
FROM analytics.repeat_callers_daily
WHERE repeat_24h_calls > repeat_7d_calls OR repeat_7d_calls > caller_calls OR repeat_7d_callers > callers
UNION ALL
SELECT 'resolution', NULL, day
FROM analytics.first_call_resolution_daily
WHERE resolved_conversations > judged_conversations
