-- analytics.call_cost_all_parties
-- Grain: one row per call: what the vendor says that it costs, and what the carriers' statements bill for it.
-- Key: call_id.
-- Units: US dollars; days in the reporting time zone.
-- A carrier's line counts once, with the call that it was matched with; lines in another currency and lines that bill a
-- call again do not count. A filter on call_id or cost_on reaches an index; without one it reads all calls.
CREATE OR REPLACE VIEW analytics.call_cost_all_parties AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.campaign_id,
    f.direction,
    f.cost_on,
    f.duration_seconds,
    CASE WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up' ELSE f.cost_state END AS cost_state,
    f.cost_usd,
    p.carrier_usd::numeric(18, 6) AS carrier_usd,
    (coalesce(f.cost_usd, 0) + coalesce(p.carrier_usd, 0))::numeric(18, 6) AS all_parties_usd,
    p.carriers,
    f.reporting_time_zone
FROM rollup.facts f
LEFT JOIN LATERAL (
    SELECT sum(i.theirs_usd) AS carrier_usd, string_agg(DISTINCT m.party, ', ' ORDER BY m.party) AS carriers
    FROM billing.items i
    JOIN billing.matchings m ON m.id = i.matching AND m.superseded_at IS NULL
    WHERE i.call_id = f.call_id AND m.account = f.account AND m.party <> 'vendor' AND i.line IS NOT NULL
        AND i.class NOT IN ('duplicate_line', 'other_currency', 'not_a_call')
) p ON true;
