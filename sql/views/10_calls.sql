-- analytics.calls
-- Grain: one row per call, the latest content that was seen. Calls deleted at the source stay, flagged is_deleted.
-- Key: call_id.
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
    CASE WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up' ELSE f.cost_state END AS cost_state,
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
