-- One row per stretch of the source's list that could not be proven, the newest first, at most `most`.
SELECT nullif(since, '-infinity') AS since_at, nullif(until, 'infinity') AS until_at, verified_at, reason
FROM replicator.coverage
WHERE account = %(account)s AND NOT is_proven
ORDER BY since DESC
LIMIT %(most)s;
