-- Whoever writes may have the planner's statistics made anew, which PostgreSQL allows to a table's owner only (MAINTAIN can
-- be granted from version 17 on). Tables of our schemas, nothing else; one that somebody has locked is left.
CREATE OR REPLACE FUNCTION rollup.analyze_table(relation regclass) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    name text;
BEGIN
    SELECT format('%I.%I', n.nspname, c.relname) INTO name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation AND c.relkind = 'r' AND n.nspname IN ('truedy', 'replicator', 'rollup', 'archive', 'billing');
    IF name IS NOT NULL THEN
        EXECUTE 'ANALYZE (SKIP_LOCKED) ' || name;
    END IF;
END $body$;

COMMENT ON FUNCTION rollup.analyze_table(regclass) IS 'Makes the planner''s statistics of one of our tables anew, for the writer too.';
