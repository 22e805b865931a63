-- analytics.budgets
-- Grain: one row per budget of a month: what was spent, and what the month will cost.
-- Key: account, period, scope, scope_value.
-- Units: US dollars, calls; days and months in the reporting time zone.
-- The forecast is what is known, plus pending calls at the month's average cost of a call (while the month has no known one, at
-- that of the last seven complete days), plus for the rest of the month the average of those seven days (of fewer where the first
-- call is younger), in which pending calls count at the seven days' average cost of a call, too. Costs that were given up count
-- for nothing. Of a month that is over, nothing is left to come but what is pending; of one to come, all days are.
CREATE OR REPLACE VIEW analytics.budgets AS
SELECT
    b.account,
    b.month AS period,
    b.scope,
    b.scope_value,
    b.amount_usd::numeric(18, 6) AS budget_usd,
    s.spent_usd::numeric(18, 6) AS spent_usd,
    s.cost_pending_calls,
    w.usd_per_day::numeric(18, 6) AS recent_daily_usd,
    f.forecast_usd::numeric(18, 6) AS forecast_usd,
    (f.forecast_usd / b.amount_usd)::double precision AS forecast_share,
    CASE WHEN s.spent_usd > b.amount_usd THEN 'passed' WHEN f.forecast_usd > b.amount_usd THEN 'will_be_passed' ELSE 'within' END
        AS budget_state,
    m.first <= m.here::date AND m.here::date < m.next AS is_month_running,
    m.time_zone AS reporting_time_zone
FROM billing.budgets b
CROSS JOIN LATERAL (
    SELECT
        to_date(b.month, 'YYYY-MM') AS first,
        (to_date(b.month, 'YYYY-MM') + interval '1 month')::date AS next,
        now() AT TIME ZONE r.time_zone AS here,
        r.time_zone
    FROM replicator.reporting r
) m
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(d.cost_usd), 0) AS spent_usd,
        coalesce(sum(d.cost_pending_calls), 0)::bigint AS cost_pending_calls,
        sum(d.cost_usd) / nullif(sum(d.cost_known_calls), 0) AS usd_per_call
    FROM rollup.costs_current d
    WHERE d.account = b.account AND d.day >= m.first AND d.day < m.next
        AND CASE b.scope WHEN 'account' THEN true WHEN 'agent' THEN d.agent_id::text = b.scope_value
            ELSE d.campaign_id = b.scope_value END
) s
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(d.cost_usd) FILTER (WHERE d.day >= m.here::date - 7), 0) AS usd,
        coalesce(sum(d.cost_pending_calls) FILTER (WHERE d.day >= m.here::date - 7), 0) AS pending_calls,
        sum(d.cost_usd) FILTER (WHERE d.day >= m.here::date - 7)
            / nullif(sum(d.cost_known_calls) FILTER (WHERE d.day >= m.here::date - 7), 0) AS usd_per_call,
        greatest(1, least(7, m.here::date - coalesce(min(d.day), m.here::date))) AS days
    FROM rollup.costs_current d
    WHERE d.account = b.account AND d.day < m.here::date AND d.day > '-infinity' AND m.next > m.here::date
        AND CASE b.scope WHEN 'account' THEN true WHEN 'agent' THEN d.agent_id::text = b.scope_value
            ELSE d.campaign_id = b.scope_value END
) v
CROSS JOIN LATERAL (
    SELECT (v.usd + v.pending_calls * coalesce(v.usd_per_call, s.usd_per_call, 0)) / v.days AS usd_per_day
) w
CROSS JOIN LATERAL (
    SELECT s.spent_usd + s.cost_pending_calls * coalesce(s.usd_per_call, v.usd_per_call, 0)
        + w.usd_per_day * greatest(0, extract(epoch FROM m.next - greatest(m.here, m.first::timestamp)) / 86400) AS forecast_usd
) f;
