-- analytics.call_history
-- Grain: one row per call and version: each content of the call that was seen. Units: seconds, US dollars.
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

COMMENT ON VIEW analytics.call_history IS 'Grain: one row per call and version: each content of the call that was seen, and which fields changed. Key: call_id, version.';
COMMENT ON COLUMN analytics.call_history.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.call_history.version IS 'Number of the content, from 1 in the order in which they were seen; gaps are none.';
COMMENT ON COLUMN analytics.call_history.account IS 'The account.';
COMMENT ON COLUMN analytics.call_history.observed_at IS 'Instant of the request whose answer showed this content first.';
COMMENT ON COLUMN analytics.call_history.source_updated_at IS 'The source''s updated_at in this content.';
COMMENT ON COLUMN analytics.call_history.recorded_at IS 'Instant at which it was written.';
COMMENT ON COLUMN analytics.call_history.is_late IS 'It came when a newer content was stored already: it was never what the reports count.';
COMMENT ON COLUMN analytics.call_history.previous_version IS 'The version that it replaced; null for the first one and for late ones.';
COMMENT ON COLUMN analytics.call_history.since_previous_seconds IS 'Seconds from the first look at that version to the first look at this one.';
COMMENT ON COLUMN analytics.call_history.changed_fields IS 'Names of the contract''s fields that differ from the previous version, with commas; null where none does or there is no previous one.';
COMMENT ON COLUMN analytics.call_history.has_other_changes IS 'Something differs that the contract does not name; null where there is no previous version.';
COMMENT ON COLUMN analytics.call_history.status_before IS 'The status of the previous version, its first 100 characters.';
COMMENT ON COLUMN analytics.call_history.status IS 'The status of this one.';
COMMENT ON COLUMN analytics.call_history.duration_before_seconds IS 'duration_seconds of the previous version, in seconds, where it can be read.';
COMMENT ON COLUMN analytics.call_history.duration_seconds IS 'The same of this one, in seconds.';
COMMENT ON COLUMN analytics.call_history.cost_before_usd IS 'cost_usd of the previous version, in US dollars, where it can be read and is below 1,000,000.';
COMMENT ON COLUMN analytics.call_history.cost_usd IS 'The same of this one, in US dollars.';
