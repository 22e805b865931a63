-- Calls in a stage that the funnel has no column for. An unknown status is none: it has the column unmapped_calls.
-- Returns: stage, number of calls.
SELECT stage, count(*) AS calls
FROM analytics.calls
WHERE stage NOT IN ('open', 'answered', 'machine', 'not_answered', 'busy', 'not_placed', 'cancelled', 'unmapped')
GROUP BY stage
