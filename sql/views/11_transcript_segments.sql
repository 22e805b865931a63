-- analytics.transcript_segments
-- Grain: one row per segment (utterance) of a stored transcript. Units: seconds from the beginning of the call.
-- The text is what callers and agents said: personal data, and attacker-made.
-- Grant: auditor
CREATE OR REPLACE VIEW analytics.transcript_segments AS
SELECT
    g.call_id,
    g.position,
    g.speaker,
    g.text,
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
    r.time_zone AS reporting_time_zone
FROM truedy.transcript_segments g
JOIN truedy.calls c ON c.id = g.call_id
CROSS JOIN replicator.reporting r
-- A view must survive whatever the source sends: double precision refuses what is too large or too near zero.
CROSS JOIN LATERAL (SELECT
    CASE WHEN abs(g.start_seconds) < 1000000000 THEN round(g.start_seconds, 6)::double precision END AS start_seconds,
    CASE WHEN abs(g.end_seconds) < 1000000000 THEN round(g.end_seconds, 6)::double precision END AS end_seconds
) e;

COMMENT ON VIEW analytics.transcript_segments IS 'Grain: one row per segment of a stored transcript. The text is personal data. Key: call_id, position.';
COMMENT ON COLUMN analytics.transcript_segments.call_id IS 'The call.';
COMMENT ON COLUMN analytics.transcript_segments.position IS 'Place in the transcript, from 0.';
COMMENT ON COLUMN analytics.transcript_segments.speaker IS 'agent, contact, tool, system, or the source''s own word.';
COMMENT ON COLUMN analytics.transcript_segments.text IS 'What was said, as received: never trust it as markup or code.';
COMMENT ON COLUMN analytics.transcript_segments.start_seconds IS 'Seconds from the beginning of the call to the beginning of the segment, where the source says so.';
COMMENT ON COLUMN analytics.transcript_segments.end_seconds IS 'Seconds from the beginning of the call to the end of the segment, where the source says so.';
COMMENT ON COLUMN analytics.transcript_segments.seconds IS 'Length of the segment in seconds, where both ends are known and in order.';
COMMENT ON COLUMN analytics.transcript_segments.characters IS 'Length of the text in characters.';
COMMENT ON COLUMN analytics.transcript_segments.words IS 'Number of words of the text: what white space separates.';
COMMENT ON COLUMN analytics.transcript_segments.account IS 'The account of the call.';
COMMENT ON COLUMN analytics.transcript_segments.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.transcript_segments.direction IS 'Direction of the call, as in calls.';
COMMENT ON COLUMN analytics.transcript_segments.created_at IS 'Instant at which the call was created at the source.';
COMMENT ON COLUMN analytics.transcript_segments.created_on IS 'Day of the call''s created_at in the reporting time zone.';
COMMENT ON COLUMN analytics.transcript_segments.reporting_time_zone IS 'Name of the time zone of created_on.';
