-- analytics.cost_adjustments_monthly
-- Grain: one row per month that the cost belongs to and account, where a cost changed: by how much.
-- Key: month_on, account.
-- Time: ended_at, else created_at.
-- Units: changes, calls, US dollars.
-- How far a month moved after it was first seen: adjustments are corrections and withdrawn costs; costs that
-- became known are apart. late_ is what moved after its call was settled. All but adjusted_calls adds up over rows.
-- It reads all changes.
CREATE OR REPLACE VIEW analytics.cost_adjustments_monthly AS
SELECT
    a.month_on,
    a.account,
    a.first_known_count,
    a.first_known_usd,
    a.late_first_known_count,
    a.late_first_known_usd,
    a.adjustment_count,
    a.adjusted_calls,
    a.up_usd,
    a.down_usd,
    a.net_usd,
    a.late_adjustment_count,
    a.late_up_usd,
    a.late_down_usd,
    a.late_net_usd,
    a.last_changed_at,
    r.time_zone AS reporting_time_zone
FROM (
    SELECT
        cost_month_on AS month_on,
        account,
        count(*) FILTER (WHERE kind = 'first_known') AS first_known_count,
        coalesce(sum(delta_usd) FILTER (WHERE kind = 'first_known'), 0)::numeric(18, 6) AS first_known_usd,
        count(*) FILTER (WHERE kind = 'first_known' AND is_after_settling) AS late_first_known_count,
        coalesce(sum(delta_usd) FILTER (WHERE kind = 'first_known' AND is_after_settling), 0)::numeric(18, 6)
            AS late_first_known_usd,
        count(*) FILTER (WHERE is_adjustment) AS adjustment_count,
        count(DISTINCT call_id) FILTER (WHERE is_adjustment) AS adjusted_calls,
        coalesce(sum(delta_usd) FILTER (WHERE is_adjustment AND delta_usd > 0), 0)::numeric(18, 6) AS up_usd,
        coalesce(sum(delta_usd) FILTER (WHERE is_adjustment AND delta_usd < 0), 0)::numeric(18, 6) AS down_usd,
        coalesce(sum(delta_usd) FILTER (WHERE is_adjustment), 0)::numeric(18, 6) AS net_usd,
        count(*) FILTER (WHERE is_late) AS late_adjustment_count,
        coalesce(sum(delta_usd) FILTER (WHERE is_late AND delta_usd > 0), 0)::numeric(18, 6) AS late_up_usd,
        coalesce(sum(delta_usd) FILTER (WHERE is_late AND delta_usd < 0), 0)::numeric(18, 6) AS late_down_usd,
        coalesce(sum(delta_usd) FILTER (WHERE is_late), 0)::numeric(18, 6) AS late_net_usd,
        max(observed_at) AS last_changed_at
    FROM (
        SELECT *, kind IN ('correction', 'withdrawn') AS is_adjustment,
            kind IN ('correction', 'withdrawn') AND is_after_settling AS is_late
        FROM analytics.cost_adjustments
    ) x
    GROUP BY 1, 2
) a
CROSS JOIN replicator.reporting r;
