-- Transcripts and recordings in a final state that are queued all the same: they would be asked for without end. One
-- that is present may be queued, to be read again after its call changed.
-- Returns: kind, call, state.
SELECT 'transcript' AS kind, call_id, state FROM truedy.transcripts
WHERE state IN ('absent_final', 'denied', 'gave_up') AND due_at IS NOT NULL
UNION ALL
SELECT 'recording', call_id, state FROM truedy.recordings
WHERE state IN ('absent_final', 'denied', 'gave_up') AND due_at IS NOT NULL
