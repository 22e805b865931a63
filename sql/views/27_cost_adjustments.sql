-- analytics.cost_adjustments
-- Grain: one row per change of a call's cost that the replica saw. Units: US dollars, seconds; days in the reporting
-- time zone.
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

COMMENT ON VIEW analytics.cost_adjustments IS 'Grain: one row per change of a call''s cost that the replica saw. Key: change_id.';
COMMENT ON COLUMN analytics.cost_adjustments.change_id IS 'Number of the change, in the order in which they were seen.';
COMMENT ON COLUMN analytics.cost_adjustments.call_id IS 'The source''s id of the call.';
COMMENT ON COLUMN analytics.cost_adjustments.account IS 'The account.';
COMMENT ON COLUMN analytics.cost_adjustments.agent_id IS 'The agent that handled the call.';
COMMENT ON COLUMN analytics.cost_adjustments.campaign_id IS 'The campaign of the call, as in calls.';
COMMENT ON COLUMN analytics.cost_adjustments.direction IS 'Direction of the call.';
COMMENT ON COLUMN analytics.cost_adjustments.observed_at IS 'Instant of the request whose answer showed the new cost first.';
COMMENT ON COLUMN analytics.cost_adjustments.source_updated_at IS 'The source''s updated_at with the new cost.';
COMMENT ON COLUMN analytics.cost_adjustments.kind IS 'first_known, correction, withdrawn or implausible.';
COMMENT ON COLUMN analytics.cost_adjustments.old_cost_usd IS 'The cost before in US dollars; null is not known, or implausible.';
COMMENT ON COLUMN analytics.cost_adjustments.new_cost_usd IS 'The cost after in US dollars; null is not known, or implausible.';
COMMENT ON COLUMN analytics.cost_adjustments.delta_usd IS 'By how many US dollars the reports'' sums moved: the new cost minus the old one, unknown ones as nothing.';
COMMENT ON COLUMN analytics.cost_adjustments.ended_at IS 'Instant at which the call ended.';
COMMENT ON COLUMN analytics.cost_adjustments.after_end_seconds IS 'Seconds from the call''s end to observed_at; no finer than the sync''s cadence.';
COMMENT ON COLUMN analytics.cost_adjustments.is_after_settling IS 'The call had been over for longer than replicator.reporting.settle_hours: a report of it may have been sent.';
COMMENT ON COLUMN analytics.cost_adjustments.cost_on IS 'Day that the cost belongs to, as in calls, in the reporting time zone.';
COMMENT ON COLUMN analytics.cost_adjustments.cost_month_on IS 'First day of the month of cost_on, in the reporting time zone.';
COMMENT ON COLUMN analytics.cost_adjustments.reporting_time_zone IS 'Name of the time zone of the days.';
