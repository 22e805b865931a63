-- analytics.reconciliation_summary
-- Grain: one row per month, party and class of the newest matching.
-- Key: account, party, period, class.
-- Units: US dollars.
-- The differences add up to the statement's lines minus our sum. open_usd counts each difference without its sign, so that
-- a charge too much and one too little do not hide each other.
CREATE OR REPLACE VIEW analytics.reconciliation_summary AS
SELECT
    account,
    party,
    period,
    class,
    count(*) AS items,
    sum(ours_usd)::numeric(18, 6) AS ours_usd,
    sum(theirs_usd)::numeric(18, 6) AS theirs_usd,
    sum(delta_usd)::numeric(18, 6) AS delta_usd,
    count(*) FILTER (WHERE is_open AND NOT is_accepted) AS open_items,
    coalesce(sum(abs(delta_usd)) FILTER (WHERE is_open AND NOT is_accepted), 0)::numeric(18, 6) AS open_usd,
    count(*) FILTER (WHERE is_accepted) AS accepted_items,
    matched_at
FROM analytics.reconciliation_items
GROUP BY account, party, period, class, matched_at;
