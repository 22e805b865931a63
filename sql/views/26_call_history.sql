-- analytics.call_history
-- Grain: one row per call and version: each content of the call that was seen, and which fields changed.
-- Key: call_id, version.
-- Units: seconds, US dollars.
-- Which of the contract's fields changed, by name only: their values can be personal. Status, length and cost stand
-- before and after, where they can be read. A content that came late (older than what was stored) is compared with
-- nothing. The signature of recording_url and updated_at are no content. What changed between two looks and back was
-- not seen. A filter on call_id reaches an index; without one it reads every version of every call.
CREATE OR REPLACE VIEW analytics.call_history AS
SELECT
    v.call_id,
    v.version,
    c.account,
    v.observed_at,
    v.updated_at AS source_updated_at,
    v.recorded_at,
    v.is_late,
    p.version AS previous_version,
    extract(epoch FROM v.observed_at - p.observed_at)::double precision AS since_previous_seconds,
    d.changed_fields,
    CASE WHEN jsonb_typeof(v.raw) = 'object' AND jsonb_typeof(p.raw) = 'object'
        THEN v.raw - k.names - ARRAY['id', 'updated_at'] IS DISTINCT FROM p.raw - k.names - ARRAY['id', 'updated_at']
    END AS has_other_changes,
    b.status AS status_before,
    a.status,
    b.duration_seconds AS duration_before_seconds,
    a.duration_seconds,
    b.cost_usd AS cost_before_usd,
    a.cost_usd
FROM truedy.call_versions v
JOIN truedy.calls c ON c.id = v.call_id
CROSS JOIN (SELECT ARRAY[
        'agent_id', 'phone_number', 'from_number', 'direction', 'status', 'started_at', 'ended_at', 'duration_seconds',
        'cost_usd', 'summary', 'recording_url', 'context', 'created_at'
    ] AS names) k
LEFT JOIN LATERAL (
    SELECT x.version, x.observed_at, x.raw
    FROM truedy.call_versions x
    WHERE x.call_id = v.call_id AND x.version < v.version AND NOT x.is_late AND NOT v.is_late
    ORDER BY x.version DESC LIMIT 1
) p ON true
CROSS JOIN LATERAL (
    SELECT string_agg(n.name, ', ' ORDER BY n.position) AS changed_fields
    FROM unnest(k.names) WITH ORDINALITY n (name, position)
    WHERE p.version IS NOT NULL AND CASE n.name
        WHEN 'recording_url' THEN split_part(v.raw ->> n.name, '?', 1)
            IS DISTINCT FROM split_part(p.raw ->> n.name, '?', 1)
        -- A field that is null and one that is not there are the same.
        ELSE nullif(v.raw -> n.name, 'null') IS DISTINCT FROM nullif(p.raw -> n.name, 'null') END
) d
-- What the source sends is read with care: a number that does not fit, or a list, is null and not an error.
CROSS JOIN LATERAL (SELECT
    CASE WHEN jsonb_typeof(v.raw -> 'status') = 'string' THEN left(v.raw ->> 'status', 100) END AS status,
    CASE WHEN v.raw ->> 'duration_seconds' ~ '^-?[0-9]{1,9}([.]0+)?$'
        THEN left(v.raw ->> 'duration_seconds', 20)::numeric::integer END AS duration_seconds,
    (CASE WHEN v.raw ->> 'cost_usd' ~ '^-?[0-9]{1,6}([.][0-9]+)?$'
        THEN left(v.raw ->> 'cost_usd', 40)::numeric END)::numeric(18, 6) AS cost_usd
) a
CROSS JOIN LATERAL (SELECT
    CASE WHEN jsonb_typeof(p.raw -> 'status') = 'string' THEN left(p.raw ->> 'status', 100) END AS status,
    CASE WHEN p.raw ->> 'duration_seconds' ~ '^-?[0-9]{1,9}([.]0+)?$'
        THEN left(p.raw ->> 'duration_seconds', 20)::numeric::integer END AS duration_seconds,
    (CASE WHEN p.raw ->> 'cost_usd' ~ '^-?[0-9]{1,6}([.][0-9]+)?$'
        THEN left(p.raw ->> 'cost_usd', 40)::numeric END)::numeric(18, 6) AS cost_usd
) b;
