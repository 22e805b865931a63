-- analytics.archive_recordings
-- Grain: one row per call that should have a recording: it is over, was connected, and was queued for one.
-- Key: call_id.
-- Units: bytes; days in the reporting time zone.
-- Expected are all rows; recording_status says what became of each, and recording_reason why it is not stored.
-- A recording that has a link and is not queued yet is queued by the next `archive run`, where the archive is on.
-- A filter on call_id reaches an index; without one it reads all recordings.
CREATE OR REPLACE VIEW analytics.archive_recordings AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.direction,
    f.stage,
    f.is_deleted,
    f.created_at,
    f.created_on,
    f.ended_at,
    f.duration_seconds,
    CASE
        WHEN o.state IN ('stored', 'missing', 'refused', 'erased', 'disposed') THEN o.state
        WHEN o.state = 'pending' OR t.state = 'pending' THEN 'not_yet'
        WHEN t.state = 'present' THEN 'not_queued'
        WHEN t.state = 'denied' THEN 'refused'
        ELSE 'missing'
    END AS recording_status,
    CASE
        WHEN o.state IN ('stored', 'erased', 'disposed') THEN NULL
        WHEN o.state IS NOT NULL THEN coalesce(o.reason, 'not_tried')
        WHEN t.state = 'present' THEN 'not_queued'
        WHEN t.state = 'pending' THEN 'link_not_there'
        WHEN t.state = 'denied' THEN 'link_denied'
        WHEN t.state = 'gave_up' THEN 'link_gave_up'
        ELSE 'no_link'
    END AS recording_reason,
    o.deadline_at,
    coalesce(o.state = 'pending' AND o.deadline_at > now() AND o.deadline_at <= now() + interval '2 days', false)
        AS is_near_deadline,
    coalesce(o.state = 'pending' AND o.deadline_at <= now(), false) AS is_past_deadline,
    coalesce(o.attempts, t.attempts) AS attempts,
    o.tried_at,
    CASE WHEN o.state IS NULL THEN t.due_at ELSE o.next_try_at END AS next_try_at,
    o.stored_at,
    o.bytes AS recording_bytes,
    o.media_type,
    o.sha256 AS recording_sha256,
    f.reporting_time_zone
FROM truedy.recordings t
JOIN rollup.facts f ON f.call_id = t.call_id
LEFT JOIN archive.objects o ON o.account = f.account AND o.call_id = f.call_id AND o.kind = 'recording'
WHERE f.is_terminal AND f.is_connected;
