-- analytics.schema_drift
-- Grain: one row per account, field and type of value: top-level fields of recent calls that the contract does not
-- name.
-- Key: account, field, value_type.
-- Units: calls; shares are 0 to 1.
-- Of the 10,000 calls whose content changed last, over all accounts. Names of fields are the source's, or whoever's
-- writes there: cut to 100 characters, control characters replaced, the 1,000 most frequent ones. Values are not shown.
CREATE OR REPLACE VIEW analytics.schema_drift AS
SELECT
    account,
    field,
    value_type,
    calls,
    examined_calls,
    calls::double precision / examined_calls AS calls_share,
    example_call_id,
    last_changed_at
FROM (
    SELECT
        c.account,
        regexp_replace(left(e.key, 100), '[[:cntrl:]]', '�', 'g') AS field,
        jsonb_typeof(e.value) AS value_type,
        count(DISTINCT c.id) AS calls,
        min(c.examined_calls) AS examined_calls,
        min(c.id::text)::uuid AS example_call_id,
        max(c.changed_at) AS last_changed_at
    FROM (
        SELECT x.*, count(*) OVER (PARTITION BY x.account) AS examined_calls
        FROM (SELECT id, account, raw, changed_at FROM truedy.calls ORDER BY changed_at DESC LIMIT 10000) x
    ) c
    CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(c.raw) = 'object' THEN c.raw END) e
    WHERE e.key NOT IN (
        'agent_id', 'phone_number', 'from_number', 'direction', 'status', 'started_at', 'ended_at', 'duration_seconds',
        'cost_usd', 'summary', 'recording_url', 'context', 'created_at', 'id', 'updated_at'
    )
    GROUP BY 1, 2, 3
    ORDER BY calls DESC, 1, 2, 3 LIMIT 1000
) f;
