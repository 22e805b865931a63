-- analytics.call_numbers
-- Grain: one row per call. Units: none; numbers are texts as received.
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

COMMENT ON VIEW analytics.call_numbers IS 'Grain: one row per call. The numbers as received: personal data. Key: call_id.';
COMMENT ON COLUMN analytics.call_numbers.call_id IS 'The call.';
COMMENT ON COLUMN analytics.call_numbers.account IS 'The account of the call.';
COMMENT ON COLUMN analytics.call_numbers.direction IS 'Direction of the call, as in calls.';
COMMENT ON COLUMN analytics.call_numbers.phone_number IS 'The number that was called, as received: it may be an address or a word instead of a number.';
COMMENT ON COLUMN analytics.call_numbers.from_number IS 'The number that the call came from, as received.';
COMMENT ON COLUMN analytics.call_numbers.other_party IS 'The other party''s number: the called one outbound, the caller inbound, null for other directions.';
COMMENT ON COLUMN analytics.call_numbers.our_number IS 'Our number: the caller outbound, the called one inbound, null for other directions.';
