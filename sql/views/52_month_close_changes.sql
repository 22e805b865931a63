-- analytics.month_close_changes
-- Grain: one row per change of a call of a closed month that the replica saw after the close: the corrections of the month
-- in which they were seen.
-- Key: account, period, close_number, call_id, seen_at, change.
-- Units: US dollars.
--     cost_changed   a cost came, changed, or was withdrawn
--     added          a call of the closed month was first seen afterwards
--     moved_here     a call that was known has its end in the closed month now
--     moved_away     a frozen call has its end in another month now
-- The amounts of the close plus these rows are the month as it is now. A close that states the month again has the rows
-- that were seen after it; those before it stay with the close before. A change belongs to the close whose snapshot it
-- missed, by its number, and a call by whether it is frozen: not by clocks, so that no change falls between.
CREATE OR REPLACE VIEW analytics.month_close_changes AS
WITH closes AS (
    SELECT account, period, number, closed_at, time_zone, coalesce(last_cost_change, 0) AS last_cost_change,
        lead(number) OVER (PARTITION BY account, period ORDER BY number) AS next_number,
        lead(closed_at) OVER (PARTITION BY account, period ORDER BY number) AS next_closed_at,
        lead(coalesce(last_cost_change, 0)) OVER (PARTITION BY account, period ORDER BY number) AS next_cost_change,
        (period || '-01')::timestamp AT TIME ZONE time_zone AS since,
        ((period || '-01')::timestamp + interval '1 month') AT TIME ZONE time_zone AS until
    FROM billing.closes
),
-- What is not below a million is no cost in any report.
changes AS (
    SELECT id, call_id, observed_at,
        CASE WHEN abs(old_usd) < 1000000 THEN old_usd END AS old_usd,
        CASE WHEN abs(new_usd) < 1000000 THEN new_usd END AS new_usd
    FROM replicator.cost_changes
),
-- Calls that are not frozen in a close, and are of the month now, or in the close after it.
late AS (
    SELECT e.account, e.period, e.number, e.closed_at, e.next_closed_at, e.last_cost_change, e.next_cost_change, e.time_zone,
        c.id, c.changed_at, c.first_seen_at, CASE WHEN abs(c.cost_usd) < 1000000 THEN c.cost_usd END AS cost_usd
    FROM closes e
    JOIN truedy.calls c ON c.account = e.account
        AND coalesce(c.ended_at, c.created_at, '-infinity') >= e.since
        AND coalesce(c.ended_at, c.created_at, '-infinity') < e.until
    WHERE NOT EXISTS (SELECT FROM billing.close_amounts a
            WHERE a.account = e.account AND a.period = e.period AND a.number = e.number AND a.call_id = c.id)
        AND (e.next_number IS NULL OR EXISTS (SELECT FROM billing.close_amounts a
            WHERE a.account = e.account AND a.period = e.period AND a.number = e.next_number AND a.call_id = c.id))
)
SELECT
    x.account,
    x.period,
    x.close_number,
    to_char(greatest(x.seen_at, x.closed_at) AT TIME ZONE x.time_zone, 'YYYY-MM') AS seen_period,
    greatest(x.seen_at, x.closed_at) AS seen_at,
    x.call_id,
    x.change,
    x.old_usd::numeric(18, 6) AS old_cost_usd,
    x.new_usd::numeric(18, 6) AS new_cost_usd,
    (coalesce(x.new_usd, 0) - coalesce(x.old_usd, 0))::numeric(18, 6) AS delta_usd
FROM (
    SELECT e.account, e.period, e.number AS close_number, e.closed_at, e.time_zone, h.observed_at AS seen_at, h.call_id,
        'cost_changed' AS change, h.old_usd, h.new_usd
    FROM closes e
    JOIN billing.close_amounts a ON a.account = e.account AND a.period = e.period AND a.number = e.number
    JOIN changes h ON h.call_id = a.call_id AND h.id > e.last_cost_change
        AND (e.next_cost_change IS NULL OR h.id <= e.next_cost_change)
    UNION ALL
    SELECT n.account, n.period, n.number, n.closed_at, n.time_zone, h.observed_at, h.call_id, 'cost_changed', h.old_usd, h.new_usd
    FROM late n
    JOIN changes h ON h.call_id = n.id AND h.id > n.last_cost_change
        AND (n.next_cost_change IS NULL OR h.id <= n.next_cost_change)
    UNION ALL
    -- With the cost from before its changes since, which are rows of their own.
    SELECT n.account, n.period, n.number, n.closed_at, n.time_zone,
        CASE WHEN n.first_seen_at > n.closed_at THEN n.first_seen_at ELSE least(n.changed_at, n.next_closed_at) END, n.id,
        CASE WHEN n.first_seen_at > n.closed_at THEN 'added' ELSE 'moved_here' END, NULL,
        CASE WHEN f.id IS NULL THEN n.cost_usd ELSE f.old_usd END
    FROM late n
    LEFT JOIN LATERAL (
        SELECT h.id, h.old_usd FROM changes h WHERE h.call_id = n.id AND h.id > n.last_cost_change ORDER BY h.id LIMIT 1
    ) f ON true
    UNION ALL
    SELECT e.account, e.period, e.number, e.closed_at, e.time_zone, c.changed_at, c.id, 'moved_away',
        CASE WHEN abs(c.cost_usd) < 1000000 THEN c.cost_usd END, NULL
    FROM closes e
    JOIN billing.close_amounts a ON a.account = e.account AND a.period = e.period AND a.number = e.number
    JOIN truedy.calls c ON c.id = a.call_id
    WHERE (coalesce(c.ended_at, c.created_at, '-infinity') < e.since OR coalesce(c.ended_at, c.created_at, '-infinity') >= e.until)
        AND (e.next_number IS NULL OR NOT EXISTS (SELECT FROM billing.close_amounts b
            WHERE b.account = e.account AND b.period = e.period AND b.number = e.next_number AND b.call_id = a.call_id))
) x;
