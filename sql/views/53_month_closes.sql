-- analytics.month_closes
-- Grain: one row per close of a month; a month that was closed again has several.
-- Key: account, period, close_number.
-- Units: US dollars.
-- A close is never changed: what changed after it is in month_close_changes, and here as a sum. Who closed it and why, in
-- that person's words, is in no report: `replicator reconcile show` says it.
CREATE OR REPLACE VIEW analytics.month_closes AS
SELECT
    e.account,
    e.period,
    e.number AS close_number,
    e.number = max(e.number) OVER (PARTITION BY e.account, e.period) AS is_newest,
    e.closed_at,
    array_to_string(e.doubts, '; ') AS doubts,
    e.calls,
    e.pending_calls,
    e.our_sum_usd::numeric(18, 6) AS our_sum_usd,
    e.statement_usd::numeric(18, 6) AS statement_usd,
    coalesce(h.changes, 0) AS late_changes,
    coalesce(h.changes_usd, 0)::numeric(18, 6) AS late_changes_usd,
    (e.our_sum_usd + coalesce(h.changes_usd, 0))::numeric(18, 6) AS present_sum_usd,
    e.sha256,
    e.time_zone AS reporting_time_zone
FROM billing.closes e
LEFT JOIN (
    SELECT account, period, close_number, count(*) AS changes, sum(delta_usd) AS changes_usd
    FROM analytics.month_close_changes
    GROUP BY account, period, close_number
) h ON h.account = e.account AND h.period = e.period AND h.close_number = e.number;
