-- analytics.call_conversations
-- Grain: one row per call with a transcript in which somebody speaks: turns, talk share, waits and interruptions,
-- without the text.
-- Key: call_id.
-- Units: seconds, words.
-- How the call went, without what was said. Tool and system segments are no speech. Where a spoken segment lacks its
-- beginning or its end, what is counted in seconds is null: words are known, times are not guessed.
CREATE OR REPLACE VIEW analytics.call_conversations AS
SELECT
    v.call_id,
    f.account,
    f.agent_id,
    f.direction,
    f.started_on,
    v.first_speaker,
    v.agent_turns,
    v.contact_turns,
    v.agent_segments,
    v.contact_segments,
    v.agent_words,
    v.contact_words,
    v.agent_words + v.contact_words AS spoken_words,
    v.agent_words::double precision / nullif(v.agent_words + v.contact_words, 0) AS agent_word_share,
    v.is_timed,
    v.agent_seconds,
    v.contact_seconds,
    v.agent_seconds + v.contact_seconds AS speech_seconds,
    v.agent_seconds / nullif(v.agent_seconds + v.contact_seconds, 0) AS agent_talk_share,
    CASE WHEN v.is_timed AND f.talk_seconds > 0
        THEN greatest(f.talk_seconds - v.agent_seconds - v.contact_seconds, 0) END AS silence_seconds,
    f.talk_seconds,
    v.longest_turn_seconds,
    v.agent_interruptions,
    v.contact_interruptions,
    v.response_count,
    v.response_seconds,
    v.response_seconds / nullif(v.response_count, 0) AS average_response_seconds,
    v.longest_response_seconds,
    f.reporting_time_zone
FROM rollup.call_conversations_current v
JOIN rollup.facts f ON f.call_id = v.call_id;
