-- analytics.rate_check
-- Grain: one row per call of an account that has a rate card: what it should cost by its rule, and what it costs.
-- Key: call_id.
-- Units: seconds, US dollars; days and months in the reporting time zone.
-- The rule is the one that says most about the call: the longest prefix of the called number, then the agent, the campaign,
-- the direction; of equal ones the one that is valid since later, then by name. It has to be valid when the call started.
-- A call is charged for its seconds, at least the minimum, rounded up to whole increments. rate_state is
--     as_expected       the cost is the expected one to the fourth decimal
--     within_increment  the difference is at most the price of one increment
--     differs           it is more
--     pending           the cost is not known yet
--     given_up          the cost has not come for replicator.reporting.cost_give_up_days
--     implausible       the cost is a number that nobody charges, and is in no sum
--     not_charged       no cost is expected, and there is none
--     no_rate           no rule of the card is for this call
-- A filter on call_id reaches an index; without one it reads all calls of these accounts.
CREATE OR REPLACE VIEW analytics.rate_check AS
SELECT
    f.call_id,
    f.account,
    f.agent_id,
    f.campaign_id,
    f.direction,
    f.cost_on,
    to_char(f.cost_on, 'YYYY-MM') AS period,
    f.duration_seconds,
    k.name AS rate_name,
    k.minimum_seconds,
    k.increment_seconds,
    k.price_per_minute::numeric(18, 6) AS minute_price_usd,
    e.billed_seconds,
    e.expected_usd::numeric(18, 6) AS expected_usd,
    f.cost_usd,
    (f.cost_usd - e.expected_usd)::numeric(18, 6) AS delta_usd,
    CASE
        WHEN k.name IS NULL THEN 'no_rate'
        WHEN f.cost_state = 'not_expected' THEN 'not_charged'
        WHEN f.cost_state = 'implausible' THEN 'implausible'
        WHEN f.cost_state = 'pending' AND f.cost_given_up_at < now() THEN 'given_up'
        WHEN f.cost_usd IS NULL THEN 'pending'
        WHEN abs(f.cost_usd - e.expected_usd) <= 0.00005 THEN 'as_expected'
        WHEN abs(f.cost_usd - e.expected_usd) <= e.increment_usd + 0.00005 THEN 'within_increment'
        ELSE 'differs'
    END AS rate_state,
    f.reporting_time_zone
FROM rollup.facts f
JOIN truedy.calls c ON c.id = f.call_id
LEFT JOIN LATERAL (
    SELECT x.name, x.minimum_seconds, x.increment_seconds, x.price_per_minute
    FROM billing.rate_cards x
    WHERE x.account = f.account
        AND x.valid_from <= coalesce(f.started_at, f.created_at)
        AND (x.valid_until IS NULL OR coalesce(f.started_at, f.created_at) < x.valid_until)
        AND (x.direction IS NULL OR x.direction = f.direction)
        AND (x.agent_id IS NULL OR x.agent_id = f.agent_id)
        AND (x.campaign IS NULL OR x.campaign = f.campaign_id)
        AND (x.destination_prefix IS NULL
            OR starts_with(regexp_replace(regexp_replace(c.phone_number, '^\s*(\+|00)', ''), '[^0-9]', '', 'g'), x.destination_prefix))
    ORDER BY length(coalesce(x.destination_prefix, '')) DESC, (x.agent_id IS NOT NULL) DESC, (x.campaign IS NOT NULL) DESC,
        (x.direction IS NOT NULL) DESC, x.valid_from DESC, x.name
    LIMIT 1
) k ON true
LEFT JOIN LATERAL (
    SELECT
        b.billed_seconds,
        k.price_per_minute * b.billed_seconds / 60 AS expected_usd,
        k.price_per_minute * k.increment_seconds / 60 AS increment_usd
    FROM (SELECT CASE WHEN f.duration_seconds > 0 THEN
        (greatest(f.duration_seconds, k.minimum_seconds)::bigint + k.increment_seconds - 1) / k.increment_seconds * k.increment_seconds
        ELSE 0 END AS billed_seconds WHERE k.name IS NOT NULL) b
) e ON true
WHERE f.account IN (SELECT account FROM billing.rate_cards);
