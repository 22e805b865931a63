-- analytics.reconciliation_bridge
-- Grain: one row per month, party and step, from our sum to the statement's total, of the newest matching.
-- Key: account, party, period, step_number.
-- Units: US dollars.
-- our_sum, lines_sum and statement_total are sums; the amounts of all other steps are differences, and running_usd is the
-- sum after each. They add up exactly; what is left within the tolerances is the step residue.
CREATE OR REPLACE VIEW analytics.reconciliation_bridge AS
SELECT
    m.account,
    m.party,
    m.period,
    b.position AS step_number,
    b.step,
    b.items,
    b.amount_usd::numeric(18, 6) AS amount_usd,
    b.running_usd::numeric(18, 6) AS running_usd,
    b.step IN ('our_sum', 'lines_sum', 'statement_total') AS is_sum,
    m.period = max(m.period) OVER (PARTITION BY m.account, m.party) AS is_newest_period,
    m.made_at AS matched_at
FROM billing.matchings m
JOIN billing.bridge_steps b ON b.matching = m.id
WHERE m.superseded_at IS NULL;
