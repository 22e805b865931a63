-- One row per age class of calls: how late a change is seen at the worst, and how old the oldest look is now.
SELECT class_number, max_age_seconds, calls, renewed_every_seconds, bound_seconds, expected_seconds, oldest_look_seconds
FROM analytics.update_delay
WHERE account = %(account)s
ORDER BY class_number;
