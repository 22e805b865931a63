-- One row per month and party with a matching, the latest first: what is open, and the statement's total.
SELECT
    b.period,
    b.party,
    b.running_usd AS statement_usd,
    coalesce(s.items, 0)::bigint AS items,
    coalesce(s.open_items, 0)::bigint AS open_items,
    coalesce(s.open_usd, 0) AS open_usd,
    coalesce(s.accepted_items, 0)::bigint AS accepted_items,
    b.matched_at
FROM analytics.reconciliation_bridge b
LEFT JOIN (
    SELECT party, period, sum(items) AS items, sum(open_items) AS open_items, sum(open_usd) AS open_usd,
        sum(accepted_items) AS accepted_items
    FROM analytics.reconciliation_summary
    WHERE account = %(account)s
    GROUP BY party, period
) s ON s.party = b.party AND s.period = b.period
WHERE b.account = %(account)s AND b.step = 'statement_total'
ORDER BY b.period DESC, b.party <> 'vendor', b.party
LIMIT %(most)s;
