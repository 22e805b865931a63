-- Each version, deleted call, run and missing transcript or recording is shown once.
-- Returns: view, how many rows it shows, how many there are.
SELECT s.view, s.shown, s.stored
FROM (
    SELECT 'call_history' AS view, (SELECT count(*) FROM analytics.call_history) AS shown,
        (SELECT count(*) FROM truedy.call_versions v JOIN truedy.calls c ON c.id = v.call_id) AS stored
    UNION ALL
    SELECT 'deleted_calls', (SELECT count(*) FROM analytics.deleted_calls),
        (SELECT count(*) FROM truedy.calls WHERE deleted_at IS NOT NULL)
    UNION ALL
    SELECT 'sync_runs', (SELECT count(*) FROM analytics.sync_runs), (SELECT count(*) FROM replicator.runs)
    UNION ALL
    SELECT 'missing_transcripts', (SELECT count(*) FROM analytics.missing_transcripts WHERE state <> 'present'),
        (SELECT count(*) FROM truedy.transcripts t JOIN analytics.calls c ON c.call_id = t.call_id
            WHERE t.state <> 'present' AND c.is_terminal AND c.is_connected)
    UNION ALL
    SELECT 'missing_recordings', (SELECT count(*) FROM analytics.missing_recordings),
        (SELECT count(*) FROM truedy.recordings t JOIN analytics.calls c ON c.call_id = t.call_id
            WHERE t.state <> 'present' AND c.is_terminal AND c.is_connected)
) s
WHERE s.shown <> s.stored
