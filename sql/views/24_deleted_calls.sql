-- analytics.deleted_calls
-- Grain: one row per call that the source no longer has. Units: seconds, US dollars; days in the reporting time zone.
-- When it was deleted is known as an interval: after last_seen_at, before first_missing_at. Its cost was billed, so
-- every report keeps it. A call that is only suspected to be deleted is not here, nor one that reappeared.
-- A filter on call_id or created_at reaches an index; without one it reads all calls.
CREATE OR REPLACE VIEW analytics.deleted_calls AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.campaign_id,
    f.direction,
    f.status,
    f.stage,
    f.created_at,
    f.created_on,
    f.cost_on,
    f.duration_seconds,
    f.cost_usd,
    f.cost_state,
    f.has_transcript,
    f.recording_state = 'present' AS has_recording,
    c.last_seen_at,
    c.first_missing_at,
    extract(epoch FROM c.first_missing_at - c.last_seen_at)::double precision AS interval_seconds,
    c.deleted_at,
    a.evidence,
    a.misses,
    f.reporting_time_zone
FROM rollup.facts f
JOIN truedy.calls c ON c.id = f.call_id
LEFT JOIN replicator.absences a ON a.call_id = f.call_id AND a.ended_at IS NULL AND a.state = 'deleted'
WHERE c.deleted_at IS NOT NULL;

COMMENT ON VIEW analytics.deleted_calls IS 'Grain: one row per call that the source no longer has, with the evidence. Key: call_id.';
COMMENT ON COLUMN analytics.deleted_calls.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.deleted_calls.account IS 'The account.';
COMMENT ON COLUMN analytics.deleted_calls.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.deleted_calls.campaign_id IS 'The campaign of the call, as in calls.';
COMMENT ON COLUMN analytics.deleted_calls.direction IS 'Direction of the call.';
COMMENT ON COLUMN analytics.deleted_calls.status IS 'The source''s last status, as received.';
COMMENT ON COLUMN analytics.deleted_calls.stage IS 'Stage of the call, as in calls.';
COMMENT ON COLUMN analytics.deleted_calls.created_at IS 'Instant at which the call was created at the source.';
COMMENT ON COLUMN analytics.deleted_calls.created_on IS 'Day of created_at in the reporting time zone.';
COMMENT ON COLUMN analytics.deleted_calls.cost_on IS 'Day that the cost belongs to, as in calls, in the reporting time zone.';
COMMENT ON COLUMN analytics.deleted_calls.duration_seconds IS 'Length in seconds as the source last reported it.';
COMMENT ON COLUMN analytics.deleted_calls.cost_usd IS 'Last known cost in US dollars, which every report keeps; null is not known.';
COMMENT ON COLUMN analytics.deleted_calls.cost_state IS 'known, pending, not_expected or implausible, as in calls; pending will not come any more.';
COMMENT ON COLUMN analytics.deleted_calls.has_transcript IS 'A transcript with at least one segment is stored here.';
COMMENT ON COLUMN analytics.deleted_calls.has_recording IS 'A recording was there when it was looked for; the source may have deleted it with the call.';
COMMENT ON COLUMN analytics.deleted_calls.last_seen_at IS 'Instant at which the source last had the call; null where that is not known.';
COMMENT ON COLUMN analytics.deleted_calls.first_missing_at IS 'Instant at which it first was without it; null where that is not known.';
COMMENT ON COLUMN analytics.deleted_calls.interval_seconds IS 'Seconds from last_seen_at to first_missing_at: how exactly the deletion is known.';
COMMENT ON COLUMN analytics.deleted_calls.deleted_at IS 'Instant at which the deletion was confirmed.';
COMMENT ON COLUMN analytics.deleted_calls.evidence IS 'page: it was missing in a list that proves its place; answer: it was asked for by id, as a number of calls differed. Null where no absence is stored.';
COMMENT ON COLUMN analytics.deleted_calls.misses IS 'How often it was asked for by id and was not there.';
COMMENT ON COLUMN analytics.deleted_calls.reporting_time_zone IS 'Name of the time zone of the days.';
