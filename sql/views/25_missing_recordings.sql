-- analytics.missing_recordings
-- Grain: one row per call that should have a recording and has none, with the reason.
-- Key: call_id.
-- Units: seconds; days in the reporting time zone.
-- Should have: it is over, was connected, and was queued for one; recordings that are switched off are not missed.
-- None yet is not none: pending ones are asked for again at due_at.
-- A filter on call_id reaches an index; without one it reads all recordings.
CREATE OR REPLACE VIEW analytics.missing_recordings AS
SELECT
    {missing_detail}
FROM truedy.recordings t
JOIN rollup.facts f ON f.call_id = t.call_id
WHERE f.is_terminal AND f.is_connected AND (t.state <> 'present');
