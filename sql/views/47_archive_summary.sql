-- analytics.archive_summary
-- Grain: one row per account: how many of its recordings are stored, wait, or are given up.
-- Key: account.
-- Units: bytes.
-- Each column is counted by itself, so a query pays for those only that it names.
CREATE OR REPLACE VIEW analytics.archive_summary AS
SELECT
    s.account,
    (SELECT count(*) FROM archive.objects o WHERE o.account = s.account AND o.state = 'stored') AS stored_recordings,
    (SELECT coalesce(sum(o.bytes), 0)::bigint FROM archive.objects o WHERE o.account = s.account AND o.state = 'stored')
        AS stored_bytes,
    (SELECT count(*) FROM archive.objects o WHERE o.account = s.account AND o.state = 'pending') AS waiting_recordings,
    (SELECT count(*) FROM archive.objects o WHERE o.account = s.account AND o.state = 'pending'
        AND o.deadline_at > now() AND o.deadline_at <= now() + interval '2 days') AS near_deadline_recordings,
    (SELECT count(*) FROM archive.objects o WHERE o.account = s.account AND o.state = 'pending' AND o.deadline_at <= now())
        AS past_deadline_recordings,
    (SELECT count(*) FROM archive.objects o WHERE o.account = s.account AND o.state = 'missing') AS missing_recordings,
    (SELECT count(*) FROM archive.objects o WHERE o.account = s.account AND o.state = 'refused') AS refused_recordings,
    (SELECT min(o.deadline_at) FROM archive.objects o WHERE o.account = s.account AND o.state = 'pending'
        AND o.deadline_at > now()) AS next_deadline_at
FROM replicator.source_state s;
