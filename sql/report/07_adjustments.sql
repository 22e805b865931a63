-- One row per day of the end: calls whose known cost was seen to change afterwards, and by how much, up to now.
-- Of a call's versions the first and the last that had a plausible cost; versions that nobody saw are not here.
SELECT
    k.cost_on AS day,
    count(*) AS adjusted_calls,
    sum(a.last_usd - a.first_usd)::numeric(18, 6) AS adjustment_usd
FROM analytics.calls k
CROSS JOIN LATERAL (
    SELECT (array_agg(p.usd ORDER BY p.version))[1] AS first_usd, (array_agg(p.usd ORDER BY p.version DESC))[1] AS last_usd
    FROM (
        SELECT v.version, (v.raw ->> 'cost_usd')::numeric AS usd
        FROM truedy.call_versions v
        WHERE v.call_id = k.call_id AND NOT v.is_late AND jsonb_typeof(v.raw -> 'cost_usd') IN ('number', 'string')
            AND v.raw ->> 'cost_usd' ~ '^-?\d{1,6}(\.\d{1,12})?$'
    ) p
) a
WHERE k.account = %(account)s AND k.cost_on BETWEEN %(since)s AND %(today)s AND k.version > 1
    AND a.first_usd <> a.last_usd
GROUP BY k.cost_on
ORDER BY k.cost_on;
