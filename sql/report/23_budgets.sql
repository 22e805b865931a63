-- One row per budget of this month and of those to come: what was spent, what the month will cost, and whether that is too much.
SELECT period, scope, scope_value, budget_usd, spent_usd, forecast_usd, budget_state AS state
FROM analytics.budgets
WHERE account = %(account)s AND period >= to_char(now() AT TIME ZONE reporting_time_zone, 'YYYY-MM')
ORDER BY period, scope, scope_value
LIMIT %(most)s;
