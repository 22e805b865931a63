-- analytics.transcript_segments
-- Grain: one row per segment of a stored transcript. The text is personal data.
-- Key: call_id, position.
-- Units: seconds from the beginning of the call.
-- The text is what callers and agents said: personal data, and attacker-made. Payment data that was found in it (with the
-- archive on) is masked.
-- Grant: auditor
CREATE OR REPLACE VIEW analytics.transcript_segments AS
SELECT
    g.call_id,
    g.position,
    g.speaker,
    CASE WHEN m.call_id IS NULL THEN g.text ELSE (
        SELECT
            {masked_text}
        FROM (SELECT g.call_id, 'segment' AS place, g.position, g.text) x
    ) END AS text,
    e.start_seconds,
    e.end_seconds,
    CASE WHEN e.end_seconds >= e.start_seconds
        THEN (round(g.end_seconds, 6) - round(g.start_seconds, 6))::double precision END AS seconds,
    length(g.text) AS characters,
    regexp_count(g.text, '\S+') AS words,
    c.account,
    c.agent_id,
    c.direction,
    c.created_at,
    (c.created_at AT TIME ZONE r.time_zone)::date AS created_on,
    r.time_zone AS reporting_time_zone,
    m.call_id IS NOT NULL AS has_payment_data
FROM truedy.transcript_segments g
JOIN truedy.calls c ON c.id = g.call_id
CROSS JOIN replicator.reporting r
-- Few segments have any, so this is small; where none has, it costs nothing.
LEFT JOIN (
    SELECT call_id, position FROM archive.payment_findings WHERE place = 'segment' GROUP BY call_id, position
) m ON m.call_id = g.call_id AND m.position = g.position
-- A view must survive whatever the source sends: double precision refuses what is too large or too near zero.
CROSS JOIN LATERAL (SELECT
    CASE WHEN abs(g.start_seconds) < 1000000000 THEN round(g.start_seconds, 6)::double precision END AS start_seconds,
    CASE WHEN abs(g.end_seconds) < 1000000000 THEN round(g.end_seconds, 6)::double precision END AS end_seconds
) e;
