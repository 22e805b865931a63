-- The frozen amounts of a close add up to its sum; with the changes seen since, the newest close of a month adds up to the
-- month's calls as they are now; and the items of a matching add up to its bridge.
-- Returns: what does not add up, the account and the month, the parts, the whole.
SELECT 'frozen amounts' AS what, e.account, e.period, coalesce(a.parts, 0) AS parts, e.our_sum_usd AS whole
FROM billing.closes e
LEFT JOIN (
    SELECT account, period, number, sum(amount_usd) AS parts FROM billing.close_amounts GROUP BY account, period, number
) a ON a.account = e.account AND a.period = e.period AND a.number = e.number
WHERE coalesce(a.parts, 0) <> e.our_sum_usd
UNION ALL
SELECT 'close and changes', m.account, m.period, m.present_sum_usd, coalesce(c.whole, 0)
FROM analytics.month_closes m
LEFT JOIN LATERAL (
    SELECT sum(x.cost_usd) AS whole FROM rollup.facts x
    WHERE x.account = m.account
        AND coalesce(x.ended_at, x.created_at, '-infinity') >= (m.period || '-01')::timestamp AT TIME ZONE m.reporting_time_zone
        AND coalesce(x.ended_at, x.created_at, '-infinity') < ((m.period || '-01')::timestamp + interval '1 month') AT TIME ZONE m.reporting_time_zone
) c ON true
WHERE m.is_newest AND m.present_sum_usd <> coalesce(c.whole, 0)
UNION ALL
SELECT 'items and bridge', m.account, m.period, sum(i.theirs_usd) FILTER (WHERE i.line IS NOT NULL), max(b.running_usd)
FROM billing.matchings m
JOIN billing.items i ON i.matching = m.id
JOIN billing.bridge_steps b ON b.matching = m.id AND b.step = 'lines_sum'
WHERE m.superseded_at IS NULL
GROUP BY m.id, m.account, m.period
HAVING coalesce(sum(i.theirs_usd) FILTER (WHERE i.line IS NOT NULL), 0) <> max(b.running_usd)
