-- One row per status word of the source, the commonest first, and what it is counted as; rare ones after `most` are one row.
-- No roll-up keeps the source's words: the calls of the period are read, found by the index of their creation. The bounds
-- are a little wider than the days, and the day itself decides.
WITH words AS (
    SELECT
        c.status, c.stage, c.is_open, count(*) AS calls,
        least(row_number() OVER (ORDER BY count(*) DESC, c.status, c.stage, c.is_open), %(most)s + 1) AS place
    FROM analytics.calls c
    WHERE c.account = %(account)s AND c.created_on BETWEEN %(since)s AND %(today)s
        AND c.created_at >= (SELECT %(since)s::date::timestamp AT TIME ZONE time_zone - interval '3 hours'
            FROM replicator.reporting)
        AND c.created_at < (SELECT (%(today)s::date + 1)::timestamp AT TIME ZONE time_zone + interval '3 hours'
            FROM replicator.reporting)
    GROUP BY c.status, c.stage, c.is_open
)
SELECT
    place::integer,
    CASE WHEN place <= %(most)s THEN left(max(status), 400) END AS name,
    CASE WHEN place <= %(most)s THEN max(stage) END AS stage,
    count(*) AS members,
    sum(calls)::bigint AS calls
FROM words
GROUP BY place
ORDER BY place;
