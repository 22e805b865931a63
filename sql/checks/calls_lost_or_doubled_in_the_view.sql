-- analytics.calls must show each row of truedy.calls exactly once.
-- Returns: call, how often it is shown.
SELECT coalesce(c.id, v.call_id) AS call_id, coalesce(v.shown, 0) AS shown
FROM truedy.calls c
FULL JOIN (SELECT call_id, count(*) AS shown FROM analytics.calls GROUP BY call_id) v ON v.call_id = c.id
WHERE v.shown IS DISTINCT FROM 1 OR c.id IS NULL
