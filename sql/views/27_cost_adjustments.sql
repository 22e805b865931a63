-- analytics.cost_adjustments
-- Grain: one row per change of a call's cost that the replica saw.
-- Key: change_id.
-- Units: US dollars, seconds; days in the reporting time zone.
--     first_known   the cost came: most calls have one, or none where it was there at first sight
--     correction    a known cost became another one
--     withdrawn     a known cost became null
--     implausible   neither is below 1,000,000 US dollars (reports leave both out)
-- delta_usd is by how much the reports' sums moved, so a call's cost is its first one plus its deltas. Changes between
-- two looks were not seen.
-- A filter on call_id reaches an index; without one it reads all changes.
CREATE OR REPLACE VIEW analytics.cost_adjustments AS
SELECT
    x.id AS change_id,
    f.call_id,
    f.account,
    f.agent_id,
    f.campaign_id,
    f.direction,
    x.observed_at,
    x.updated_at AS source_updated_at,
    CASE
        WHEN a.old_usd IS NULL AND a.new_usd IS NULL THEN 'implausible'
        WHEN a.old_usd IS NULL THEN 'first_known'
        WHEN a.new_usd IS NULL THEN 'withdrawn'
        ELSE 'correction'
    END AS kind,
    a.old_usd AS old_cost_usd,
    a.new_usd AS new_cost_usd,
    (coalesce(a.new_usd, 0) - coalesce(a.old_usd, 0))::numeric(18, 6) AS delta_usd,
    f.ended_at,
    extract(epoch FROM x.observed_at - f.ended_at)::double precision AS after_end_seconds,
    coalesce(x.observed_at > f.settles_at, false) AS is_after_settling,
    f.cost_on,
    date_trunc('month', f.cost_on::timestamp)::date AS cost_month_on,
    f.reporting_time_zone
FROM replicator.cost_changes x
JOIN rollup.facts f ON f.call_id = x.call_id
CROSS JOIN LATERAL (SELECT
    (CASE WHEN abs(x.old_usd) < 1000000 THEN x.old_usd END)::numeric(18, 6) AS old_usd,
    (CASE WHEN abs(x.new_usd) < 1000000 THEN x.new_usd END)::numeric(18, 6) AS new_usd
) a;
