-- Calls whose `version` is not the number of the contents kept in truedy.call_versions, 1 to version without a gap.
-- Returns: call, its version, how many versions are kept, the highest of them.
SELECT c.id AS call_id, c.version, coalesce(v.kept, 0) AS kept, v.highest
FROM truedy.calls c
LEFT JOIN (SELECT call_id, count(*) AS kept, max(version) AS highest FROM truedy.call_versions GROUP BY call_id) v
    ON v.call_id = c.id
WHERE (v.kept, v.highest) IS DISTINCT FROM (c.version::bigint, c.version)
