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
-- Calls that are not frozen in a close, and are of the month now, or in the close after it. They came when the first content
-- with an end in the month was seen. That end is read with care: days are added to the first of a month, so that one that
-- does not exist is no error; what is no instant is no evidence, and then the call's last change is taken.
late AS (
    SELECT e.account, e.period, e.number, e.closed_at, e.last_cost_change, e.next_cost_change, e.time_zone, c.id,
        CASE WHEN abs(c.cost_usd) < 1000000 THEN c.cost_usd END AS cost_usd,
        CASE WHEN c.first_seen_at > e.closed_at THEN 'added' ELSE 'moved_here' END AS change,
        CASE WHEN c.first_seen_at > e.closed_at THEN c.first_seen_at
            ELSE least(coalesce(v.seen_at, c.changed_at), e.next_closed_at) END AS seen_at
    FROM closes e
    JOIN truedy.calls c ON c.account = e.account
        AND coalesce(c.ended_at, c.created_at, '-infinity') >= e.since
        AND coalesce(c.ended_at, c.created_at, '-infinity') < e.until
    LEFT JOIN LATERAL (
        SELECT min(n.observed_at) AS seen_at
        FROM truedy.call_versions n
        CROSS JOIN LATERAL (SELECT regexp_match(
            coalesce(n.raw ->> 'ended_at', n.raw ->> 'created_at'),
            '^((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])-([0-3][0-9])[T ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9](?:[.][0-9]{1,6})?)'
            '[0-9]*(?:Z|([+-][01][0-9]):?([0-5][0-9]))?$') AS said) r
        CROSS JOIN LATERAL (SELECT (
            make_timestamp(r.said[1]::integer, r.said[2]::integer, 1, r.said[4]::integer, r.said[5]::integer, 0)
            + make_interval(days => r.said[3]::integer - 1, secs => r.said[6]::double precision)
            - coalesce((r.said[7] || ':' || r.said[8])::interval, '0')
        ) AT TIME ZONE 'UTC' AS ended_at) w
        WHERE n.call_id = c.id AND NOT n.is_late AND n.observed_at > e.closed_at AND w.ended_at >= e.since AND w.ended_at < e.until
    ) v ON true
    WHERE NOT EXISTS (SELECT FROM billing.close_amounts a
            WHERE a.account = e.account AND a.period = e.period AND a.number = e.number AND a.call_id = c.id)
        AND (e.next_number IS NULL OR EXISTS (SELECT FROM billing.close_amounts a
            WHERE a.account = e.account AND a.period = e.period AND a.number = e.next_number AND a.call_id = c.id))
),
-- Frozen calls that are of another month now, or not in the close after it.
away AS (
    SELECT e.account, e.period, e.number, e.closed_at, e.last_cost_change, e.time_zone, a.call_id, a.amount_usd,
        least(coalesce(v.seen_at, c.changed_at), e.next_closed_at) AS seen_at
    FROM closes e
    JOIN billing.close_amounts a ON a.account = e.account AND a.period = e.period AND a.number = e.number
    JOIN truedy.calls c ON c.id = a.call_id
    LEFT JOIN LATERAL (
        SELECT min(n.observed_at) AS seen_at
        FROM truedy.call_versions n
        CROSS JOIN LATERAL (SELECT regexp_match(
            coalesce(n.raw ->> 'ended_at', n.raw ->> 'created_at'),
            '^((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])-([0-3][0-9])[T ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9](?:[.][0-9]{1,6})?)'
            '[0-9]*(?:Z|([+-][01][0-9]):?([0-5][0-9]))?$') AS said) r
        CROSS JOIN LATERAL (SELECT (
            make_timestamp(r.said[1]::integer, r.said[2]::integer, 1, r.said[4]::integer, r.said[5]::integer, 0)
            + make_interval(days => r.said[3]::integer - 1, secs => r.said[6]::double precision)
            - coalesce((r.said[7] || ':' || r.said[8])::interval, '0')
        ) AT TIME ZONE 'UTC' AS ended_at) w
        WHERE n.call_id = c.id AND NOT n.is_late AND n.observed_at > e.closed_at AND (w.ended_at < e.since OR w.ended_at >= e.until)
    ) v ON true
    WHERE (coalesce(c.ended_at, c.created_at, '-infinity') < e.since OR coalesce(c.ended_at, c.created_at, '-infinity') >= e.until)
        AND (e.next_number IS NULL OR NOT EXISTS (SELECT FROM billing.close_amounts b
            WHERE b.account = e.account AND b.period = e.period AND b.number = e.next_number AND b.call_id = a.call_id))
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
    -- Of a call that moved away, what was seen before that.
    SELECT e.account, e.period, e.number AS close_number, e.closed_at, e.time_zone, h.observed_at AS seen_at, h.call_id,
        'cost_changed' AS change, h.old_usd, h.new_usd
    FROM closes e
    JOIN billing.close_amounts a ON a.account = e.account AND a.period = e.period AND a.number = e.number
    JOIN changes h ON h.call_id = a.call_id AND h.id > e.last_cost_change
        AND (e.next_cost_change IS NULL OR h.id <= e.next_cost_change)
    LEFT JOIN away y ON y.account = a.account AND y.period = a.period AND y.number = a.number AND y.call_id = a.call_id
    WHERE y.call_id IS NULL OR h.observed_at < y.seen_at
    UNION ALL
    -- Of a call that came, what was seen after that.
    SELECT n.account, n.period, n.number, n.closed_at, n.time_zone, h.observed_at, h.call_id, 'cost_changed', h.old_usd, h.new_usd
    FROM late n
    JOIN changes h ON h.call_id = n.id AND h.id > n.last_cost_change AND h.observed_at > n.seen_at
        AND (n.next_cost_change IS NULL OR h.id <= n.next_cost_change)
    UNION ALL
    -- With the cost that it had then: what changed since are rows of their own.
    SELECT n.account, n.period, n.number, n.closed_at, n.time_zone, n.seen_at, n.id, n.change, NULL,
        CASE WHEN f.id IS NULL THEN n.cost_usd ELSE f.old_usd END
    FROM late n
    LEFT JOIN LATERAL (
        SELECT h.id, h.old_usd FROM changes h
        WHERE h.call_id = n.id AND h.id > n.last_cost_change AND h.observed_at > n.seen_at
        ORDER BY h.id LIMIT 1
    ) f ON true
    UNION ALL
    -- With the cost that was frozen, or that it had when it was seen to be of another month.
    SELECT y.account, y.period, y.number, y.closed_at, y.time_zone, y.seen_at, y.call_id, 'moved_away',
        CASE WHEN f.id IS NULL THEN y.amount_usd ELSE f.new_usd END, NULL
    FROM away y
    LEFT JOIN LATERAL (
        SELECT h.id, h.new_usd FROM changes h
        WHERE h.call_id = y.call_id AND h.id > y.last_cost_change AND h.observed_at < y.seen_at
        ORDER BY h.id DESC LIMIT 1
    ) f ON true
) x;
