-- What is shown of a call that lacks its transcript or recording. t is the table that says why, f the call.
f.call_id,
f.account,
f.agent_id,
f.direction,
f.stage,
f.is_conversation,
f.is_deleted,
f.created_at,
f.created_on,
f.ended_at,
f.duration_seconds,
t.state,
CASE t.state
    WHEN 'present' THEN 'it is there, and empty'
    WHEN 'pending' THEN CASE WHEN t.asked_at IS NULL THEN 'not asked for yet'
        WHEN t.due_at <= now() THEN 'not there when it was last asked for; to be asked for again now'
        ELSE 'not there when it was last asked for; to be asked for again' END
    WHEN 'absent_final' THEN 'the source had none until the deadline'
    WHEN 'denied' THEN CASE WHEN t.last_error = 'erased' THEN 'erased' ELSE 'the source refuses it' END
    WHEN 'gave_up' THEN 'the source failed until the deadline'
END AS why,
extract(epoch FROM now() - coalesce(f.ended_at, f.created_at))::double precision AS age_seconds,
t.attempts,
t.asked_at,
t.due_at,
t.deadline_at,
f.reporting_time_zone
