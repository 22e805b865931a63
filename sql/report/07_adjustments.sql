-- One row per day of the end: calls whose known cost was seen to change afterwards, and by how much, up to now.
-- Of the costs of a call that were seen, the first and the last that were known; what nobody saw is not here. A call
-- that was adjusted has a correction or a withdrawal: only those few are looked at as a whole.
SELECT
    k.cost_on AS day,
    count(*) AS adjusted_calls,
    sum(a.last_usd - a.first_usd)::numeric(18, 6) AS adjustment_usd
FROM (
    SELECT DISTINCT x.call_id, x.cost_on
    FROM analytics.cost_adjustments x
    WHERE x.account = %(account)s AND x.cost_on BETWEEN %(since)s AND %(today)s AND x.kind IN ('correction', 'withdrawn')
) k
CROSS JOIN LATERAL (
    SELECT
        (array_agg(coalesce(c.old_cost_usd, c.new_cost_usd) ORDER BY c.change_id))[1] AS first_usd,
        (array_agg(coalesce(c.new_cost_usd, c.old_cost_usd) ORDER BY c.change_id DESC))[1] AS last_usd
    FROM analytics.cost_adjustments c
    WHERE c.call_id = k.call_id AND c.kind <> 'implausible'
) a
WHERE a.first_usd <> a.last_usd
GROUP BY k.cost_on
ORDER BY k.cost_on;
