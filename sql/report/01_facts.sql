-- One row: the day it is, the zone of the days, and as of when the replica is known to be right.
SELECT
    r.time_zone,
    now() AS now_at,
    n.today,
    r.settle_hours,
    r.stale_open_hours,
    -- The first day of analytics.coverage_daily, without counting what lies on the days after it.
    (SELECT min((x.first_at AT TIME ZONE r.time_zone)::date) FROM (
        SELECT min(c.created_at) AS first_at FROM truedy.calls c
            WHERE c.account = %(account)s AND c.created_at >= now() - interval '100 years'
        UNION ALL
        SELECT CASE WHEN isfinite(v.since) THEN v.since ELSE v.until END FROM replicator.coverage v
            WHERE v.account = %(account)s
    ) x WHERE x.first_at <= now()) AS first_day,
    -- Counted once, by the roll-ups; deleted, undated and future calls are few, and each has an index to be found by.
    coalesce(f.live_calls, (SELECT count(*) FROM truedy.calls c WHERE c.account = %(account)s AND c.deleted_at IS NULL))
        + (SELECT count(*) FROM truedy.calls c WHERE c.account = %(account)s AND c.deleted_at IS NOT NULL) AS stored_calls,
    (SELECT count(*) FROM truedy.calls c WHERE c.account = %(account)s AND c.created_at IS NULL) AS undated_calls,
    (SELECT count(*) FROM truedy.calls c WHERE c.account = %(account)s AND c.created_at > now()
        AND (c.created_at AT TIME ZONE r.time_zone)::date > n.today) AS future_calls,
    f.head_at,
    f.lag_seconds,
    coalesce(f.is_complete_and_proven, false) AS is_complete_and_proven,
    coalesce(f.completeness, 'nothing was synced yet') AS completeness,
    coalesce(f.holes, 0) AS holes,
    coalesce(f.unsure_intervals, 0) AS unsure_intervals,
    coalesce(f.reaches_beginning, false) AS reaches_beginning,
    f.oldest_verified_at,
    coalesce(f.live_calls, 0) AS live_calls,
    coalesce(f.proven_calls, 0) AS proven_calls,
    f.source_total,
    f.source_total_at,
    coalesce(f.pending_transcripts, 0) AS pending_transcripts,
    coalesce(f.pending_recordings, 0) AS pending_recordings,
    (SELECT count(*) FROM replicator.absences a WHERE a.account = %(account)s AND a.state = 'suspected')
        AS suspected_deletions,
    (SELECT v.finished_at FROM replicator.verifications v WHERE v.account = %(account)s ORDER BY v.id DESC LIMIT 1)
        AS verification_at,
    (SELECT v.is_equal FROM replicator.verifications v WHERE v.account = %(account)s ORDER BY v.id DESC LIMIT 1)
        AS verification_is_equal,
    a.stored_recordings,
    coalesce(a.waiting_recordings, 0) AS waiting_recordings,
    coalesce(a.near_deadline_recordings, 0) AS near_deadline_recordings,
    coalesce(a.past_deadline_recordings, 0) AS past_deadline_recordings,
    coalesce(a.missing_recordings, 0) AS missing_recordings,
    coalesce(a.refused_recordings, 0) AS refused_recordings
FROM replicator.reporting r
CROSS JOIN LATERAL (SELECT (now() AT TIME ZONE r.time_zone)::date AS today) n
LEFT JOIN analytics.replication_freshness f ON f.account = %(account)s
LEFT JOIN analytics.archive_summary a ON a.account = %(account)s;
