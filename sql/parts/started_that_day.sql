-- The call f was started on the day b, or created where it has no start; bounds as in created_that_day.
AND coalesce(f.started_at, f.created_at, '-infinity') >= b.since
AND coalesce(f.started_at, f.created_at, '-infinity') < b.until
AND coalesce(f.started_on, '-infinity') = b.day
