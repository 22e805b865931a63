-- The newest change of a call's cost leads to the cost that the call has.
-- Returns: call, what the last change says, what the call says.
SELECT c.id AS call_id, x.new_usd, c.cost_usd
FROM truedy.calls c
CROSS JOIN LATERAL (SELECT k.new_usd FROM replicator.cost_changes k WHERE k.call_id = c.id ORDER BY k.id DESC LIMIT 1) x
WHERE x.new_usd IS DISTINCT FROM c.cost_usd
