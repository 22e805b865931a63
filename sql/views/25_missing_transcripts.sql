-- analytics.missing_transcripts
-- Grain: one row per call that should have a transcript and has none, with the reason.
-- Key: call_id.
-- Units: seconds; days in the reporting time zone.
-- Should have: it is over, was connected, and was queued for one; transcripts that are switched off are not missed.
-- A transcript that is there and empty counts as missing after a conversation.
-- None yet is not none: pending ones are asked for again at due_at.
-- A filter on call_id reaches an index; without one it reads all transcripts.
CREATE OR REPLACE VIEW analytics.missing_transcripts AS
SELECT
    {missing_detail}
FROM truedy.transcripts t
JOIN rollup.facts f ON f.call_id = t.call_id
WHERE f.is_terminal AND f.is_connected AND (t.state <> 'present' OR t.segment_count = 0 AND f.is_conversation);
