-- analytics.deleted_calls
-- Grain: one row per call that the source no longer has, with the evidence.
-- Key: call_id.
-- Units: seconds, US dollars; days in the reporting time zone.
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
    CASE WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up' ELSE f.cost_state END AS cost_state,
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
