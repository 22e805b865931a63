-- analytics.conversation_daily
-- Grain: one row per day, account, direction and agent: what transcripts say of the conversations.
-- Key: day, account, direction, agent_id.
-- Time: started_at, else created_at.
-- Units: seconds, words.
-- Counted are calls with a transcript in which somebody speaks; what needs times counts timed_calls only. Days on which
-- no call has one have no row: calls without a transcript are in call_duration_daily and missing_transcripts.
CREATE OR REPLACE VIEW analytics.conversation_daily AS
SELECT
    d.day,
    d.account,
    d.direction,
    d.agent_id,
    d.transcribed_calls,
    d.silent_contact_calls,
    d.silent_contact_calls::double precision / nullif(d.transcribed_calls, 0) AS silent_contact_rate,
    d.agent_turns,
    d.contact_turns,
    d.agent_words,
    d.contact_words,
    d.agent_words + d.contact_words AS spoken_words,
    d.agent_words::double precision / nullif(d.agent_words + d.contact_words, 0) AS agent_word_share,
    d.timed_calls,
    d.agent_seconds,
    d.contact_seconds,
    d.agent_seconds + d.contact_seconds AS speech_seconds,
    d.agent_seconds / nullif(d.agent_seconds + d.contact_seconds, 0) AS agent_talk_share,
    d.agent_interruptions,
    d.contact_interruptions,
    d.response_count,
    d.response_seconds,
    d.response_seconds / nullif(d.response_count, 0) AS average_response_seconds,
    d.p50_response_seconds,
    d.p95_response_seconds,
    d.longest_turn_seconds,
    r.time_zone AS reporting_time_zone
FROM rollup.conversations_current d
CROSS JOIN replicator.reporting r;
