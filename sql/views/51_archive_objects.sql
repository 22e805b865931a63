-- analytics.archive_objects
-- Grain: one row per recording that the archive holds, waits for, or does without, with the reason.
-- Key: account, call_id.
-- Units: bytes; days in the reporting time zone.
-- Neither the place of a file nor a link is shown. The file's hash is: it proves that a copy is the same file.
-- A filter on call_id reaches an index; without one it reads all objects.
CREATE OR REPLACE VIEW analytics.archive_objects AS
SELECT
    o.call_id,
    o.account,
    o.kind AS object_kind,
    o.state AS object_state,
    o.reason AS object_reason,
    o.sha256,
    o.bytes,
    o.media_type,
    o.stored_at,
    o.retain_until AS retained_until_at,
    o.queued_at,
    o.tried_at,
    o.next_try_at,
    o.attempts AS download_attempts,
    o.deadline_at AS vendor_deadline_at,
    f.call_id IS NOT NULL AS has_payment_data,
    c.agent_id,
    c.direction,
    c.created_at,
    (c.created_at AT TIME ZONE z.time_zone)::date AS created_on,
    z.time_zone AS reporting_time_zone
FROM archive.objects o
JOIN truedy.calls c ON c.id = o.call_id
CROSS JOIN replicator.reporting z
LEFT JOIN (SELECT call_id FROM archive.payment_findings GROUP BY call_id) f ON f.call_id = o.call_id;
