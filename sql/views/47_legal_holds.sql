-- analytics.legal_holds
-- Grain: one row per legal hold, released or not.
-- Key: hold_id.
-- Units: calls.
-- A hold is a rule: it covers later calls too. How many stored calls it covered when it was placed is calls_at_first. The
-- calls and numbers that it names are not here, nor the texts of its reasons: `replicator archive hold list` shows those.
CREATE OR REPLACE VIEW analytics.legal_holds AS
SELECT
    h.id AS hold_id,
    h.account,
    h.name AS hold_name,
    h.placed_at,
    h.released_at,
    h.released_at IS NULL AS is_in_force,
    cardinality(h.call_ids) AS named_calls,
    cardinality(h.number_keys) > 0 AS is_by_number,
    h.agent_id,
    h.since AS covers_since_at,
    h.until AS covers_until_at,
    h.calls_at_first
FROM archive.holds h;
