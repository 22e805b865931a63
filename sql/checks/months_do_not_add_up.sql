-- Months and totals are of the same calls and the same dollars as the days.
-- Returns: what does not add up, the parts, the whole.
SELECT 'US dollars of months' AS what, parts, whole
FROM (SELECT coalesce(sum(cost_usd), 0) AS parts FROM analytics.call_cost_monthly) m,
    (SELECT coalesce(sum(cost_usd), 0) AS whole FROM analytics.call_cost_daily) d
WHERE parts <> whole
UNION ALL
SELECT 'calls of months', parts, whole
FROM (SELECT coalesce(sum(calls), 0) AS parts FROM analytics.call_cost_monthly) m,
    (SELECT coalesce(sum(calls), 0) AS whole FROM analytics.call_cost_daily) d
WHERE parts <> whole
UNION ALL
SELECT 'calls of the funnel''s total', parts, whole
FROM (SELECT coalesce(sum(calls), 0) AS parts FROM analytics.status_funnel_total) t,
    (SELECT coalesce(sum(calls), 0) AS whole FROM analytics.status_funnel_daily) d
WHERE parts <> whole
UNION ALL
SELECT 'calls of campaigns', parts, whole
FROM (SELECT coalesce(sum(calls), 0) AS parts FROM analytics.campaign_summary) c,
    (SELECT coalesce(sum(calls), 0) AS whole FROM analytics.status_funnel_daily) d
WHERE parts <> whole
