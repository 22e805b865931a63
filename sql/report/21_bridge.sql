-- The steps of the vendor's newest month that was matched, in their order; steps without an item are left out.
SELECT
    period,
    step,
    items,
    amount_usd,
    running_usd,
    is_sum
FROM analytics.reconciliation_bridge
WHERE account = %(account)s AND party = 'vendor' AND (is_sum OR items > 0 OR step = 'residue')
    AND is_newest_period
ORDER BY step_number;
