-- One row per error text of a call (context.last_error), the commonest first; those after the first `most` are one row.
-- A carrier may quote a number or an address: whatever has two digits, an @ or a :// in it becomes an ellipsis.
-- No roll-up keeps texts: the calls of the period are read, found by the index of their creation, as in 11_statuses.
WITH errors AS (
    SELECT
        left(regexp_replace(regexp_replace(left(c.context ->> 'last_error', 400),
            '\S*(@|://)\S*', '…', 'g'), '[+(]*[0-9][0-9 ()./+-]*[0-9]', '…', 'g'), 120) AS name,
        count(*) AS calls,
        max(c.created_at) AS last_at
    FROM truedy.calls c
    CROSS JOIN replicator.reporting r
    WHERE c.account = %(account)s AND jsonb_typeof(c.context -> 'last_error') = 'string'
        AND (c.created_at AT TIME ZONE r.time_zone)::date BETWEEN %(since)s AND %(today)s
        AND c.created_at >= (SELECT %(since)s::date::timestamp AT TIME ZONE time_zone - interval '3 hours'
            FROM replicator.reporting)
        AND c.created_at < (SELECT (%(today)s::date + 1)::timestamp AT TIME ZONE time_zone + interval '3 hours'
            FROM replicator.reporting)
    GROUP BY 1
), placed AS (
    SELECT *, least(row_number() OVER (ORDER BY calls DESC, name), %(most)s + 1) AS place FROM errors
)
SELECT
    place::integer,
    CASE WHEN place <= %(most)s THEN max(name) END AS name,
    count(*) AS members,
    sum(calls)::bigint AS calls,
    max(last_at) AS last_at
FROM placed
GROUP BY place
ORDER BY place;
