-- One row per reason why rows of the source could not be read and are kept aside; the commonest first, at most `most`.
SELECT left(reason, 400) AS reason, count(*) AS calls, min(first_seen_at) AS since_at, max(last_seen_at) AS last_at
FROM replicator.quarantine
WHERE account = %(account)s AND resolved_at IS NULL
GROUP BY 1
ORDER BY 2 DESC, 1
LIMIT %(most)s;
