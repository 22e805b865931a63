-- analytics.erasures
-- Grain: one row per erasure or disposal that was asked for.
-- Key: erasure_id.
-- Units: calls.
-- No personal data: neither numbers nor calls are named, nor the text of the reason. An erasure that is not finished was
-- broken off; the same command does the rest.
CREATE OR REPLACE VIEW analytics.erasures AS
SELECT
    e.id AS erasure_id,
    e.account,
    e.kind AS erasure_kind,
    e.asked_at AS requested_at,
    e.finished_at,
    e.finished_at IS NOT NULL AS is_finished,
    e.numbers AS numbers_asked,
    count(c.call_id) AS calls_decided,
    count(c.call_id) FILTER (WHERE c.decision <> 'keep') AS calls_removed,
    count(c.call_id) FILTER (WHERE c.reason = 'held') AS calls_held,
    count(c.call_id) FILTER (WHERE c.reason = 'statutory_retention') AS calls_kept_by_law,
    count(c.call_id) FILTER (WHERE c.found_by = 'mention') AS calls_mentioning
FROM archive.erasures e
LEFT JOIN archive.erasure_calls c ON c.erasure_id = e.id
GROUP BY e.id;
