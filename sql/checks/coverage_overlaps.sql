-- Intervals of the coverage ledger that overlap the one before (a call would be verified at two times), or are empty.
-- Returns: account, where the interval begins, where it ends, where the one before ends.
SELECT account, since, until, previous_until
FROM (SELECT account, since, until, lag(until) OVER (PARTITION BY account ORDER BY since) AS previous_until
    FROM replicator.coverage) c
WHERE since < previous_until OR until <= since
