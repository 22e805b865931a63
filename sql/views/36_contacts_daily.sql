-- analytics.contacts_daily
-- Grain: one row per day and account with outbound calls: contacts called and reached.
-- Key: day, account.
-- Time: created_at.
-- Units: calls, contacts (different numbers called); rates are 0 to 1.
-- Contacts of several days do not add up: whoever is called on two days is one contact of each. A month is in
-- contacts_monthly. Several people can share a number, and one have several.
-- A filter on the day reads that day's calls only; without one it reads all.
CREATE OR REPLACE VIEW analytics.contacts_daily AS
SELECT
    nullif(b.day, '-infinity') AS day,
    b.account,
    c.calls,
    c.calls - c.party_calls AS unknown_party_calls,
    c.party_calls,
    c.contacts,
    c.tried_contacts,
    c.reached_contacts,
    c.party_calls::double precision / nullif(c.contacts, 0) AS calls_per_contact,
    c.reached_contacts::double precision / nullif(c.tried_contacts, 0) AS reach_rate,
    r.time_zone AS reporting_time_zone
FROM rollup.day_bounds b
CROSS JOIN replicator.reporting r
CROSS JOIN LATERAL (
    SELECT
        count(*) AS calls,
        count(p.party) AS party_calls,
        count(DISTINCT p.party) AS contacts,
        count(DISTINCT p.party) FILTER (WHERE f.stage NOT IN ('open', 'unmapped')) AS tried_contacts,
        count(DISTINCT p.party) FILTER (WHERE f.is_conversation) AS reached_contacts
    FROM rollup.facts f
    CROSS JOIN LATERAL (SELECT CASE WHEN f.is_party_known THEN f.other_party END AS party) p
    WHERE f.account = b.account AND f.direction = 'outbound'
        {created_that_day}
) c
WHERE c.calls > 0;
