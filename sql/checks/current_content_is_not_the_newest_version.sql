-- Calls whose content is not that of their newest version; versions that came late (older than what was stored) apart.
-- Returns: call, the newest version, or null where it has none but late ones.
SELECT c.id AS call_id, v.version
FROM truedy.calls c
LEFT JOIN (
    SELECT DISTINCT ON (call_id) call_id, version, fingerprint
    FROM truedy.call_versions WHERE NOT is_late ORDER BY call_id, version DESC
) v ON v.call_id = c.id
WHERE v.fingerprint IS DISTINCT FROM c.fingerprint
