-- Transcripts whose segment_count is not the number of the segments stored, or whose positions are not 0, 1, 2, ….
-- Returns: call, segment_count, how many segments are stored, the highest position.
SELECT t.call_id, t.segment_count, coalesce(s.stored, 0) AS stored, s.highest
FROM truedy.transcripts t
LEFT JOIN (SELECT call_id, count(*) AS stored, min(position) AS lowest, max(position) AS highest
    FROM truedy.transcript_segments GROUP BY call_id) s ON s.call_id = t.call_id
WHERE coalesce(t.segment_count, 0) <> coalesce(s.stored, 0) OR s.lowest <> 0 OR s.highest <> s.stored - 1
