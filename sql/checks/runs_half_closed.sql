-- Runs with an end but no outcome, or an outcome but no end; and accounts with two runs going on at once.
-- Returns: account, run.
SELECT account, id AS run_id FROM replicator.runs WHERE (finished_at IS NULL) <> (outcome IS NULL)
UNION ALL
SELECT account, max(id) FROM replicator.runs WHERE finished_at IS NULL GROUP BY account HAVING count(*) > 1
