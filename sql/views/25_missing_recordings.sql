-- analytics.missing_recordings
-- Grain: one row per call that should have a recording and has none. Units: seconds; days in the reporting time zone.
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

COMMENT ON VIEW analytics.missing_recordings IS 'Grain: one row per call that should have a recording and has none, with the reason. Key: call_id.';
COMMENT ON COLUMN analytics.missing_recordings.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.missing_recordings.account IS 'The account.';
COMMENT ON COLUMN analytics.missing_recordings.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.missing_recordings.direction IS 'Direction of the call.';
COMMENT ON COLUMN analytics.missing_recordings.stage IS 'Stage of the call, as in calls.';
COMMENT ON COLUMN analytics.missing_recordings.is_conversation IS 'The call was a conversation, as in calls.';
COMMENT ON COLUMN analytics.missing_recordings.is_deleted IS 'The source no longer has the call: it will not come any more.';
COMMENT ON COLUMN analytics.missing_recordings.created_at IS 'Instant at which the call was created at the source.';
COMMENT ON COLUMN analytics.missing_recordings.created_on IS 'Day of created_at in the reporting time zone.';
COMMENT ON COLUMN analytics.missing_recordings.ended_at IS 'Instant at which the call ended.';
COMMENT ON COLUMN analytics.missing_recordings.duration_seconds IS 'Length in seconds as the source reports it.';
COMMENT ON COLUMN analytics.missing_recordings.state IS 'pending, absent_final, denied or gave_up.';
COMMENT ON COLUMN analytics.missing_recordings.why IS 'The same in words.';
COMMENT ON COLUMN analytics.missing_recordings.age_seconds IS 'Seconds since the end of the call, or since its creation where that is not known.';
COMMENT ON COLUMN analytics.missing_recordings.attempts IS 'How often it was asked for in vain.';
COMMENT ON COLUMN analytics.missing_recordings.asked_at IS 'Instant at which it was last asked for; null where it was not.';
COMMENT ON COLUMN analytics.missing_recordings.due_at IS 'Instant from which it is to be asked for again; null where it is not any more.';
COMMENT ON COLUMN analytics.missing_recordings.deadline_at IS 'Instant until which one that is not there is asked for.';
COMMENT ON COLUMN analytics.missing_recordings.reporting_time_zone IS 'Name of the time zone of created_on.';
