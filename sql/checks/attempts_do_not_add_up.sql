-- Outbound calls are attempts, by number, by day's and by month's contacts; inbound calls are the repeat callers' report's,
-- and conversations the resolution report's, in three parts: each all of them, with a day or without.
-- Returns: report, how many calls it shows, how many there are.
SELECT s.report, s.shown, c.stored
FROM (
    SELECT 'call_attempts' AS report, 'outbound' AS kind, count(*)::bigint AS shown FROM analytics.call_attempts
    UNION ALL
    SELECT 'reach_by_attempt', 'outbound', coalesce(sum(calls), 0)::bigint FROM analytics.reach_by_attempt
    UNION ALL
    SELECT 'contacts_daily', 'outbound', coalesce(sum(party_calls + unknown_party_calls), 0)::bigint
    FROM analytics.contacts_daily
    UNION ALL
    SELECT 'contacts_monthly', 'outbound', coalesce(sum(party_calls + unknown_party_calls), 0)::bigint
    FROM analytics.contacts_monthly
    UNION ALL
    SELECT 'repeat_callers_daily', 'inbound', coalesce(sum(caller_calls + unknown_caller_calls), 0)::bigint
    FROM analytics.repeat_callers_daily
    UNION ALL
    SELECT 'first_call_resolution_daily', 'conversations',
        coalesce(sum(judged_conversations + young_conversations + unknown_party_conversations), 0)::bigint
    FROM analytics.first_call_resolution_daily
) s
JOIN (
    SELECT 'outbound' AS kind, count(*) AS stored FROM truedy.calls WHERE direction = 'outbound'
    UNION ALL
    SELECT 'inbound', count(*) FROM truedy.calls WHERE direction = 'inbound'
    UNION ALL
    SELECT 'conversations', count(*) FROM analytics.calls WHERE is_conversation AND is_terminal
) c ON c.kind = s.kind
WHERE s.shown <> c.stored
