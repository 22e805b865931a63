-- A call's changes of cost follow one another, and the last one leads to its cost; the view shows each of them, and the
-- months add up to them. Costs that reports leave out (1,000,000 US dollars or more) count as none.
-- Returns: what does not add up, the call or nothing, the parts, the whole.
SELECT 'a call''s changes' AS what, x.call_id, x.new_usd AS parts, x.next_usd AS whole
FROM (
    SELECT
        x.call_id,
        CASE WHEN abs(x.new_usd) < 1000000 THEN x.new_usd END AS new_usd,
        CASE WHEN lead(x.id) OVER w IS NULL THEN CASE WHEN abs(c.cost_usd) < 1000000 THEN c.cost_usd END
            ELSE lead(CASE WHEN abs(x.old_usd) < 1000000 THEN x.old_usd END) OVER w END AS next_usd
    FROM replicator.cost_changes x
    JOIN truedy.calls c ON c.id = x.call_id
    WINDOW w AS (PARTITION BY x.call_id ORDER BY x.id)
) x
WHERE x.new_usd IS DISTINCT FROM x.next_usd
UNION ALL
SELECT 'changes shown', NULL, shown, stored
FROM (SELECT count(*) AS shown FROM analytics.cost_adjustments) v,
    (SELECT count(*) AS stored FROM replicator.cost_changes x JOIN truedy.calls c ON c.id = x.call_id) s
WHERE shown <> stored
UNION ALL
SELECT w.what, NULL, w.parts, w.whole
FROM (SELECT coalesce(sum(first_known_count + adjustment_count), 0) AS changes,
    coalesce(sum(first_known_usd + net_usd), 0) AS usd FROM analytics.cost_adjustments_monthly) m
CROSS JOIN (SELECT count(*) FILTER (WHERE kind <> 'implausible') AS changes, coalesce(sum(delta_usd), 0) AS usd
    FROM analytics.cost_adjustments) a
CROSS JOIN LATERAL (VALUES ('changes of months', m.changes, a.changes), ('US dollars of months', m.usd, a.usd))
    AS w (what, parts, whole)
WHERE w.parts <> w.whole
UNION ALL
SELECT 'up and down', NULL, up_usd + down_usd, net_usd
FROM analytics.cost_adjustments_monthly
WHERE up_usd + down_usd <> net_usd OR late_up_usd + late_down_usd <> late_net_usd OR late_net_usd > up_usd
    OR late_adjustment_count > adjustment_count
