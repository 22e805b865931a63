-- Costs that the views leave out (1,000,000 US dollars or more) or round (finer than six decimals).
-- Returns: call, cost.
SELECT id AS call_id, cost_usd
FROM truedy.calls
WHERE abs(cost_usd) >= 1000000 OR cost_usd <> round(cost_usd, 6)
