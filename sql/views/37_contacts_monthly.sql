-- analytics.contacts_monthly
-- Grain: one row per month of creation and account with outbound calls. Units: calls, contacts (different numbers
-- called); rates are 0 to 1.
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
            AND coalesce(f.created_at, '-infinity') >= b.since
            AND coalesce(f.created_at, '-infinity') < b.until
            AND coalesce(f.created_on, '-infinity') = b.day
        OFFSET 0
    ) p
    GROUP BY 1, 2
) c
CROSS JOIN replicator.reporting r;

COMMENT ON VIEW analytics.contacts_monthly IS 'Grain: one row per month of creation and account with outbound calls: contacts called and reached. Key: month_on, account.';
COMMENT ON COLUMN analytics.contacts_monthly.month_on IS 'First day of the month in which the calls were created, in the reporting time zone.';
COMMENT ON COLUMN analytics.contacts_monthly.account IS 'The account.';
COMMENT ON COLUMN analytics.contacts_monthly.calls IS 'Number of outbound calls.';
COMMENT ON COLUMN analytics.contacts_monthly.unknown_party_calls IS 'Number of those without a number, or with a word for a withheld one: they are of no contact.';
COMMENT ON COLUMN analytics.contacts_monthly.party_calls IS 'Number of those with a number: the numerator of calls_per_contact.';
COMMENT ON COLUMN analytics.contacts_monthly.contacts IS 'Number of different numbers called: the denominator of calls_per_contact. Does not add up over rows.';
COMMENT ON COLUMN analytics.contacts_monthly.tried_contacts IS 'Number of those with at least one call that is over with a known status: the denominator of reach_rate.';
COMMENT ON COLUMN analytics.contacts_monthly.reached_contacts IS 'Number of those with at least one conversation: the numerator of reach_rate.';
COMMENT ON COLUMN analytics.contacts_monthly.calls_per_contact IS 'party_calls over contacts; null where no number is known.';
COMMENT ON COLUMN analytics.contacts_monthly.reach_rate IS 'reached_contacts over tried_contacts, 0 to 1; a contact whose calls are all open is not in it.';
COMMENT ON COLUMN analytics.contacts_monthly.reporting_time_zone IS 'Name of the time zone of the days.';
