-- analytics.conversation_daily
-- Grain: one row per day (of the start, else of the creation), account, direction and agent. Units: seconds, words.
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

COMMENT ON VIEW analytics.conversation_daily IS 'Grain: one row per day, account, direction and agent: what transcripts say of the conversations. Key: day, account, direction, agent_id.';
COMMENT ON COLUMN analytics.conversation_daily.day IS 'Day on which the call started (or was created, where it has no start), in the reporting time zone.';
COMMENT ON COLUMN analytics.conversation_daily.account IS 'The account.';
COMMENT ON COLUMN analytics.conversation_daily.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.conversation_daily.agent_id IS 'The agent.';
COMMENT ON COLUMN analytics.conversation_daily.transcribed_calls IS 'Number of calls with a transcript in which somebody speaks: the denominator of the shares here.';
COMMENT ON COLUMN analytics.conversation_daily.silent_contact_calls IS 'Number of transcribed calls in which the contact says no word.';
COMMENT ON COLUMN analytics.conversation_daily.silent_contact_rate IS 'silent_contact_calls over transcribed_calls, 0 to 1.';
COMMENT ON COLUMN analytics.conversation_daily.agent_turns IS 'Number of the agent''s turns; a turn is a run of segments of one speaker.';
COMMENT ON COLUMN analytics.conversation_daily.contact_turns IS 'Number of the contact''s turns.';
COMMENT ON COLUMN analytics.conversation_daily.agent_words IS 'Number of words that the agent said.';
COMMENT ON COLUMN analytics.conversation_daily.contact_words IS 'Number of words that the contact said.';
COMMENT ON COLUMN analytics.conversation_daily.spoken_words IS 'Number of words of both: agent_words plus contact_words.';
COMMENT ON COLUMN analytics.conversation_daily.agent_word_share IS 'agent_words over spoken_words, 0 to 1: the talk share where times are missing.';
COMMENT ON COLUMN analytics.conversation_daily.timed_calls IS 'Number of transcribed calls in which every spoken segment has a beginning and an end in order: what speech seconds and interruptions count.';
COMMENT ON COLUMN analytics.conversation_daily.agent_seconds IS 'Seconds of the agent''s speech in timed calls.';
COMMENT ON COLUMN analytics.conversation_daily.contact_seconds IS 'Seconds of the contact''s speech in timed calls.';
COMMENT ON COLUMN analytics.conversation_daily.speech_seconds IS 'agent_seconds plus contact_seconds.';
COMMENT ON COLUMN analytics.conversation_daily.agent_talk_share IS 'agent_seconds over speech_seconds, 0 to 1; null where no call is timed.';
COMMENT ON COLUMN analytics.conversation_daily.agent_interruptions IS 'Number of times that the agent began more than 0.3 seconds before the contact ended, in timed calls.';
COMMENT ON COLUMN analytics.conversation_daily.contact_interruptions IS 'Number of times that the contact began more than 0.3 seconds before the agent ended, in timed calls.';
COMMENT ON COLUMN analytics.conversation_daily.response_count IS 'Number of the agent''s answers that began after the contact''s end: the denominator of average_response_seconds.';
COMMENT ON COLUMN analytics.conversation_daily.response_seconds IS 'Sum of the seconds from the contact''s end to the agent''s beginning over those answers.';
COMMENT ON COLUMN analytics.conversation_daily.average_response_seconds IS 'response_seconds over response_count, in seconds; null where there was none.';
COMMENT ON COLUMN analytics.conversation_daily.p50_response_seconds IS 'Half of the calls have an average wait for the agent''s answer of at most so many seconds.';
COMMENT ON COLUMN analytics.conversation_daily.p95_response_seconds IS '95 % of the calls have an average wait for the agent''s answer of at most so many seconds.';
COMMENT ON COLUMN analytics.conversation_daily.longest_turn_seconds IS 'Length of the longest turn in seconds.';
COMMENT ON COLUMN analytics.conversation_daily.reporting_time_zone IS 'Name of the time zone of the days.';
