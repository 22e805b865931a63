-- analytics.first_call_resolution_daily
-- Grain: one row per day, account, direction and agent with conversations: how many needed no further contact. A proxy.
-- Key: day, account, direction, agent_id.
-- Time: created_at.
-- Units: conversations; rates are 0 to 1.
-- A proxy, as nobody says what was resolved: a conversation counts as resolved where the same party has no further
-- conversation, of either direction, and does not call again within replicator.reporting.resolution_days (of 24 hours).
--     conversations = judged_conversations + young_conversations + unknown_party_conversations
-- Young are those whose days are not over, as of the last look at the source's newest calls: they are in no rate, also
-- where somebody called again already, as the early ones are the unresolved ones.
-- A filter on the day reads that day's calls and, by an index, their parties' others; without one it does so for all.
CREATE OR REPLACE VIEW analytics.first_call_resolution_daily AS
SELECT
    nullif(b.day, '-infinity') AS day,
    b.account,
    c.direction,
    c.agent_id,
    c.conversations,
    c.unknown_party_conversations,
    c.young_conversations,
    c.judged_conversations,
    c.resolved_conversations,
    c.resolved_conversations::double precision / nullif(c.judged_conversations, 0) AS resolution_rate,
    r.time_zone AS reporting_time_zone
FROM rollup.day_bounds b
CROSS JOIN replicator.reporting r
LEFT JOIN replicator.source_state s ON s.account = b.account
-- Seconds, as a day of an interval is one of the session's time zone; 100 years at most, so that no instant overflows.
CROSS JOIN LATERAL (SELECT
    make_interval(secs => least(r.resolution_days, 36500) * 86400.0) AS reach,
    least(now(), s.head_at) AS known_until
) k
CROSS JOIN LATERAL (
    SELECT
        f.direction,
        f.agent_id,
        count(*) AS conversations,
        count(*) FILTER (WHERE NOT j.is_known) AS unknown_party_conversations,
        count(*) FILTER (WHERE j.is_known AND NOT j.is_judged) AS young_conversations,
        count(*) FILTER (WHERE j.is_judged) AS judged_conversations,
        count(*) FILTER (WHERE j.is_judged AND NOT EXISTS (
            SELECT FROM rollup.facts e
            WHERE e.other_party = f.other_party
                AND e.created_at >= f.created_at AND e.created_at <= f.created_at + k.reach
                AND (e.created_at, e.call_id) > (f.created_at, f.call_id) AND e.account = f.account
                AND (e.direction = 'inbound' OR e.is_conversation)
        )) AS resolved_conversations
    FROM rollup.facts f
    CROSS JOIN LATERAL (SELECT
        f.is_party_known AND f.created_at IS NOT NULL AS is_known,
        coalesce(f.is_party_known AND f.created_at + k.reach <= k.known_until, false) AS is_judged
    ) j
    WHERE f.account = b.account AND f.is_conversation AND f.is_terminal
        {created_that_day}
    GROUP BY f.direction, f.agent_id
) c;
