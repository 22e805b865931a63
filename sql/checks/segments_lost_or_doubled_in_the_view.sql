-- analytics.transcript_segments must show as many segments as are stored.
-- Returns: both numbers.
SELECT stored, shown
FROM (SELECT count(*) AS stored FROM truedy.transcript_segments) s, (SELECT count(*) AS shown FROM analytics.transcript_segments) v
WHERE stored <> shown
