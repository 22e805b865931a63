-- One row: what of the period is not final, by reason. A call can stand in several.
-- Only what changes by the clock alone is counted from calls, the newest ones: a call that is open and not stale was
-- created, and one that is over and not settled has ended, so few hours ago.
WITH opened AS (
    SELECT count(*) AS open_calls
    FROM analytics.calls
    WHERE account = %(account)s AND created_on BETWEEN %(since)s AND %(today)s AND is_open AND NOT is_stale_open
        AND created_at >= (SELECT now() - make_interval(hours => stale_open_hours) FROM replicator.reporting)
), ended AS (
    SELECT count(*) AS unsettled_calls
    FROM analytics.calls
    WHERE account = %(account)s AND created_on BETWEEN %(since)s AND %(today)s AND is_terminal AND NOT is_settled
        AND coalesce(ended_at, created_at, '-infinity')
            >= (SELECT now() - make_interval(hours => settle_hours) FROM replicator.reporting)
), funnel AS (
    SELECT sum(stale_open_calls) AS stale_open_calls, sum(unmapped_calls) AS unmapped_calls, sum(deleted_calls) AS deleted_calls
    FROM analytics.status_funnel_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
), costs AS (
    SELECT sum(cost_pending_calls) AS pending_cost_calls, sum(cost_given_up_calls) AS given_up_cost_calls,
        sum(cost_implausible_calls) AS implausible_cost_calls
    FROM analytics.call_cost_daily
    WHERE account = %(account)s AND day BETWEEN %(since)s AND %(today)s
)
SELECT
    o.open_calls,
    coalesce(f.stale_open_calls, 0)::bigint AS stale_open_calls,
    e.unsettled_calls,
    coalesce(f.unmapped_calls, 0)::bigint AS unmapped_calls,
    coalesce(f.deleted_calls, 0)::bigint AS deleted_calls,
    coalesce(k.pending_cost_calls, 0)::bigint AS pending_cost_calls,
    coalesce(k.given_up_cost_calls, 0)::bigint AS given_up_cost_calls,
    coalesce(k.implausible_cost_calls, 0)::bigint AS implausible_cost_calls
FROM opened o CROSS JOIN ended e CROSS JOIN funnel f CROSS JOIN costs k;
