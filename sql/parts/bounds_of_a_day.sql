-- The account and day of d, and bounds in which every instant of that day lies. r is replicator.reporting.
d.account,
d.day,
CASE WHEN d.day = '-infinity' THEN '-infinity'
    ELSE d.day::timestamp AT TIME ZONE r.time_zone - interval '3 hours' END AS since,
CASE WHEN d.day = '-infinity' THEN '4000-01-01 00:00Z BC'::timestamptz
    ELSE (d.day + 1)::timestamp AT TIME ZONE r.time_zone + interval '3 hours' END AS until
