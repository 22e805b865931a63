-- Calls by the stages that most reports count.
count(*) FILTER (WHERE stage NOT IN ('open', 'unmapped')) AS terminal_calls,
count(*) FILTER (WHERE stage IN ('answered', 'machine', 'not_answered', 'busy')) AS placed_calls,
count(*) FILTER (WHERE stage = 'answered') AS answered_calls,
count(*) FILTER (WHERE stage = 'machine') AS machine_calls,
