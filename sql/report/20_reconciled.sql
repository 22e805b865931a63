-- One row per month and party with a matching, the latest first: what is open, also in other currencies, and the
-- statement's total.
SELECT
    b.period,
    b.party,
    b.running_usd AS statement_usd,
    coalesce(s.items, 0)::bigint AS items,
    coalesce(s.open_items, 0)::bigint AS open_items,
    coalesce(s.open_usd, 0) AS open_usd,
    coalesce(s.accepted_items, 0)::bigint AS accepted_items,
    b.matched_at,
    o.open_other
FROM analytics.reconciliation_bridge b
LEFT JOIN (
    SELECT party, period, sum(items) AS items, sum(open_items) AS open_items, sum(open_usd) AS open_usd,
        sum(accepted_items) AS accepted_items
    FROM analytics.reconciliation_summary
    WHERE account = %(account)s
    GROUP BY party, period
) s ON s.party = b.party AND s.period = b.period
LEFT JOIN (
    SELECT party, period, string_agg(trim_scale(amount)::text || ' ' || currency, ', ' ORDER BY currency) AS open_other
    FROM (
        SELECT party, period, currency, coalesce(sum(stated_amount), 0) AS amount
        FROM analytics.reconciliation_items
        WHERE account = %(account)s AND currency <> 'USD' AND NOT is_accepted
        GROUP BY party, period, currency
    ) c
    GROUP BY party, period
) o ON o.party = b.party AND o.period = b.period
WHERE b.account = %(account)s AND b.step = 'statement_total'
ORDER BY b.period DESC, b.party <> 'vendor', b.party
LIMIT %(most)s;
