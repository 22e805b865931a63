-- Transcripts and recordings that are pending and yet in no queue: they would never be asked for again.
-- Returns: kind, call.
SELECT 'transcript' AS kind, call_id FROM truedy.transcripts WHERE state = 'pending' AND due_at IS NULL
UNION ALL
SELECT 'recording', call_id FROM truedy.recordings WHERE state = 'pending' AND due_at IS NULL
