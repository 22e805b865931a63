-- rollup.zone
-- Grain: one row. The reporting time zone as this server can use it: UTC where the one that is set is not known here (a dump
-- of another server, a zone that was taken out of its files), or no settings are there. slack is then 1, else 0: so many
-- days around a day may be the right one. What writes calls stands on it and never fails; reports do not, and say so.
CREATE OR REPLACE FUNCTION rollup.zone() RETURNS TABLE (zone text, slack integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    BEGIN
        SELECT r.time_zone INTO STRICT zone FROM replicator.reporting r;
        PERFORM now() AT TIME ZONE zone;
        slack := 0;
    EXCEPTION WHEN invalid_parameter_value OR no_data_found THEN
        zone := 'UTC';
        slack := 1;
    END;
    RETURN NEXT;
END $body$;
