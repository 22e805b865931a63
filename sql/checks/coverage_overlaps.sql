-- Intervals of the coverage ledger that overlap the one before: a call would be verified at two times.
-- Returns: account, where the second one begins, where the first one ends.
SELECT account, since, previous_until
FROM (SELECT account, since, lag(until) OVER (PARTITION BY account ORDER BY since) AS previous_until
    FROM replicator.coverage) c
WHERE since < previous_until
