-- analytics.call_texts
-- Grain: one row per call. Summaries, context and error text as received: personal data.
-- Key: call_id.
-- Units: none.
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
