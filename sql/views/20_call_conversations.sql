-- analytics.call_conversations
-- Grain: one row per call with a transcript in which the agent or the contact speaks. Units: seconds, words.
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
FROM rollup.call_conversations v
JOIN rollup.facts f ON f.call_id = v.call_id;

COMMENT ON VIEW analytics.call_conversations IS 'Grain: one row per call with a transcript in which somebody speaks: turns, talk share, waits and interruptions, without the text. Key: call_id.';
COMMENT ON COLUMN analytics.call_conversations.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.call_conversations.account IS 'The account that the call was replicated for (REPLICATOR_ACCOUNT).';
COMMENT ON COLUMN analytics.call_conversations.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.call_conversations.direction IS 'inbound, outbound or another word of the source.';
COMMENT ON COLUMN analytics.call_conversations.started_on IS 'Day of started_at, else of created_at, in the reporting time zone.';
COMMENT ON COLUMN analytics.call_conversations.first_speaker IS 'Who spoke first: agent or contact.';
COMMENT ON COLUMN analytics.call_conversations.agent_turns IS 'Number of the agent''s turns; a turn is a run of segments of one speaker.';
COMMENT ON COLUMN analytics.call_conversations.contact_turns IS 'Number of the contact''s turns.';
COMMENT ON COLUMN analytics.call_conversations.agent_segments IS 'Number of segments that the agent speaks.';
COMMENT ON COLUMN analytics.call_conversations.contact_segments IS 'Number of segments that the contact speaks.';
COMMENT ON COLUMN analytics.call_conversations.agent_words IS 'Number of words that the agent said.';
COMMENT ON COLUMN analytics.call_conversations.contact_words IS 'Number of words that the contact said.';
COMMENT ON COLUMN analytics.call_conversations.spoken_words IS 'Number of words of both: agent_words plus contact_words.';
COMMENT ON COLUMN analytics.call_conversations.agent_word_share IS 'agent_words over spoken_words, 0 to 1: the talk share where times are missing.';
COMMENT ON COLUMN analytics.call_conversations.is_timed IS 'Every spoken segment has a beginning and an end in order, so seconds are known.';
COMMENT ON COLUMN analytics.call_conversations.agent_seconds IS 'Seconds of the agent''s speech; null where times are missing.';
COMMENT ON COLUMN analytics.call_conversations.contact_seconds IS 'Seconds of the contact''s speech; null where times are missing.';
COMMENT ON COLUMN analytics.call_conversations.speech_seconds IS 'agent_seconds plus contact_seconds; both at once count twice.';
COMMENT ON COLUMN analytics.call_conversations.agent_talk_share IS 'agent_seconds over speech_seconds, 0 to 1; null where no call is timed.';
COMMENT ON COLUMN analytics.call_conversations.silence_seconds IS 'talk_seconds minus speech_seconds, at least zero, in seconds: when nobody spoke.';
COMMENT ON COLUMN analytics.call_conversations.talk_seconds IS 'duration_seconds of a connected call that is over, in seconds; null for all others: what the duration reports count.';
COMMENT ON COLUMN analytics.call_conversations.longest_turn_seconds IS 'Length of the longest turn in seconds.';
COMMENT ON COLUMN analytics.call_conversations.agent_interruptions IS 'Number of times that the agent began more than 0.3 seconds before the contact ended; null where times are missing.';
COMMENT ON COLUMN analytics.call_conversations.contact_interruptions IS 'Number of times that the contact began more than 0.3 seconds before the agent ended; null where times are missing.';
COMMENT ON COLUMN analytics.call_conversations.response_count IS 'Number of the agent''s answers that began after the contact''s end: the denominator of average_response_seconds.';
COMMENT ON COLUMN analytics.call_conversations.response_seconds IS 'Sum of the seconds from the contact''s end to the agent''s beginning over those answers.';
COMMENT ON COLUMN analytics.call_conversations.average_response_seconds IS 'response_seconds over response_count, in seconds; null where there was none.';
COMMENT ON COLUMN analytics.call_conversations.longest_response_seconds IS 'The longest of those waits in seconds.';
COMMENT ON COLUMN analytics.call_conversations.reporting_time_zone IS 'Name of the time zone of the days.';
