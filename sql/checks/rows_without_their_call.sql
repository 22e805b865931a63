-- Versions, transcripts, segments and recordings of a call that is not stored: there are no foreign keys.
-- Returns: table, call.
SELECT x.stored_in, x.call_id
FROM (
    SELECT 'call_versions' AS stored_in, call_id FROM truedy.call_versions
    UNION SELECT 'transcripts', call_id FROM truedy.transcripts
    UNION SELECT 'transcript_segments', call_id FROM truedy.transcript_segments
    UNION SELECT 'transcript_versions', call_id FROM truedy.transcript_versions
    UNION SELECT 'recordings', call_id FROM truedy.recordings
) x
WHERE NOT EXISTS (SELECT 1 FROM truedy.calls c WHERE c.id = x.call_id)
