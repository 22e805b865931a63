-- One row per status word of the source, the commonest first, and what it is counted as; rare ones after `most` are one row.
WITH words AS (
    SELECT
        status, stage, is_open, count(*) AS calls,
        least(row_number() OVER (ORDER BY count(*) DESC, status, stage, is_open), %(most)s + 1) AS place
    FROM analytics.calls
    WHERE account = %(account)s AND created_on BETWEEN %(since)s AND %(today)s
    GROUP BY status, stage, is_open
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
