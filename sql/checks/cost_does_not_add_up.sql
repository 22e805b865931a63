-- The days' costs add up to the calls' costs, as do the numbers of calls; and what is known, pending, not expected and
-- implausible to the calls of each row.
-- Returns: what does not add up, the parts, the whole.
SELECT 'US dollars' AS what, parts, whole
FROM (SELECT coalesce(sum(cost_usd), 0) AS parts FROM analytics.call_cost_daily) d,
    (SELECT coalesce(sum(cost_usd) FILTER (WHERE abs(cost_usd) < 1000000), 0) AS whole FROM truedy.calls) c
WHERE parts <> whole
UNION ALL
SELECT 'calls', parts, whole
FROM (SELECT coalesce(sum(calls), 0) AS parts FROM analytics.call_cost_daily) d, (SELECT count(*) AS whole FROM truedy.calls) c
WHERE parts <> whole
UNION ALL
SELECT 'states of a row', cost_known_calls + cost_pending_calls + cost_given_up_calls + cost_not_expected_calls + cost_implausible_calls, calls
FROM analytics.call_cost_daily
WHERE cost_known_calls + cost_pending_calls + cost_given_up_calls + cost_not_expected_calls + cost_implausible_calls <> calls
