-- analytics.sync_runs
-- Grain: one row per run of the replicator: what it asked for and wrote.
-- Key: run_id.
-- Units: seconds, requests, rows.
-- Who ran it where, and what it says of its end, are in replicator.runs.
CREATE OR REPLACE VIEW analytics.sync_runs AS
SELECT
    r.id AS run_id,
    r.account,
    r.command,
    r.replicator_version,
    r.started_at,
    r.finished_at,
    r.finished_at IS NULL AS is_running,
    coalesce(r.outcome, 'running') AS outcome,
    extract(epoch FROM coalesce(r.finished_at, now()) - r.started_at)::double precision AS seconds,
    r.requests,
    r.pages,
    r.rows_received,
    r.calls_inserted,
    r.calls_changed,
    r.calls_unchanged,
    r.calls_late,
    r.rows_quarantined,
    r.transcripts_stored,
    r.segments_stored,
    r.recordings_stored,
    r.details_absent,
    r.calls_suspected,
    r.calls_deleted,
    r.absences_ended,
    r.refusals,
    r.failures,
    r.error_code,
    r.is_defect
FROM replicator.runs r;
