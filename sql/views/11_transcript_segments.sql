-- analytics.transcript_segments
-- Grain: one row per utterance. Units: seconds from the beginning of the call.
-- The text is what callers and agents said: personal data, and attacker-made. Grant this view with care.
CREATE OR REPLACE VIEW analytics.transcript_segments AS
SELECT
    g.call_id,
    g.position,
    g.speaker,
    g.text,
    g.start_seconds::double precision AS start_seconds,
    g.end_seconds::double precision AS end_seconds,
    CASE WHEN g.end_seconds >= g.start_seconds THEN (g.end_seconds - g.start_seconds)::double precision END AS seconds,
    length(g.text) AS characters,
    CASE WHEN g.text ~ '\S' THEN cardinality(regexp_split_to_array(btrim(g.text, E' \t\n\r'), '\s+')) ELSE 0 END AS words,
    c.account,
    c.agent_id,
    c.direction,
    c.created_at,
    (c.created_at AT TIME ZONE r.time_zone)::date AS created_on
FROM truedy.transcript_segments g
JOIN truedy.calls c ON c.id = g.call_id
CROSS JOIN replicator.reporting r;

COMMENT ON VIEW analytics.transcript_segments IS 'Grain: one row per utterance of a transcript. Key: call_id, position. The text is personal data.';
COMMENT ON COLUMN analytics.transcript_segments.call_id IS 'The call.';
COMMENT ON COLUMN analytics.transcript_segments.position IS 'Place in the transcript, from 0.';
COMMENT ON COLUMN analytics.transcript_segments.speaker IS 'agent, contact, tool, system, or the source''s own word.';
COMMENT ON COLUMN analytics.transcript_segments.text IS 'What was said, as received: never trust it as markup or code.';
COMMENT ON COLUMN analytics.transcript_segments.start_seconds IS 'Seconds from the beginning of the call to the beginning of the utterance, where the source says so.';
COMMENT ON COLUMN analytics.transcript_segments.end_seconds IS 'Seconds from the beginning of the call to the end of the utterance, where the source says so.';
COMMENT ON COLUMN analytics.transcript_segments.seconds IS 'Length of the utterance in seconds, where both ends are known.';
COMMENT ON COLUMN analytics.transcript_segments.characters IS 'Length of the text in characters.';
COMMENT ON COLUMN analytics.transcript_segments.words IS 'Words of the text, separated by white space.';
COMMENT ON COLUMN analytics.transcript_segments.account IS 'The account of the call.';
COMMENT ON COLUMN analytics.transcript_segments.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.transcript_segments.direction IS 'Direction of the call.';
COMMENT ON COLUMN analytics.transcript_segments.created_at IS 'When the call was created.';
COMMENT ON COLUMN analytics.transcript_segments.created_on IS 'Day of the call''s created_at in the reporting time zone.';
