-- analytics.sync_runs
-- Grain: one row per run of the replicator. Units: seconds, requests, rows.
-- What each run asked for and wrote. Who ran it where, and what it says of its end, are in replicator.runs.
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

COMMENT ON VIEW analytics.sync_runs IS 'Grain: one row per run of the replicator: what it asked for and wrote. Key: run_id.';
COMMENT ON COLUMN analytics.sync_runs.run_id IS 'Number of the run.';
COMMENT ON COLUMN analytics.sync_runs.account IS 'The account.';
COMMENT ON COLUMN analytics.sync_runs.command IS 'The command that ran.';
COMMENT ON COLUMN analytics.sync_runs.replicator_version IS 'The replicator''s version.';
COMMENT ON COLUMN analytics.sync_runs.started_at IS 'Instant at which the run started.';
COMMENT ON COLUMN analytics.sync_runs.finished_at IS 'Instant at which it finished; null while it runs.';
COMMENT ON COLUMN analytics.sync_runs.is_running IS 'It has no end: it runs, or was killed and not noticed yet.';
COMMENT ON COLUMN analytics.sync_runs.outcome IS 'done, bounded, stopped, failed, lost or running.';
COMMENT ON COLUMN analytics.sync_runs.seconds IS 'Seconds from its start to its end, or until now.';
COMMENT ON COLUMN analytics.sync_runs.requests IS 'Number of requests sent.';
COMMENT ON COLUMN analytics.sync_runs.pages IS 'Number of pages of the list received.';
COMMENT ON COLUMN analytics.sync_runs.rows_received IS 'Number of rows on them.';
COMMENT ON COLUMN analytics.sync_runs.calls_inserted IS 'Number of calls that were new.';
COMMENT ON COLUMN analytics.sync_runs.calls_changed IS 'Number of calls whose content had changed.';
COMMENT ON COLUMN analytics.sync_runs.calls_unchanged IS 'Number of calls that were as stored.';
COMMENT ON COLUMN analytics.sync_runs.calls_late IS 'Number of contents that were older than what is stored.';
COMMENT ON COLUMN analytics.sync_runs.rows_quarantined IS 'Number of rows that could not be read.';
COMMENT ON COLUMN analytics.sync_runs.transcripts_stored IS 'Number of transcripts written.';
COMMENT ON COLUMN analytics.sync_runs.segments_stored IS 'Number of their segments.';
COMMENT ON COLUMN analytics.sync_runs.recordings_stored IS 'Number of recording URLs written.';
COMMENT ON COLUMN analytics.sync_runs.details_absent IS 'Number of transcripts and recordings that were not there when asked for.';
COMMENT ON COLUMN analytics.sync_runs.calls_suspected IS 'Number of calls that seemed to be gone.';
COMMENT ON COLUMN analytics.sync_runs.calls_deleted IS 'Number of calls whose deletion was confirmed.';
COMMENT ON COLUMN analytics.sync_runs.absences_ended IS 'Number of calls that were there after all.';
COMMENT ON COLUMN analytics.sync_runs.refusals IS 'Number of requests that the source refused for their rate.';
COMMENT ON COLUMN analytics.sync_runs.failures IS 'Number of requests that failed otherwise.';
COMMENT ON COLUMN analytics.sync_runs.error_code IS 'Name of the error that ended the run, as docs/commands.md groups them by exit code; null where none did.';
COMMENT ON COLUMN analytics.sync_runs.is_defect IS 'That error was a defect of the replicator, and is to be reported.';
