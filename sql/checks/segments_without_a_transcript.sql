-- Calls that have segments but no transcript that was read.
-- Returns: call, number of segments.
SELECT s.call_id, count(*) AS segments
FROM truedy.transcript_segments s
WHERE NOT EXISTS (SELECT 1 FROM truedy.transcripts t WHERE t.call_id = s.call_id AND t.fetched_at IS NOT NULL)
GROUP BY s.call_id
