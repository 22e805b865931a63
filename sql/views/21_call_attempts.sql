-- analytics.call_attempts
-- Grain: one row per outbound call, with the number of the attempt that it was to reach its party.
-- Key: call_id.
-- Units: hours, calls; days in the reporting time zone.
-- A party is a called number, of one account. A conversation begins anew, and so does a silence:
--     attempt_number = 1 + earlier outbound calls to the party within replicator.reporting.attempt_days (of 24 hours)
--                      before this one, and after its last conversation among those
-- Calls of the same instant are in the order of their ids. A call whose number is not there (or is a word for a
-- withheld one), or without an instant, has no number.
-- A filter on created_on, created_at or call_id reads those calls and, by an index, their parties' others: seconds for
-- all calls of a day. Without one it does so for every call. A number that is called thousands of times in attempt_days
-- costs the square of that.
CREATE OR REPLACE VIEW analytics.call_attempts AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.campaign_id,
    f.created_at,
    -- By the day's bounds, so that a filter on days reaches an index; a join, so that one on call_id does too.
    nullif(b.day, '-infinity') AS created_on,
    f.stage,
    f.is_terminal,
    f.is_connected,
    f.is_conversation,
    CASE WHEN k.is_known THEN 1 + w.attempts_since_conversation END::integer AS attempt_number,
    CASE WHEN k.is_known THEN 1 + w.attempts END::integer AS attempt_count,
    CASE WHEN k.is_known THEN w.attempts_since_conversation = 0 END AS is_first,
    CASE WHEN k.is_known THEN w.attempts_since_conversation < w.attempts END AS is_after_conversation,
    w.previous_attempt_at,
    extract(epoch FROM f.created_at - w.previous_attempt_at)::double precision / 3600 AS gap_hours,
    CASE WHEN k.is_known THEN EXISTS (
        SELECT FROM rollup.facts e
        WHERE e.other_party = k.party
                AND e.created_at >= f.created_at AND e.created_at <= f.created_at + k.reach
            AND (e.created_at, e.call_id) > (f.created_at, f.call_id)
            AND e.direction = 'outbound' AND e.account = f.account
    ) END AS has_next_attempt,
    CASE WHEN length(f.other_party) >= 7 THEN left(f.other_party, 2) || '…' || right(f.other_party, 2)
        WHEN f.other_party IS NOT NULL THEN '…' END AS other_party_masked,
    r.time_zone AS reporting_time_zone
FROM rollup.day_bounds b
JOIN rollup.facts f ON f.account = b.account
    {created_that_day}
CROSS JOIN replicator.reporting r
-- Seconds, as a day of an interval is one of the session's time zone; 100 years at most, so that no instant overflows.
CROSS JOIN LATERAL (SELECT
    f.is_party_known AND f.created_at IS NOT NULL AS is_known,
    CASE WHEN f.is_party_known THEN f.other_party END AS party,
    make_interval(secs => least(r.attempt_days, 36500) * 86400.0) AS reach
) k
CROSS JOIN LATERAL (
    SELECT
        count(*) AS attempts,
        count(*) FILTER (WHERE conversations = 0) AS attempts_since_conversation,
        max(created_at) AS previous_attempt_at
    FROM (
        SELECT
            e.created_at,
            count(*) FILTER (WHERE e.is_conversation) OVER (
                ORDER BY e.created_at DESC, e.call_id DESC ROWS UNBOUNDED PRECEDING
            ) AS conversations
        FROM rollup.facts e
        WHERE e.other_party = k.party AND e.created_at >= f.created_at - k.reach AND e.created_at <= f.created_at
            AND (e.created_at, e.call_id) < (f.created_at, f.call_id)
            AND e.direction = 'outbound' AND e.account = f.account
    ) earlier
) w
WHERE f.direction = 'outbound';
