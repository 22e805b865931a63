-- analytics.contacts_monthly
-- Grain: one row per month and account with outbound calls: contacts called and reached.
-- Key: month_on, account.
-- Time: created_at.
-- Units: calls, contacts (different numbers called); rates are 0 to 1.
-- As contacts_daily, a contact of several days counted once. Contacts of several months do not add up.
-- A filter on month_on reads that month's calls only; without one it reads all.
CREATE OR REPLACE VIEW analytics.contacts_monthly AS
SELECT
    c.month_on,
    c.account,
    c.calls,
    c.calls - c.party_calls AS unknown_party_calls,
    c.party_calls,
    c.contacts,
    c.tried_contacts,
    c.reached_contacts,
    c.party_calls::double precision / nullif(c.contacts, 0) AS calls_per_contact,
    c.reached_contacts::double precision / nullif(c.tried_contacts, 0) AS reach_rate,
    r.time_zone AS reporting_time_zone
FROM (
    SELECT
        date_trunc('month', nullif(b.day, '-infinity')::timestamp)::date AS month_on,
        b.account,
        count(*) AS calls,
        count(p.party) AS party_calls,
        count(DISTINCT p.party) AS contacts,
        count(DISTINCT p.party) FILTER (WHERE p.is_tried) AS tried_contacts,
        count(DISTINCT p.party) FILTER (WHERE p.is_conversation) AS reached_contacts
    FROM rollup.day_bounds b
    CROSS JOIN LATERAL (
        -- OFFSET 0: day by day, by an index.
        SELECT CASE WHEN f.is_party_known THEN f.other_party END AS party,
            f.stage NOT IN ('open', 'unmapped') AS is_tried, f.is_conversation
        FROM rollup.facts f
        WHERE f.account = b.account AND f.direction = 'outbound'
            {created_that_day}
        OFFSET 0
    ) p
    GROUP BY 1, 2
) c
CROSS JOIN replicator.reporting r;
