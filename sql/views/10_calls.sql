-- analytics.calls
-- Grain: one row per call, the latest content that was seen; calls deleted at the source stay, flagged is_deleted.
-- Units: seconds, US dollars; days and hours in the reporting time zone (replicator.reporting.time_zone).
-- No phone number, summary, URL or error text: numbers and texts are in call_numbers and call_texts, for auditors.
CREATE OR REPLACE VIEW analytics.calls AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.campaign_id,
    f.direction,
    f.status,
    f.stage,
    NOT f.is_terminal AS is_open,
    f.is_terminal,
    coalesce(f.stale_at < now(), false) AS is_stale_open,
    coalesce(f.settles_at < now(), false) AS is_settled,
    f.is_connected,
    f.is_conversation,
    coalesce(f.is_quick_hang_up, false) AS is_quick_hang_up,
    f.is_goal,
    f.is_deleted,
    f.created_at,
    f.started_at,
    f.ended_at,
    f.updated_at,
    f.created_on,
    f.started_on,
    f.cost_on,
    date_trunc('week', f.created_on)::date AS created_week_on,
    date_trunc('month', f.created_on)::date AS created_month_on,
    f.created_hour,
    f.created_weekday,
    f.duration_seconds,
    f.talk_seconds,
    f.time_to_answer_seconds,
    f.span_seconds,
    f.span_seconds - f.duration_seconds AS duration_mismatch_seconds,
    f.billed_minutes_estimate,
    f.cost_usd,
    f.cost_state,
    f.cost_state = 'known' AS is_cost_known,
    f.cost_state <> 'not_expected' AS is_cost_expected,
    CASE WHEN length(f.other_party) >= 7 THEN left(f.other_party, 2) || '…' || right(f.other_party, 2)
        WHEN f.other_party IS NOT NULL THEN '…' END AS other_party_masked,
    CASE WHEN length(f.our_number) >= 7 THEN left(f.our_number, 2) || '…' || right(f.our_number, 2)
        WHEN f.our_number IS NOT NULL THEN '…' END AS our_number_masked,
    other_key.party_key AS other_party_key,
    our_key.party_key AS our_number_key,
    f.error_class,
    f.has_summary,
    f.has_transcript,
    f.transcript_state,
    f.segment_count,
    f.recording_state,
    f.version,
    f.first_seen_at,
    f.changed_at,
    f.verified_at,
    f.is_proven,
    f.reporting_time_zone
FROM rollup.facts f
-- By a unique key, so that a report that does not ask for them does not pay for them.
LEFT JOIN replicator.parties other_key ON other_key.account = f.account AND other_key.number = f.other_party
LEFT JOIN replicator.parties our_key ON our_key.account = f.account AND our_key.number = f.our_number;

COMMENT ON VIEW analytics.calls IS 'Grain: one row per call, the latest content that was seen. Calls deleted at the source stay, flagged is_deleted. Key: call_id.';
COMMENT ON COLUMN analytics.calls.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.calls.account IS 'The account that the call was replicated for (REPLICATOR_ACCOUNT).';
COMMENT ON COLUMN analytics.calls.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.calls.campaign_id IS 'The value at replicator.reporting.campaign_path of the call''s context (campaign_id), where that is a text or a number; its first 200 characters.';
COMMENT ON COLUMN analytics.calls.direction IS 'inbound, outbound or another word of the source.';
COMMENT ON COLUMN analytics.calls.status IS 'The source''s status, as received.';
COMMENT ON COLUMN analytics.calls.stage IS 'open, answered, machine, not_answered, busy, not_placed, cancelled, or unmapped for a status that replicator.status_stages does not know. A row of replicator.stage_rules goes before.';
COMMENT ON COLUMN analytics.calls.is_open IS 'Not over yet; an open call is not a failure. A call of an unmapped status is open until it has an end.';
COMMENT ON COLUMN analytics.calls.is_terminal IS 'Over: the opposite of is_open.';
COMMENT ON COLUMN analytics.calls.is_stale_open IS 'Open for longer than replicator.reporting.stale_open_hours: its end was probably lost at the source.';
COMMENT ON COLUMN analytics.calls.is_settled IS 'Over for longer than replicator.reporting.settle_hours: cost and outcome are not expected to change.';
COMMENT ON COLUMN analytics.calls.is_connected IS 'A person or a machine picked up: it has a start, or ended normally with a duration; never where the status says no answer or busy.';
COMMENT ON COLUMN analytics.calls.is_conversation IS 'Connected, ended in stage answered, and not shorter than replicator.reporting.conversation_seconds; a length that is not known counts.';
COMMENT ON COLUMN analytics.calls.is_quick_hang_up IS 'A conversation that was over in less than replicator.reporting.quick_hang_up_seconds.';
COMMENT ON COLUMN analytics.calls.is_goal IS 'The value at replicator.reporting.goal_path of the call''s context is one of goal_values; null where no path is set.';
COMMENT ON COLUMN analytics.calls.is_deleted IS 'The source no longer has the call; the replica keeps it, because its cost was billed.';
COMMENT ON COLUMN analytics.calls.created_at IS 'Instant at which the call was created at the source.';
COMMENT ON COLUMN analytics.calls.started_at IS 'Instant at which the call connected.';
COMMENT ON COLUMN analytics.calls.ended_at IS 'Instant at which the call ended.';
COMMENT ON COLUMN analytics.calls.updated_at IS 'Instant at which the row last moved at the source.';
COMMENT ON COLUMN analytics.calls.created_on IS 'Day of created_at in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.started_on IS 'Day of started_at, else of created_at, in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.cost_on IS 'Day of ended_at, else of created_at, in the reporting time zone: the day that the cost belongs to.';
COMMENT ON COLUMN analytics.calls.created_week_on IS 'Monday of the week of created_on: a day in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.created_month_on IS 'First day of the month of created_on, in the reporting time zone.';
COMMENT ON COLUMN analytics.calls.created_hour IS 'Hour of created_at in the reporting time zone, 0 to 23.';
COMMENT ON COLUMN analytics.calls.created_weekday IS 'Weekday of created_at in the reporting time zone, 1 Monday to 7 Sunday.';
COMMENT ON COLUMN analytics.calls.duration_seconds IS 'Total length in seconds as the source reports it; null is not known, not zero.';
COMMENT ON COLUMN analytics.calls.talk_seconds IS 'duration_seconds of a connected call that is over, in seconds; null for all others: what the duration reports count.';
COMMENT ON COLUMN analytics.calls.time_to_answer_seconds IS 'Seconds from created_at to started_at, queue and ringing together; null where the start is not known or lies before the creation.';
COMMENT ON COLUMN analytics.calls.span_seconds IS 'Seconds from started_at to ended_at; compare with duration_seconds.';
COMMENT ON COLUMN analytics.calls.duration_mismatch_seconds IS 'span_seconds minus duration_seconds, in seconds: far from zero, one of the source''s words is wrong.';
COMMENT ON COLUMN analytics.calls.billed_minutes_estimate IS 'talk_seconds rounded up to replicator.reporting.billing_increment_seconds, at least billing_minimum_seconds, in minutes: a guess until an invoice proves it.';
COMMENT ON COLUMN analytics.calls.cost_usd IS 'Cost in US dollars; null is not known, not zero.';
COMMENT ON COLUMN analytics.calls.cost_state IS 'known; pending: will or may come; not_expected: never connected and nothing billed; implausible: 1,000,000 US dollars or more, left out of every sum.';
COMMENT ON COLUMN analytics.calls.is_cost_known IS 'cost_state is known: cost_usd has a value.';
COMMENT ON COLUMN analytics.calls.is_cost_expected IS 'cost_state is not not_expected: a cost is there or may come.';
COMMENT ON COLUMN analytics.calls.other_party_masked IS 'The other party''s number, first and last two characters: the called one outbound, the caller inbound, null for other directions. Not for counting people.';
COMMENT ON COLUMN analytics.calls.our_number_masked IS 'Our number, first and last two characters: the caller outbound, the called one inbound, null for other directions.';
COMMENT ON COLUMN analytics.calls.other_party_key IS 'Pseudonym of the other party''s number, the same for the same number of the same account: for counting and joining people. Null where there is no number, or no REPLICATOR_PSEUDONYM_KEY is set.';
COMMENT ON COLUMN analytics.calls.our_number_key IS 'Pseudonym of our number, made like other_party_key.';
COMMENT ON COLUMN analytics.calls.error_class IS 'Class of the error that the call''s context names, by the rules in replicator.error_classes; other where none knows it, null where there is none.';
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
