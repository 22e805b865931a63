-- The call f was created on the day b, a row of rollup.day_bounds: the bounds are for an index, the day itself decides.
AND coalesce(f.created_at, '-infinity') >= b.since
AND coalesce(f.created_at, '-infinity') < b.until
AND coalesce(f.created_on, '-infinity') = b.day
