-- One row: does a writer hold the account's lease, how old is the last look at the newest end of the list, how many budgets
-- that run were passed or will be, and how many recordings does the vendor delete within two days that are not stored yet?
SELECT
    EXISTS (SELECT FROM replicator.lease l WHERE l.account = %(account)s AND l.expires_at > clock_timestamp()) AS is_lease_held,
    (SELECT extract(epoch FROM now() - s.head_at)::double precision
        FROM replicator.source_state s WHERE s.account = %(account)s) AS lag_seconds,
    coalesce((SELECT a.near_deadline_recordings FROM analytics.archive_summary a WHERE a.account = %(account)s), 0)
        AS near_deadline_recordings,
    (SELECT count(*) FROM analytics.budgets b
        WHERE b.account = %(account)s AND b.is_month_running AND b.budget_state <> 'within') AS budgets_exceeded;
