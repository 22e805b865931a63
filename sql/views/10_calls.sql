-- analytics.calls
-- Grain: one row per call, the latest version that was seen; calls deleted at the source stay, flagged is_deleted.
-- Units: seconds, US dollars; days and hours in the reporting time zone (replicator.reporting.time_zone).
CREATE OR REPLACE VIEW analytics.calls AS
SELECT
    c.id AS call_id,
    c.account,
    c.agent_id,
    c.context ->> 'campaign_id' AS campaign_id,
    c.direction,
    c.status,
    coalesce(s.stage, 'unmapped') AS stage,
    coalesce(s.stage = 'open', c.ended_at IS NULL) AS is_open,
    coalesce(s.is_terminal, c.ended_at IS NOT NULL) AS is_terminal,
    coalesce(s.stage = 'open', c.ended_at IS NULL)
        AND c.created_at < now() - make_interval(hours => r.stale_open_hours) AS is_stale_open,
    coalesce(s.is_terminal, c.ended_at IS NOT NULL)
        AND coalesce(c.ended_at, c.created_at) < now() - make_interval(hours => r.settle_hours) AS is_settled,
    c.started_at IS NOT NULL AS is_connected,
    coalesce(s.stage, 'unmapped') = 'answered' AND c.started_at IS NOT NULL
        AND coalesce(c.duration_seconds, 1) > 0 AS is_conversation,
    c.deleted_at IS NOT NULL AS is_deleted,
    c.created_at,
    c.started_at,
    c.ended_at,
    c.updated_at,
    (c.created_at AT TIME ZONE r.time_zone)::date AS created_on,
    (coalesce(c.started_at, c.created_at) AT TIME ZONE r.time_zone)::date AS started_on,
    (coalesce(c.ended_at, c.created_at) AT TIME ZONE r.time_zone)::date AS cost_on,
    extract(hour FROM c.created_at AT TIME ZONE r.time_zone)::integer AS created_hour,
    extract(isodow FROM c.created_at AT TIME ZONE r.time_zone)::integer AS created_weekday,
    c.duration_seconds,
    CASE WHEN c.started_at >= c.created_at
        THEN extract(epoch FROM c.started_at - c.created_at)::double precision END AS time_to_answer_seconds,
    CASE WHEN c.ended_at >= c.started_at
        THEN extract(epoch FROM c.ended_at - c.started_at)::double precision END AS span_seconds,
    c.cost_usd::numeric(18, 6) AS cost_usd,
    CASE
        WHEN c.cost_usd IS NOT NULL THEN 'known'
        WHEN s.stage IN ('not_answered', 'busy', 'not_placed', 'cancelled') AND c.started_at IS NULL THEN 'not_expected'
        ELSE 'pending'
    END AS cost_state,
    CASE WHEN length(c.phone_number) >= 7 THEN left(c.phone_number, 2) || '…' || right(c.phone_number, 2)
        WHEN c.phone_number IS NOT NULL THEN '…' END AS phone_number_masked,
    CASE WHEN length(c.from_number) >= 7 THEN left(c.from_number, 2) || '…' || right(c.from_number, 2)
        WHEN c.from_number IS NOT NULL THEN '…' END AS from_number_masked,
    c.summary IS NOT NULL AS has_summary,
    coalesce(t.state, 'not_expected') AS transcript_state,
    t.segment_count,
    coalesce(g.state, 'not_expected') AS recording_state,
    c.version,
    c.first_seen_at,
    c.changed_at,
    (SELECT v.verified_at FROM replicator.coverage v WHERE v.account = c.account AND v.since <= c.created_at
        AND c.created_at < v.until ORDER BY v.since DESC LIMIT 1) AS verified_at,
    coalesce((SELECT v.is_proven FROM replicator.coverage v WHERE v.account = c.account AND v.since <= c.created_at
        AND c.created_at < v.until ORDER BY v.since DESC LIMIT 1), false) AS is_proven,
    r.time_zone AS reporting_time_zone
FROM truedy.calls c
CROSS JOIN replicator.reporting r
LEFT JOIN replicator.status_stages s ON s.status = c.status
LEFT JOIN truedy.transcripts t ON t.call_id = c.id
LEFT JOIN truedy.recordings g ON g.call_id = c.id;

COMMENT ON VIEW analytics.calls IS 'Grain: one row per call, the latest version that was seen. Calls deleted at the source stay, flagged is_deleted. Key: call_id.';
COMMENT ON COLUMN analytics.calls.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.calls.account IS 'The account that the call was replicated for (REPLICATOR_ACCOUNT).';
COMMENT ON COLUMN analytics.calls.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.calls.campaign_id IS 'campaign_id of the call''s context, where it has one.';
COMMENT ON COLUMN analytics.calls.direction IS 'inbound, outbound or another word of the source.';
COMMENT ON COLUMN analytics.calls.status IS 'The source''s status, as received.';
COMMENT ON COLUMN analytics.calls.stage IS 'open, answered, machine, not_answered, busy, not_placed, cancelled, or unmapped for a status that replicator.status_stages does not know.';
COMMENT ON COLUMN analytics.calls.is_open IS 'Not over yet; an open call is not a failure.';
COMMENT ON COLUMN analytics.calls.is_terminal IS 'Over: its stage will not change.';
COMMENT ON COLUMN analytics.calls.is_stale_open IS 'Open for longer than replicator.reporting.stale_open_hours: its end was probably lost at the source.';
COMMENT ON COLUMN analytics.calls.is_settled IS 'Over for longer than replicator.reporting.settle_hours: cost and outcome are not expected to change.';
COMMENT ON COLUMN analytics.calls.is_connected IS 'started_at is known: somebody or something answered.';
COMMENT ON COLUMN analytics.calls.is_conversation IS 'Connected, answered by a person, and not of zero length.';
COMMENT ON COLUMN analytics.calls.is_deleted IS 'The source no longer has the call; the replica keeps it.';
COMMENT ON COLUMN analytics.calls.created_at IS 'When the call was created at the source.';
COMMENT ON COLUMN analytics.calls.started_at IS 'When the call connected.';
COMMENT ON COLUMN analytics.calls.ended_at IS 'When the call ended.';
COMMENT ON COLUMN analytics.calls.updated_at IS 'When the row last moved at the source.';
COMMENT ON COLUMN analytics.calls.created_on IS 'Day of created_at in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.started_on IS 'Day of started_at, else of created_at, in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.cost_on IS 'Day of ended_at, else of created_at, in the reporting time zone: the day that the cost belongs to.';
COMMENT ON COLUMN analytics.calls.created_hour IS 'Hour of created_at in the reporting time zone, 0 to 23.';
COMMENT ON COLUMN analytics.calls.created_weekday IS 'Weekday of created_at in the reporting time zone, 1 Monday to 7 Sunday.';
COMMENT ON COLUMN analytics.calls.duration_seconds IS 'Total length in seconds as the source reports it; null is not known, not zero.';
COMMENT ON COLUMN analytics.calls.time_to_answer_seconds IS 'Seconds from created_at to started_at; for outbound calls this includes the queue.';
COMMENT ON COLUMN analytics.calls.span_seconds IS 'Seconds from started_at to ended_at; compare with duration_seconds.';
COMMENT ON COLUMN analytics.calls.cost_usd IS 'Billed cost in US dollars; null is not known, not zero.';
COMMENT ON COLUMN analytics.calls.cost_state IS 'known; pending: will or may come; not_expected: never connected and nothing billed.';
COMMENT ON COLUMN analytics.calls.phone_number_masked IS 'The number that was called, masked.';
COMMENT ON COLUMN analytics.calls.from_number_masked IS 'The caller''s number, masked.';
COMMENT ON COLUMN analytics.calls.has_summary IS 'The source wrote a summary.';
COMMENT ON COLUMN analytics.calls.transcript_state IS 'pending, present, absent_final, denied, gave_up, or not_expected.';
COMMENT ON COLUMN analytics.calls.segment_count IS 'Segments of the stored transcript.';
COMMENT ON COLUMN analytics.calls.recording_state IS 'pending, present, absent_final, denied, gave_up, or not_expected.';
COMMENT ON COLUMN analytics.calls.version IS 'How many contents of this call were seen.';
COMMENT ON COLUMN analytics.calls.first_seen_at IS 'When the replica first saw the call.';
COMMENT ON COLUMN analytics.calls.changed_at IS 'When the replica last saw the content change.';
COMMENT ON COLUMN analytics.calls.verified_at IS 'When the call''s place in the list was last compared with the source: as of then this row is right.';
COMMENT ON COLUMN analytics.calls.is_proven IS 'That comparison proved that nothing is missing there.';
COMMENT ON COLUMN analytics.calls.reporting_time_zone IS 'The time zone of the days and hours in this row.';
