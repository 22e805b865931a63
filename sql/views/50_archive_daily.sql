-- analytics.archive_daily
-- Grain: one row per account with an archive and day: what the archive holds of the day's calls, and what it lacks.
-- Key: account, day.
-- Time: created_at.
-- Units: calls, recordings, bytes, seconds; days in the reporting time zone.
-- Accounts whose archive was never on have no rows. A recording is expected where the source gave a link or the archive
-- queued it: expected = stored + waiting + missing + refused + removed.
-- It reads all calls of the accounts that have an archive, and their sealed records.
CREATE OR REPLACE VIEW analytics.archive_daily AS
SELECT
    k.account,
    k.day,
    k.calls,
    k.sealed_calls,
    k.expected_recordings,
    k.stored_recordings,
    k.waiting_recordings,
    k.missing_recordings,
    k.refused_recordings,
    k.removed_recordings,
    k.stored_bytes,
    k.transcript_calls,
    k.disclosure_calls,
    k.payment_calls,
    k.payment_findings,
    v.gap_seconds,
    k.reporting_time_zone
FROM (
    SELECT
        c.account,
        (c.created_at AT TIME ZONE z.time_zone)::date AS day,
        z.time_zone AS reporting_time_zone,
        count(*) AS calls,
        count(r.subject) AS sealed_calls,
        count(*) FILTER (WHERE o.state IS NOT NULL OR g.state = 'present') AS expected_recordings,
        count(*) FILTER (WHERE o.state = 'stored') AS stored_recordings,
        count(*) FILTER (WHERE o.state = 'pending' OR o.state IS NULL AND g.state = 'present') AS waiting_recordings,
        count(*) FILTER (WHERE o.state = 'missing') AS missing_recordings,
        count(*) FILTER (WHERE o.state = 'refused') AS refused_recordings,
        count(*) FILTER (WHERE o.state IN ('erased', 'disposed')) AS removed_recordings,
        coalesce(sum(o.bytes) FILTER (WHERE o.state = 'stored'), 0)::bigint AS stored_bytes,
        count(*) FILTER (WHERE t.segment_count > 0) AS transcript_calls,
        count(d.call_id) AS disclosure_calls,
        count(f.call_id) AS payment_calls,
        coalesce(sum(f.findings), 0)::bigint AS payment_findings
    FROM truedy.calls c
    JOIN archive.chains a ON a.account = c.account
    CROSS JOIN replicator.reporting z
    LEFT JOIN truedy.transcripts t ON t.call_id = c.id
    LEFT JOIN truedy.recordings g ON g.call_id = c.id
    LEFT JOIN archive.objects o ON o.account = c.account AND o.call_id = c.id AND o.kind = 'recording'
    LEFT JOIN archive.disclosures d ON d.call_id = c.id
    LEFT JOIN (SELECT call_id, count(*) AS findings FROM archive.payment_findings GROUP BY call_id) f ON f.call_id = c.id
    LEFT JOIN (SELECT account, subject FROM archive.records WHERE kind = 'call' GROUP BY account, subject) r
        ON r.account = c.account AND r.subject = c.id
    GROUP BY c.account, 2, z.time_zone
) k
CROSS JOIN LATERAL (
    SELECT greatest(extract(epoch FROM least(b.ends_at, now()) - b.begins_at) - coalesce((
        SELECT sum(extract(epoch FROM least(x.until, b.ends_at, now()) - greatest(x.since, b.begins_at)))
        FROM replicator.coverage x
        WHERE x.account = k.account AND x.is_proven AND x.since < least(b.ends_at, now()) AND x.until > b.begins_at
    ), 0), 0)::double precision AS gap_seconds
    FROM (SELECT
        k.day::timestamp AT TIME ZONE k.reporting_time_zone AS begins_at,
        (k.day + 1)::timestamp AT TIME ZONE k.reporting_time_zone AS ends_at
    ) b
) v;
