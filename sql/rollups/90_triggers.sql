-- Whoever writes calls, segments or rules, the roll-ups know: a trigger notes the days and the conversations that are touched,
-- in the same transaction. Both tables are only ever appended to, so writers never wait for each other; refreshing takes out
-- what it has seen.
CREATE OR REPLACE FUNCTION rollup.touch_calls() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO rollup.touched (account, day)
        SELECT DISTINCT c.account, coalesce((v.at AT TIME ZONE z.zone)::date + n.days, '-infinity')
        FROM new_rows c CROSS JOIN rollup.zone() z CROSS JOIN generate_series(-z.slack, z.slack) n (days) CROSS JOIN LATERAL (VALUES
            (c.created_at), (coalesce(c.started_at, c.created_at)), (coalesce(c.ended_at, c.created_at))) v (at);
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO rollup.touched (account, day)
        SELECT DISTINCT c.account, coalesce((v.at AT TIME ZONE z.zone)::date + n.days, '-infinity')
        FROM old_rows c CROSS JOIN rollup.zone() z CROSS JOIN generate_series(-z.slack, z.slack) n (days) CROSS JOIN LATERAL (VALUES
            (c.created_at), (coalesce(c.started_at, c.created_at)), (coalesce(c.ended_at, c.created_at))) v (at);
    ELSE
        -- Old and new days at once: hardly any call moves to another day, so most days would be noted twice.
        INSERT INTO rollup.touched (account, day)
        SELECT DISTINCT c.account, coalesce((v.at AT TIME ZONE z.zone)::date + n.days, '-infinity')
        FROM (
            SELECT account, created_at, started_at, ended_at FROM old_rows
            UNION ALL
            SELECT account, created_at, started_at, ended_at FROM new_rows
        ) c CROSS JOIN rollup.zone() z CROSS JOIN generate_series(-z.slack, z.slack) n (days) CROSS JOIN LATERAL (VALUES
            (c.created_at), (coalesce(c.started_at, c.created_at)), (coalesce(c.ended_at, c.created_at))) v (at);
        INSERT INTO replicator.cost_changes (call_id, old_usd, new_usd, updated_at, observed_at)
        SELECT n.id, o.cost_usd, n.cost_usd, n.updated_at, n.observed_at
        FROM old_rows o JOIN new_rows n ON n.id = o.id
        WHERE o.cost_usd IS DISTINCT FROM n.cost_usd
        ORDER BY n.id;
    END IF;
    RETURN NULL;
END $body$;

CREATE OR REPLACE FUNCTION rollup.touch_conversations() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    ids uuid[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        ids := ARRAY(SELECT DISTINCT call_id FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        ids := ARRAY(SELECT DISTINCT call_id FROM old_rows);
    ELSE
        ids := ARRAY(SELECT call_id FROM old_rows UNION SELECT call_id FROM new_rows);
    END IF;
    INSERT INTO rollup.call_conversations_touched (call_id) SELECT unnest(ids);
    INSERT INTO rollup.touched (account, day)
    SELECT DISTINCT c.account,
        coalesce((coalesce(c.started_at, c.created_at) AT TIME ZONE z.zone)::date + n.days, '-infinity')
    FROM truedy.calls c CROSS JOIN rollup.zone() z CROSS JOIN generate_series(-z.slack, z.slack) n (days) WHERE c.id = ANY (ids);
    RETURN NULL;
END $body$;

-- A changed rule changes every day, and a changed time zone moves calls to a neighbouring one.
CREATE OR REPLACE FUNCTION rollup.touch_everything() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO rollup.touched (account, day)
    SELECT DISTINCT d.account, CASE WHEN d.day = '-infinity' THEN d.day ELSE d.day + n.days END
    FROM (SELECT account, day FROM rollup.days UNION SELECT account, day FROM rollup.touched) d
    CROSS JOIN generate_series(-1, 1) n (days);
    RETURN NULL;
END $body$;

-- A zone that this server does not know would make every report fail: better said to whoever sets it.
CREATE OR REPLACE FUNCTION rollup.refuse_unknown_zone() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_timezone_names WHERE name = NEW.time_zone) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('replicator.reporting.time_zone: this server does not know a time zone %L', NEW.time_zone),
            HINT = 'Use a name such as Europe/Berlin: SELECT name FROM pg_timezone_names lists them.';
    END IF;
    RETURN NEW;
END $body$;

CREATE OR REPLACE TRIGGER calls_inserted AFTER INSERT ON truedy.calls
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_calls();
CREATE OR REPLACE TRIGGER calls_updated AFTER UPDATE ON truedy.calls
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_calls();
CREATE OR REPLACE TRIGGER calls_deleted AFTER DELETE ON truedy.calls
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_calls();
CREATE OR REPLACE TRIGGER segments_inserted AFTER INSERT ON truedy.transcript_segments
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_conversations();
CREATE OR REPLACE TRIGGER segments_updated AFTER UPDATE ON truedy.transcript_segments
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT
    EXECUTE FUNCTION rollup.touch_conversations();
CREATE OR REPLACE TRIGGER segments_deleted AFTER DELETE ON truedy.transcript_segments
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_conversations();
CREATE OR REPLACE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON replicator.reporting
    FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_everything();
CREATE OR REPLACE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON replicator.status_stages
    FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_everything();
CREATE OR REPLACE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON replicator.stage_rules
    FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_everything();
CREATE OR REPLACE TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON replicator.error_classes
    FOR EACH STATEMENT EXECUTE FUNCTION rollup.touch_everything();
CREATE OR REPLACE TRIGGER zone_set BEFORE INSERT OR UPDATE OF time_zone ON replicator.reporting
    FOR EACH ROW EXECUTE FUNCTION rollup.refuse_unknown_zone();
