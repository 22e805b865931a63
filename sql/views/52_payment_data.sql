-- analytics.payment_data
-- Grain: one row per call in which payment data was found, with the state of its recording: what was said is in the audio, too.
-- Key: call_id.
-- Units: findings; days in the reporting time zone.
-- A card number that is spread over several segments is a finding in each of them. No digit is stored or shown.
-- A filter on call_id reaches an index; without one it reads all findings.
CREATE OR REPLACE VIEW analytics.payment_data AS
SELECT
    c.id AS call_id,
    c.account,
    c.agent_id,
    c.direction,
    f.card_number_findings,
    f.security_code_findings,
    f.expiry_findings,
    f.payment_places,
    f.payment_rules,
    f.is_removed,
    f.found_at,
    coalesce(g.state, 'not_expected') AS recording_state,
    o.state AS object_state,
    c.created_at,
    (c.created_at AT TIME ZONE z.time_zone)::date AS created_on,
    z.time_zone AS reporting_time_zone
FROM (
    SELECT
        call_id,
        count(*) FILTER (WHERE kind = 'card_number') AS card_number_findings,
        count(*) FILTER (WHERE kind = 'security_code') AS security_code_findings,
        count(*) FILTER (WHERE kind = 'expiry') AS expiry_findings,
        string_agg(DISTINCT place, ', ' ORDER BY place) AS payment_places,
        string_agg(DISTINCT rule, ', ' ORDER BY rule) AS payment_rules,
        bool_and(end_offset = 0) AS is_removed,
        max(found_at) AS found_at
    FROM archive.payment_findings
    GROUP BY call_id
) f
JOIN truedy.calls c ON c.id = f.call_id
CROSS JOIN replicator.reporting z
LEFT JOIN truedy.recordings g ON g.call_id = c.id
LEFT JOIN archive.objects o ON o.account = c.account AND o.call_id = c.id AND o.kind = 'recording';
