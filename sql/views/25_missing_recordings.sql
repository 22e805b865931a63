-- analytics.missing_recordings
-- Grain: one row per call that should have a recording and has none, with the reason.
-- Key: call_id.
-- Units: seconds; days in the reporting time zone.
-- Should have: it is over, was connected, and was queued for one; recordings that are switched off are not missed.
-- None yet is not none: pending ones are asked for again at due_at.
-- A filter on call_id reaches an index; without one it reads all recordings.
CREATE OR REPLACE VIEW analytics.missing_recordings AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.direction,
    f.stage,
    f.is_conversation,
    f.is_deleted,
    f.created_at,
    f.created_on,
    f.ended_at,
    f.duration_seconds,
    t.state,
    CASE t.state
        WHEN 'present' THEN 'it is there, and empty'
        WHEN 'pending' THEN CASE WHEN t.asked_at IS NULL THEN 'not asked for yet'
            WHEN t.due_at <= now() THEN 'not there when it was last asked for; to be asked for again now'
            ELSE 'not there when it was last asked for; to be asked for again' END
        WHEN 'absent_final' THEN 'the source had none until the deadline'
        WHEN 'denied' THEN 'the source refuses it'
        WHEN 'gave_up' THEN 'the source failed until the deadline'
    END AS why,
    extract(epoch FROM now() - coalesce(f.ended_at, f.created_at))::double precision AS age_seconds,
    t.attempts,
    t.asked_at,
    t.due_at,
    t.deadline_at,
    f.reporting_time_zone
FROM truedy.recordings t
JOIN rollup.facts f ON f.call_id = t.call_id
WHERE f.is_terminal AND f.is_connected AND (t.state <> 'present');
