-- The newest close of each closed month, the latest month first.
SELECT
    period,
    close_number,
    closed_at,
    calls,
    our_sum_usd,
    late_changes,
    late_changes_usd,
    doubts <> '' AS has_doubts
FROM analytics.month_closes
WHERE account = %(account)s AND is_newest
ORDER BY period DESC
LIMIT %(most)s;
