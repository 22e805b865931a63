-- analytics.call_numbers
-- Grain: one row per call. The numbers as received: personal data.
-- Key: call_id.
-- Units: none; numbers are texts as received.
-- The phone numbers themselves: personal data. For joins use other_party_key and our_number_key of analytics.calls.
-- Grant: auditor
CREATE OR REPLACE VIEW analytics.call_numbers AS
SELECT
    c.id AS call_id,
    c.account,
    c.direction,
    c.phone_number,
    c.from_number,
    CASE c.direction WHEN 'outbound' THEN c.phone_number WHEN 'inbound' THEN c.from_number END AS other_party,
    CASE c.direction WHEN 'outbound' THEN c.from_number WHEN 'inbound' THEN c.phone_number END AS our_number
FROM truedy.calls c;
