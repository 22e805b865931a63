-- analytics.data_quality
-- Grain: one row per rule and account, rules that no call breaks too: what the source says that contradicts itself or
-- cannot be used.
-- Key: rule, account.
-- Units: calls.
-- None of it is a fault of the replica; sql/checks has those. A call can break several rules, so calls do not add up over rows.
-- It reads all calls, and the segments of transcripts without usable times: minutes for millions.
CREATE OR REPLACE VIEW analytics.data_quality AS
SELECT
    q.rule,
    q.what_is_wrong,
    a.account,
    coalesce(b.calls, 0)::bigint AS calls,
    b.example_call_id
FROM (VALUES
    ('starts before its creation', 'started_at is before created_at: no time to answer'),
    ('ends before its start', 'ended_at is before started_at'),
    ('length does not match', 'duration_seconds differs by more than 2 seconds from started_at to ended_at'),
    ('lasts longer than a day', 'more than 24 hours by its instants or its duration: concurrency counts 24 of them'),
    ('negative length', 'duration_seconds is below zero: not measured'),
    ('over without an end', 'connected and over, or of some length, and ended_at is not there'),
    ('stale and open', 'open for longer than replicator.reporting.stale_open_hours: its end was probably lost'),
    ('status not mapped', 'replicator.status_stages does not know its status: in no rate'),
    ('cost is implausible', '1,000,000 US dollars or more: in no sum'),
    ('negative cost', 'below zero: taken for a refund'),
    ('settled without its cost', 'over for longer than replicator.reporting.settle_hours, its cost has not come'),
    ('number is missing', 'inbound or outbound, and one of its numbers is not there or withheld: of no contact'),
    ('no creation', 'created_at is not there: on the day null'),
    ('created after it was seen', 'created_at is more than 5 minutes after the first look at it: one clock is wrong'),
    ('updated in the future', 'updated_at was more than 5 minutes after it was seen: our own looks order this call''s contents'),
    ('updated_at went back', 'a later look showed an earlier updated_at, again and again: it counts, and call_history has both'),
    ('fields that cannot be read', 'a field of the call or its transcript is of no form that can be read for certain, or is set aside'),
    ('escaped characters', 'characters that PostgreSQL cannot store: kept escaped'),
    ('segment ends before it begins', 'a spoken segment of its transcript: conversation reports do not count its times')
) AS q (rule, what_is_wrong)
CROSS JOIN (SELECT account FROM rollup.day_bounds UNION SELECT account FROM replicator.source_state) a
LEFT JOIN (
    SELECT account, rule, count(*) AS calls, min(call_id::text)::uuid AS example_call_id
    FROM (
        SELECT f.account, f.call_id, unnest(array_remove(ARRAY[
            CASE WHEN f.started_at < f.created_at THEN 'starts before its creation' END,
            CASE WHEN f.ended_at < f.started_at THEN 'ends before its start' END,
            CASE WHEN abs(f.span_seconds - f.duration_seconds) > 2 THEN 'length does not match' END,
            CASE WHEN f.span_seconds > 86400 OR f.talk_seconds > 86400 THEN 'lasts longer than a day' END,
            CASE WHEN f.duration_seconds < 0 THEN 'negative length' END,
            CASE WHEN f.ended_at IS NULL AND (f.is_terminal AND f.is_connected OR f.stage <> 'open' AND f.duration_seconds > 0)
                THEN 'over without an end' END,
            CASE WHEN f.stale_at < now() THEN 'stale and open' END,
            CASE WHEN f.stage = 'unmapped' THEN 'status not mapped' END,
            CASE WHEN f.cost_state = 'implausible' THEN 'cost is implausible' END,
            CASE WHEN f.cost_usd < 0 THEN 'negative cost' END,
            CASE WHEN f.cost_state = 'pending' AND f.settles_at < now() THEN 'settled without its cost' END,
            CASE WHEN f.direction IN ('inbound', 'outbound') AND (f.other_party IS NULL OR f.our_number IS NULL)
                THEN 'number is missing' END,
            CASE WHEN f.created_at IS NULL THEN 'no creation' END,
            CASE WHEN f.created_at > f.first_seen_at + interval '5 minutes' THEN 'created after it was seen' END,
            CASE WHEN c.updated_at > c.observed_at + interval '5 minutes' THEN 'updated in the future' END,
            CASE WHEN z.believed_at IS NOT NULL THEN 'updated_at went back' END,
            CASE WHEN cardinality(c.problems) > 0 OR cardinality(t.problems) > 0
                THEN 'fields that cannot be read' END,
            CASE WHEN c.has_escapes OR t.has_escapes THEN 'escaped characters' END
        ], NULL)) AS rule
        FROM (
            -- OFFSET 0: each fact is computed once, however many rules ask for it.
            SELECT
                call_id, account, direction, stage, is_terminal, is_connected, stale_at, settles_at, created_at,
                started_at, ended_at, first_seen_at, duration_seconds, talk_seconds, span_seconds, cost_usd, cost_state,
                other_party, our_number
            FROM rollup.facts OFFSET 0
        ) f
        JOIN truedy.calls c ON c.id = f.call_id
        LEFT JOIN truedy.transcripts t ON t.call_id = f.call_id
        LEFT JOIN replicator.stamp_conflicts z ON z.call_id = f.call_id
        UNION ALL
        SELECT c.account, c.id, 'segment ends before it begins'
        FROM rollup.call_conversations_current v
        JOIN truedy.calls c ON c.id = v.call_id
        WHERE NOT v.is_timed AND EXISTS (SELECT FROM truedy.transcript_segments g
            WHERE g.call_id = v.call_id AND g.speaker IN ('agent', 'contact') AND g.end_seconds < g.start_seconds)
    ) broken
    GROUP BY account, rule
) b ON b.account = a.account AND b.rule = q.rule;
