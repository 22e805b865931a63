-- analytics.calls
-- Grain: one row per call, the latest content that was seen; calls deleted at the source stay, flagged is_deleted.
-- Units: seconds, US dollars; days and hours in the reporting time zone (replicator.reporting.time_zone).
-- No phone number, summary, URL or error text: numbers and texts are in call_numbers and call_texts, for auditors.
CREATE OR REPLACE VIEW analytics.calls AS
SELECT
    c.id AS call_id,
    c.account,
    c.agent_id,
    CASE WHEN jsonb_typeof(c.context -> 'campaign_id') IN ('string', 'number')
        THEN c.context ->> 'campaign_id' END AS campaign_id,
    c.direction,
    c.status,
    k.stage,
    NOT k.is_terminal AS is_open,
    k.is_terminal,
    NOT k.is_terminal
        AND coalesce(c.created_at, c.first_seen_at) < now() - make_interval(hours => r.stale_open_hours) AS is_stale_open,
    k.is_terminal AND coalesce(c.ended_at, c.created_at, c.first_seen_at) < now() - make_interval(hours => r.settle_hours)
        AS is_settled,
    n.is_connected,
    k.stage = 'answered' AND n.is_connected AND coalesce(c.duration_seconds, 1) > 0 AS is_conversation,
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
    CASE WHEN k.is_terminal AND n.is_connected AND c.duration_seconds >= 0 THEN c.duration_seconds END AS talk_seconds,
    CASE WHEN c.started_at >= c.created_at
        THEN extract(epoch FROM c.started_at - c.created_at)::double precision END AS time_to_answer_seconds,
    CASE WHEN c.ended_at >= c.started_at
        THEN extract(epoch FROM c.ended_at - c.started_at)::double precision END AS span_seconds,
    -- A view must survive whatever the source sends: a larger number would not fit the type, and fail every report.
    (CASE WHEN m.cost_state = 'known' THEN c.cost_usd END)::numeric(18, 6) AS cost_usd,
    m.cost_state,
    m.cost_state = 'known' AS is_cost_known,
    m.cost_state <> 'not_expected' AS is_cost_expected,
    CASE WHEN length(p.other_party) >= 7 THEN left(p.other_party, 2) || '…' || right(p.other_party, 2)
        WHEN p.other_party IS NOT NULL THEN '…' END AS other_party_masked,
    CASE WHEN length(p.our_number) >= 7 THEN left(p.our_number, 2) || '…' || right(p.our_number, 2)
        WHEN p.our_number IS NOT NULL THEN '…' END AS our_number_masked,
    other_key.party_key AS other_party_key,
    our_key.party_key AS our_number_key,
    concat(c.summary, t.summary) ~ '\S' AS has_summary,
    coalesce(t.segment_count, 0) > 0 AS has_transcript,
    coalesce(t.state, 'not_expected') AS transcript_state,
    t.segment_count,
    coalesce(g.state, 'not_expected') AS recording_state,
    c.version,
    c.first_seen_at,
    c.changed_at,
    -- Pieces of the ledger do not overlap: only the last one that begins at or before the call can contain it.
    (SELECT CASE WHEN c.created_at < v.until THEN v.verified_at END FROM replicator.coverage v
        WHERE v.account = c.account AND v.since <= c.created_at ORDER BY v.since DESC LIMIT 1) AS verified_at,
    coalesce((SELECT v.is_proven AND c.created_at < v.until FROM replicator.coverage v
        WHERE v.account = c.account AND v.since <= c.created_at ORDER BY v.since DESC LIMIT 1), false) AS is_proven,
    r.time_zone AS reporting_time_zone
FROM truedy.calls c
CROSS JOIN replicator.reporting r
LEFT JOIN replicator.status_stages s ON s.status = c.status
LEFT JOIN truedy.transcripts t ON t.call_id = c.id
LEFT JOIN truedy.recordings g ON g.call_id = c.id
CROSS JOIN LATERAL (SELECT
    coalesce(s.stage, 'unmapped') AS stage,
    coalesce(s.is_terminal, c.ended_at IS NOT NULL) AS is_terminal
) k
CROSS JOIN LATERAL (SELECT
    k.stage NOT IN ('not_answered', 'busy')
        AND (c.started_at IS NOT NULL OR k.stage IN ('answered', 'machine') AND coalesce(c.duration_seconds, 0) > 0)
    AS is_connected
) n
CROSS JOIN LATERAL (SELECT
    CASE
        WHEN abs(c.cost_usd) < 1000000 THEN 'known'
        WHEN c.cost_usd IS NOT NULL THEN 'implausible'
        WHEN k.stage IN ('not_answered', 'busy', 'not_placed', 'cancelled') AND NOT n.is_connected THEN 'not_expected'
        ELSE 'pending'
    END AS cost_state
) m
CROSS JOIN LATERAL (SELECT
    CASE c.direction WHEN 'outbound' THEN c.phone_number WHEN 'inbound' THEN c.from_number END AS other_party,
    CASE c.direction WHEN 'outbound' THEN c.from_number WHEN 'inbound' THEN c.phone_number END AS our_number
) p
-- By a unique key, so that a report that does not ask for them does not pay for them.
LEFT JOIN replicator.parties other_key ON other_key.account = c.account AND other_key.number = p.other_party
LEFT JOIN replicator.parties our_key ON our_key.account = c.account AND our_key.number = p.our_number;

COMMENT ON VIEW analytics.calls IS 'Grain: one row per call, the latest content that was seen. Calls deleted at the source stay, flagged is_deleted. Key: call_id.';
COMMENT ON COLUMN analytics.calls.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.calls.account IS 'The account that the call was replicated for (REPLICATOR_ACCOUNT).';
COMMENT ON COLUMN analytics.calls.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.calls.campaign_id IS 'campaign_id of the call''s context, where that is a text or a number.';
COMMENT ON COLUMN analytics.calls.direction IS 'inbound, outbound or another word of the source.';
COMMENT ON COLUMN analytics.calls.status IS 'The source''s status, as received.';
COMMENT ON COLUMN analytics.calls.stage IS 'open, answered, machine, not_answered, busy, not_placed, cancelled, or unmapped for a status that replicator.status_stages does not know.';
COMMENT ON COLUMN analytics.calls.is_open IS 'Not over yet; an open call is not a failure. A call of an unmapped status is open until it has an end.';
COMMENT ON COLUMN analytics.calls.is_terminal IS 'Over: the opposite of is_open.';
COMMENT ON COLUMN analytics.calls.is_stale_open IS 'Open for longer than replicator.reporting.stale_open_hours: its end was probably lost at the source.';
COMMENT ON COLUMN analytics.calls.is_settled IS 'Over for longer than replicator.reporting.settle_hours: cost and outcome are not expected to change.';
COMMENT ON COLUMN analytics.calls.is_connected IS 'A person or a machine picked up: it has a start, or ended normally with a duration; never where the status says no answer or busy.';
COMMENT ON COLUMN analytics.calls.is_conversation IS 'Connected, ended in stage answered, and not of zero length.';
COMMENT ON COLUMN analytics.calls.is_deleted IS 'The source no longer has the call; the replica keeps it, because its cost was billed.';
COMMENT ON COLUMN analytics.calls.created_at IS 'Instant at which the call was created at the source.';
COMMENT ON COLUMN analytics.calls.started_at IS 'Instant at which the call connected.';
COMMENT ON COLUMN analytics.calls.ended_at IS 'Instant at which the call ended.';
COMMENT ON COLUMN analytics.calls.updated_at IS 'Instant at which the row last moved at the source.';
COMMENT ON COLUMN analytics.calls.created_on IS 'Day of created_at in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.started_on IS 'Day of started_at, else of created_at, in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.cost_on IS 'Day of ended_at, else of created_at, in the reporting time zone: the day that the cost belongs to.';
COMMENT ON COLUMN analytics.calls.created_hour IS 'Hour of created_at in the reporting time zone, 0 to 23.';
COMMENT ON COLUMN analytics.calls.created_weekday IS 'Weekday of created_at in the reporting time zone, 1 Monday to 7 Sunday.';
COMMENT ON COLUMN analytics.calls.duration_seconds IS 'Total length in seconds as the source reports it; null is not known, not zero.';
COMMENT ON COLUMN analytics.calls.talk_seconds IS 'duration_seconds of a connected call that is over, in seconds; null for all others: what the duration reports count.';
COMMENT ON COLUMN analytics.calls.time_to_answer_seconds IS 'Seconds from created_at to started_at, queue and ringing together; null where the start is not known or lies before the creation.';
COMMENT ON COLUMN analytics.calls.span_seconds IS 'Seconds from started_at to ended_at; compare with duration_seconds.';
COMMENT ON COLUMN analytics.calls.cost_usd IS 'Cost in US dollars; null is not known, not zero.';
COMMENT ON COLUMN analytics.calls.cost_state IS 'known; pending: will or may come; not_expected: never connected and nothing billed; implausible: 1,000,000 US dollars or more, left out of every sum.';
COMMENT ON COLUMN analytics.calls.is_cost_known IS 'cost_state is known: cost_usd has a value.';
COMMENT ON COLUMN analytics.calls.is_cost_expected IS 'cost_state is not not_expected: a cost is there or may come.';
COMMENT ON COLUMN analytics.calls.other_party_masked IS 'The other party''s number, first and last two characters: the called one outbound, the caller inbound, null for other directions. Not for counting people.';
COMMENT ON COLUMN analytics.calls.our_number_masked IS 'Our number, first and last two characters: the caller outbound, the called one inbound, null for other directions.';
COMMENT ON COLUMN analytics.calls.other_party_key IS 'Pseudonym of the other party''s number, the same for the same number of the same account: for counting and joining people. Null where there is no number, or no REPLICATOR_PSEUDONYM_KEY is set.';
COMMENT ON COLUMN analytics.calls.our_number_key IS 'Pseudonym of our number, made like other_party_key.';
COMMENT ON COLUMN analytics.calls.has_summary IS 'The source wrote a summary, with the call or with its transcript.';
COMMENT ON COLUMN analytics.calls.has_transcript IS 'A transcript with at least one segment is stored.';
COMMENT ON COLUMN analytics.calls.transcript_state IS 'pending, present, absent_final, denied, gave_up, or not_expected.';
COMMENT ON COLUMN analytics.calls.segment_count IS 'Number of segments of the stored transcript; null where none was read.';
COMMENT ON COLUMN analytics.calls.recording_state IS 'pending, present, absent_final, denied, gave_up, or not_expected.';
COMMENT ON COLUMN analytics.calls.version IS 'Number of contents of this call that were seen.';
COMMENT ON COLUMN analytics.calls.first_seen_at IS 'Instant at which the replica first saw the call.';
COMMENT ON COLUMN analytics.calls.changed_at IS 'Instant at which the replica last saw the content change.';
COMMENT ON COLUMN analytics.calls.verified_at IS 'Instant at which the call''s place in the list was last compared with the source: as of then this row is right. Null where it was not compared yet.';
COMMENT ON COLUMN analytics.calls.is_proven IS 'That comparison proved that nothing is missing there.';
COMMENT ON COLUMN analytics.calls.reporting_time_zone IS 'Name of the time zone of the days and hours in this row.';
