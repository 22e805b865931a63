-- One row per run of the replicator, the newest first, at most `most`.
SELECT command, started_at, finished_at, coalesce(outcome, 'running') AS outcome, left(message, 400) AS message,
    requests, calls_inserted, calls_changed, refusals, failures
FROM replicator.runs
WHERE account = %(account)s
ORDER BY id DESC
LIMIT %(most)s;
