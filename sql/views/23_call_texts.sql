-- analytics.call_texts
-- Grain: one row per call. Summaries, context and error text as received: personal data.
-- Key: call_id.
-- Units: none.
-- What the source, its models and its callers wrote beside a call: personal data, and attacker-made. Payment data that was
-- found in it (with the archive on) is masked; then the error text is not shown where the context has any.
-- Grant: auditor
CREATE OR REPLACE VIEW analytics.call_texts AS
SELECT
    c.id AS call_id,
    c.account,
    CASE WHEN m.in_summary THEN (
        SELECT
            {masked_text}
        FROM (SELECT c.id AS call_id, 'summary' AS place, 0 AS position, c.summary AS text) x
    ) ELSE c.summary END AS summary,
    CASE WHEN m.in_transcript_summary THEN (
        SELECT
            {masked_text}
        FROM (SELECT c.id AS call_id, 'transcript_summary' AS place, 0 AS position, t.summary AS text) x
    ) ELSE t.summary END AS transcript_summary,
    CASE WHEN m.in_context THEN (
        SELECT
            {masked_text}
        FROM (SELECT c.id AS call_id, 'context' AS place, 0 AS position, c.context::text AS text) x
    ) ELSE c.context::text END AS context,
    CASE WHEN m.in_context AND c.context ? 'last_error' THEN '[payment data]' ELSE c.context ->> 'last_error' END AS last_error,
    m.call_id IS NOT NULL AS has_payment_data
FROM truedy.calls c
LEFT JOIN truedy.transcripts t ON t.call_id = c.id
LEFT JOIN (
    SELECT
        call_id,
        bool_or(place = 'summary') AS in_summary,
        bool_or(place = 'transcript_summary') AS in_transcript_summary,
        bool_or(place = 'context') AS in_context
    FROM archive.payment_findings
    WHERE place <> 'segment'
    GROUP BY call_id
) m ON m.call_id = c.id;
