-- analytics.rate_check_monthly
-- Grain: one row per month that the cost belongs to, account, rule of the rate card and what came of the check.
-- Key: account, period, rate_name, rate_state.
-- Units: calls, US dollars; months in the reporting time zone.
-- All measures add up over rows. It reads all calls of accounts that have a rate card.
CREATE OR REPLACE VIEW analytics.rate_check_monthly AS
SELECT
    account,
    period,
    rate_name,
    rate_state,
    count(*) AS calls,
    coalesce(sum(cost_usd), 0)::numeric(18, 6) AS cost_usd,
    coalesce(sum(expected_usd), 0)::numeric(18, 6) AS expected_usd,
    coalesce(sum(delta_usd), 0)::numeric(18, 6) AS delta_usd,
    reporting_time_zone
FROM analytics.rate_check
GROUP BY account, period, rate_name, rate_state, reporting_time_zone;
