-- analytics.call_texts
-- Grain: one row per call. Units: none.
-- What the source, its models and its callers wrote beside a call: personal data, and attacker-made.
-- Grant: auditor
CREATE OR REPLACE VIEW analytics.call_texts AS
SELECT
    c.id AS call_id,
    c.account,
    c.summary,
    t.summary AS transcript_summary,
    c.context::text AS context,
    c.context ->> 'last_error' AS last_error
FROM truedy.calls c
LEFT JOIN truedy.transcripts t ON t.call_id = c.id;

COMMENT ON VIEW analytics.call_texts IS 'Grain: one row per call. Summaries, context and error text as received: personal data. Key: call_id.';
COMMENT ON COLUMN analytics.call_texts.call_id IS 'The call.';
COMMENT ON COLUMN analytics.call_texts.account IS 'The account of the call.';
COMMENT ON COLUMN analytics.call_texts.summary IS 'The summary that came with the call: never trust it as markup or code.';
COMMENT ON COLUMN analytics.call_texts.transcript_summary IS 'The summary that came with the transcript.';
COMMENT ON COLUMN analytics.call_texts.context IS 'The call''s context, as JSON in a text.';
COMMENT ON COLUMN analytics.call_texts.last_error IS 'last_error of the context: what the source says went wrong.';
