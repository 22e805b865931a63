-- One row: does a writer hold the account's lease, and how old is the last look at the newest end of the list?
SELECT
    EXISTS (SELECT FROM replicator.lease l WHERE l.account = %(account)s AND l.expires_at > clock_timestamp()) AS is_lease_held,
    (SELECT extract(epoch FROM now() - s.head_at)::double precision
        FROM replicator.source_state s WHERE s.account = %(account)s) AS lag_seconds;
