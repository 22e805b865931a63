-- analytics.replication_freshness
-- Grain: one row per account. As of when, and how completely, the replica is known to be right.
-- Key: account.
-- Units: seconds, counts, a share of 0 to 1.
-- An account whose first run failed has a row too.
CREATE OR REPLACE VIEW analytics.replication_freshness AS
SELECT
    a.account,
    s.head_at,
    extract(epoch FROM now() - s.head_at)::double precision AS lag_seconds,
    v.covered_until,
    v.covered_since,
    coalesce(v.reaches_beginning, false) AS reaches_beginning,
    coalesce(v.holes, 0)::bigint AS holes,
    coalesce(v.unsure_intervals, 0)::bigint AS unsure_intervals,
    coalesce(v.reaches_beginning AND v.holes = 0 AND v.unsure_intervals = 0, false) AS is_complete_and_proven,
    CASE
        WHEN v.covered_until IS NULL THEN 'nothing was compared yet'
        WHEN v.holes > 0 THEN 'a stretch was not compared yet'
        WHEN NOT v.reaches_beginning THEN 'older calls were not read yet'
        WHEN v.unsure_intervals > 0 THEN coalesce(nullif(v.reasons, ''), 'a stretch could not be proven')
        ELSE 'complete and proven'
    END AS completeness,
    v.oldest_verified_at,
    c.live_calls,
    p.proven_calls,
    p.proven_calls::double precision / nullif(c.live_calls, 0) AS proven_share,
    s.total AS source_total,
    s.total_at AS source_total_at,
    -- In two parts, because each has an index of its own.
    (SELECT count(*) FROM truedy.transcripts t JOIN truedy.calls c ON c.id = t.call_id
        WHERE c.account = a.account AND t.due_at IS NOT NULL AND NOT t.waits_last)
    + (SELECT count(*) FROM truedy.transcripts t JOIN truedy.calls c ON c.id = t.call_id
        WHERE c.account = a.account AND t.due_at IS NOT NULL AND t.waits_last) AS pending_transcripts,
    -- In two parts, because each has an index of its own.
    (SELECT count(*) FROM truedy.recordings g JOIN truedy.calls c ON c.id = g.call_id
        WHERE c.account = a.account AND g.due_at IS NOT NULL AND NOT g.waits_last)
    + (SELECT count(*) FROM truedy.recordings g JOIN truedy.calls c ON c.id = g.call_id
        WHERE c.account = a.account AND g.due_at IS NOT NULL AND g.waits_last) AS pending_recordings,
    (SELECT count(*) FROM replicator.quarantine q WHERE q.account = a.account AND q.resolved_at IS NULL
        AND q.field IS NULL) AS quarantined_rows,
    r.started_at AS last_run_started_at,
    r.finished_at AS last_run_finished_at,
    coalesce(r.outcome, CASE WHEN r.started_at IS NOT NULL THEN 'running' END) AS last_run_outcome,
    r.message AS last_run_message
FROM (SELECT account FROM replicator.source_state UNION SELECT account FROM replicator.runs) a
LEFT JOIN replicator.source_state s ON s.account = a.account
LEFT JOIN LATERAL (
    SELECT
        max(c.until) AS covered_until,
        nullif(min(c.since), '-infinity') AS covered_since,
        bool_or(c.since = '-infinity') AS reaches_beginning,
        count(*) FILTER (WHERE c.since > c.previous_until) AS holes,
        count(*) FILTER (WHERE NOT c.is_proven) AS unsure_intervals,
        min(c.verified_at) AS oldest_verified_at,
        string_agg(DISTINCT nullif(c.reason, ''), '; ') FILTER (WHERE NOT c.is_proven) AS reasons
    FROM (
        SELECT x.*, lag(x.until) OVER (ORDER BY x.since) AS previous_until
        FROM replicator.coverage x WHERE x.account = a.account
    ) c
) v ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.calls - m.deleted_calls), 0)::bigint AS live_calls
    FROM rollup.funnel_months_current m WHERE m.account = a.account
) c
CROSS JOIN LATERAL (
    -- Days that lie wholly within a proven stretch come from the roll-up, its first and last two days from the calls:
    -- whatever a time zone does to the edge of a day, it is less than a day.
    SELECT coalesce(sum(w.calls + e.calls), 0)::bigint AS proven_calls
    FROM (
        SELECT
            x.since,
            x.until,
            (x.since AT TIME ZONE r.time_zone)::date + 2 AS first_whole_day,
            (x.until AT TIME ZONE r.time_zone)::date - 2 AS last_whole_day
        FROM replicator.coverage x CROSS JOIN replicator.reporting r
        WHERE x.account = a.account AND x.is_proven
    ) x
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(d.calls - d.deleted_calls), 0) AS calls
        FROM rollup.funnel_agents_current d
        WHERE d.account = a.account AND d.day >= x.first_whole_day AND d.day <= x.last_whole_day
    ) w
    CROSS JOIN LATERAL (
        SELECT count(*) AS calls
        FROM (
            SELECT f.created_on, true AS is_beginning FROM rollup.facts f
            WHERE f.account = a.account AND NOT f.is_deleted AND f.created_at >= x.since AND f.created_at < x.until
                AND f.created_at < x.since + interval '4 days'
            UNION ALL
            SELECT f.created_on, false FROM rollup.facts f
            WHERE f.account = a.account AND NOT f.is_deleted AND f.created_at >= x.since AND f.created_at < x.until
                AND f.created_at >= x.until - interval '4 days'
        ) f
        WHERE CASE WHEN f.is_beginning THEN f.created_on < x.first_whole_day
            ELSE f.created_on > x.last_whole_day AND f.created_on >= x.first_whole_day END
    ) e
) p
LEFT JOIN LATERAL (
    SELECT x.started_at, x.finished_at, x.outcome, x.message
    FROM replicator.runs x WHERE x.account = a.account ORDER BY x.id DESC LIMIT 1
) r ON true;
