-- analytics.update_delay
-- Grain: one row per account and age class of the renewal policy: how late, at the worst, a change of a call of this
-- age is seen, and how old the oldest look is now.
-- Key: account, class_number.
-- Units: seconds, calls, requests.
-- The source does not say what has changed, so a change of an old call is seen when its place in the list is read again.
-- How late is that at the worst (bound_seconds), and how old is the oldest look now (oldest_look_seconds)?
--
-- Renewal has a guaranteed tenth of the requests (SHARES in sync/engine/planner.py; 0.09 here: a little of what a lane is owed
-- fades), a page without its overlap is 96 calls, and younger classes are served first. With, for a class c and the
-- classes y that are younger,
--     r = list requests of one renewal, e = seconds between two by the policy
--     left  = 0.09 × requests a minute − Σy (60 × r / e)      what the younger ones leave
--     pass  = 60 × (rc + Σy r) / left                        seconds for one renewal, the younger ones in between
--     bound = ec + pass + 120                                the look, when it is due, the pass, a poll and a rate window
-- Where a pass takes longer than the policy's period, the class falls behind and pass counts twice: a stretch may have
-- become due right behind the reader. Null: nothing is left for the class while history is read, or the source has no
-- rate limit to compute with. It holds while a run goes on or polls at least every minute.
--
-- Usually much less is true: requests that nothing more valuable wants re-read what was compared longest ago, up to a
-- share of the budget (REPLICATOR_RENEWAL_SHARE). One pass over all calls, with 50 requests for what goes wrong, takes
--     credit_pass = 60 × (pages of all calls + 50) / (share × requests a minute)
-- and expected = the smaller of bound and credit_pass + 120. While history is read, nothing may be left for that.
-- sync/engine/freshness.py and credit.py compute the same, and a test compares them.
CREATE OR REPLACE VIEW analytics.update_delay AS
SELECT
    account,
    class_number,
    min_age_seconds,
    max_age_seconds,
    every_seconds AS renewed_every_seconds,
    calls,
    list_requests,
    needed_a_minute AS needed_requests_a_minute,
    left_a_minute AS available_requests_a_minute,
    bound_seconds,
    oldest_look_seconds,
    oldest_look_seconds <= bound_seconds AS is_within_bound,
    credit_pass_seconds,
    -- least() leaves null out: where one of them is not known, the other is what is expected.
    least(bound_seconds, credit_pass_seconds + 120) AS expected_seconds
FROM (
    SELECT
        w.*,
        CASE WHEN pass_seconds <= every_seconds THEN every_seconds + pass_seconds + 120
            ELSE every_seconds + 2 * pass_seconds + 120 END AS bound_seconds
    FROM (
        SELECT n.*, CASE WHEN left_a_minute > 0 THEN 60 * requests_up_to_here / left_a_minute END AS pass_seconds
        FROM (
            SELECT
                q.*,
                -- greatest() would take null, no limit, for nothing.
                CASE WHEN requests_per_minute IS NOT NULL
                    THEN greatest(0.09 * requests_per_minute - coalesce(sum(needed_a_minute) OVER younger, 0), 0)
                END AS left_a_minute,
                (list_requests + coalesce(sum(list_requests) OVER younger, 0))::double precision AS requests_up_to_here
            FROM (
                SELECT
                    k.account,
                    k.class_number,
                    k.min_age_seconds,
                    k.max_age_seconds,
                    k.every_seconds,
                    s.requests_per_minute,
                    CASE WHEN s.renewal_share * s.requests_per_minute > 0 THEN 60 * (
                        (sum(c.calls) OVER (PARTITION BY k.account) + 95)::bigint / 96 + 50
                    ) / (s.renewal_share * s.requests_per_minute) END AS credit_pass_seconds,
                    c.calls,
                    (c.calls + 95) / 96 AS list_requests,
                    60 * ((c.calls + 95) / 96) / k.every_seconds AS needed_a_minute,
                    (SELECT extract(epoch FROM now() - min(v.verified_at))::double precision
                        FROM replicator.coverage v
                        WHERE v.account = k.account AND v.since < b.until AND v.until > b.since) AS oldest_look_seconds
                FROM replicator.renewal_classes k
                LEFT JOIN replicator.source_state s ON s.account = k.account
                CROSS JOIN LATERAL (SELECT
                    coalesce(now() - make_interval(secs => k.max_age_seconds), '-infinity') AS since,
                    -- A call that seems to be created after now has no age yet: it is of the youngest class.
                    CASE WHEN k.min_age_seconds > 0 THEN now() - make_interval(secs => k.min_age_seconds)
                        ELSE 'infinity' END AS until
                ) b
                CROSS JOIN LATERAL (
                    SELECT count(*) AS calls FROM truedy.calls x
                    WHERE x.account = k.account AND x.deleted_at IS NULL AND x.created_at >= b.since AND x.created_at < b.until
                ) c
            ) q
            WINDOW younger AS (
                PARTITION BY account ORDER BY class_number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            )
        ) n
    ) w
) p;
