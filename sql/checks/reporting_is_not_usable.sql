-- replicator.reporting without its one row (every view would be empty), or with a time zone that is not known (every
-- view would fail).
-- Returns: what is wrong.
SELECT 'no row' AS problem WHERE NOT EXISTS (SELECT 1 FROM replicator.reporting)
UNION ALL
SELECT 'unknown time zone ' || time_zone FROM replicator.reporting
WHERE time_zone NOT IN (SELECT name FROM pg_timezone_names)
