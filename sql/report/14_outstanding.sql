-- One row: what of the period is not final, by reason. A call can stand in several.
SELECT
    count(*) FILTER (WHERE created_on BETWEEN %(since)s AND %(today)s AND is_open AND NOT is_stale_open) AS open_calls,
    count(*) FILTER (WHERE created_on BETWEEN %(since)s AND %(today)s AND is_stale_open) AS stale_open_calls,
    count(*) FILTER (WHERE created_on BETWEEN %(since)s AND %(today)s AND is_terminal AND NOT is_settled) AS unsettled_calls,
    count(*) FILTER (WHERE created_on BETWEEN %(since)s AND %(today)s AND stage = 'unmapped') AS unmapped_calls,
    count(*) FILTER (WHERE created_on BETWEEN %(since)s AND %(today)s AND is_deleted) AS deleted_calls,
    count(*) FILTER (WHERE cost_on BETWEEN %(since)s AND %(today)s AND cost_state = 'pending') AS pending_cost_calls,
    count(*) FILTER (WHERE cost_on BETWEEN %(since)s AND %(today)s AND cost_state = 'implausible') AS implausible_cost_calls
FROM analytics.calls
WHERE account = %(account)s
    AND (created_on BETWEEN %(since)s AND %(today)s OR cost_on BETWEEN %(since)s AND %(today)s);
