-- One row per measurement of an account for `/metrics`: its name, its labels as (name, value, name, value ...), its value.
-- Keys: name, labels. Units: as the names say (seconds, bytes, usd), otherwise counts; yes is 1 and no is 0.
-- What does not exist yet (an account that was never synced, an archive without a record) has no row.
WITH freshness AS (
    SELECT * FROM analytics.replication_freshness WHERE account = %(account)s
), last_run AS (
    SELECT * FROM analytics.sync_runs WHERE account = %(account)s ORDER BY run_id DESC LIMIT 1
), archived AS (
    SELECT * FROM analytics.archive_summary WHERE account = %(account)s
), newest_block AS (
    SELECT block, last_sequence, sealed_at FROM archive.blocks WHERE account = %(account)s ORDER BY block DESC LIMIT 1
), newest_head AS (
    SELECT h.block, h.written_at, b.last_sequence
    FROM archive.heads h
    JOIN archive.blocks b ON b.account = h.account AND b.block = h.block
    WHERE h.account = %(account)s
    ORDER BY h.block DESC, h.written_at DESC
    LIMIT 1
), money AS (
    SELECT *, ARRAY['period', period, 'scope', scope, 'scope_value', coalesce(scope_value, '')] AS labels
    FROM analytics.budgets
    WHERE account = %(account)s AND is_month_running
)
SELECT name, labels, value::double precision AS value
FROM (
    SELECT 'lease_held' AS name, ARRAY[]::text[] AS labels, (EXISTS (
        SELECT FROM replicator.lease l WHERE l.account = %(account)s AND l.expires_at > clock_timestamp()
    ))::integer::double precision AS value
    UNION ALL
    SELECT m.name, m.labels, m.value
    FROM freshness f
    CROSS JOIN LATERAL (VALUES
        ('lag_seconds', ARRAY[]::text[], f.lag_seconds),
        ('complete_and_proven', ARRAY[]::text[], f.is_complete_and_proven::integer),
        ('holes', ARRAY[]::text[], f.holes),
        ('unsure_intervals', ARRAY[]::text[], f.unsure_intervals),
        ('oldest_look_seconds', ARRAY[]::text[], extract(epoch FROM now() - f.oldest_verified_at)),
        ('calls', ARRAY['state', 'live'], f.live_calls),
        ('calls', ARRAY['state', 'proven'], f.proven_calls),
        ('source_calls', ARRAY[]::text[], f.source_total),
        ('pending_details', ARRAY['kind', 'transcript'], f.pending_transcripts),
        ('pending_details', ARRAY['kind', 'recording'], f.pending_recordings),
        ('quarantined_rows', ARRAY[]::text[], f.quarantined_rows)
    ) m (name, labels, value)
    UNION ALL
    SELECT 'newest_call_seconds', ARRAY[]::text[], (
        SELECT extract(epoch FROM now() - max(c.created_at)) FROM truedy.calls c
        WHERE c.account = %(account)s AND c.created_at <= now()
    )
    UNION ALL
    SELECT 'suspected_deletions', ARRAY[]::text[], (
        SELECT count(*) FROM replicator.absences a WHERE a.account = %(account)s AND a.state = 'suspected'
    )
    UNION ALL
    SELECT m.name, m.labels, m.value
    FROM last_run r
    CROSS JOIN LATERAL (VALUES
        ('last_run', ARRAY['outcome', r.outcome], 1),
        ('last_run_age_seconds', ARRAY[]::text[], extract(epoch FROM now() - coalesce(r.finished_at, now()))),
        ('last_run_seconds', ARRAY[]::text[], r.seconds),
        ('last_run_requests', ARRAY['result', 'sent'], r.requests),
        ('last_run_requests', ARRAY['result', 'refused'], r.refusals),
        ('last_run_requests', ARRAY['result', 'failed'], r.failures),
        ('last_run_calls', ARRAY['change', 'inserted'], r.calls_inserted),
        ('last_run_calls', ARRAY['change', 'changed'], r.calls_changed),
        ('last_run_calls', ARRAY['change', 'quarantined'], r.rows_quarantined)
    ) m (name, labels, value)
    UNION ALL
    SELECT m.name, ARRAY['key_id', b.key_id], m.value
    FROM replicator.budgets b
    CROSS JOIN LATERAL (VALUES
        ('window_seconds', b.window_seconds::double precision),
        ('window_requests_limit', b.request_limit),
        ('window_requests', coalesce((
            SELECT w.charged FROM replicator.budget_windows w
            WHERE w.account = b.account AND w.key_id = b.key_id
                AND w.window_number = floor((extract(epoch FROM now()) + coalesce(b.offset_low_seconds, 0)) / b.window_seconds)
        ), 0))
    ) m (name, value)
    WHERE b.account = %(account)s
    UNION ALL
    SELECT m.name, m.labels, m.value
    FROM archived a
    CROSS JOIN LATERAL (VALUES
        ('recordings', ARRAY['state', 'stored'], a.stored_recordings),
        ('recordings', ARRAY['state', 'waiting'], a.waiting_recordings),
        ('recordings', ARRAY['state', 'near_deadline'], a.near_deadline_recordings),
        ('recordings', ARRAY['state', 'past_deadline'], a.past_deadline_recordings),
        ('recordings', ARRAY['state', 'missing'], a.missing_recordings),
        ('recordings', ARRAY['state', 'refused'], a.refused_recordings),
        ('recordings_stored_bytes', ARRAY[]::text[], a.stored_bytes)
    ) m (name, labels, value)
    UNION ALL
    SELECT m.name, ARRAY[]::text[], m.value
    FROM newest_block b
    LEFT JOIN newest_head h ON true
    CROSS JOIN LATERAL (VALUES
        ('archive_records', b.last_sequence),
        ('archive_unanchored_records', b.last_sequence - coalesce(h.last_sequence, 0)),
        ('archive_unanchored_seconds', CASE WHEN b.block = h.block THEN 0 ELSE (
            SELECT extract(epoch FROM now() - n.sealed_at) FROM archive.blocks n
            WHERE n.account = %(account)s AND n.block = coalesce(h.block, 0) + 1
        ) END),
        ('archive_heads_without_token', (
            SELECT count(*) FROM archive.heads t WHERE t.account = %(account)s AND t.authority IS NOT NULL AND t.token IS NULL
        ))
    ) m (name, value)
    UNION ALL
    SELECT m.name, b.labels, m.value
    FROM money b
    CROSS JOIN LATERAL (VALUES
        ('budget_usd', b.budget_usd),
        ('budget_spent_usd', b.spent_usd),
        ('budget_forecast_usd', b.forecast_usd),
        ('budget_passed', (b.budget_state = 'passed')::integer),
        ('budget_will_be_passed', (b.budget_state <> 'within')::integer)
    ) m (name, value)
) every_one
WHERE value IS NOT NULL
ORDER BY name, labels;
