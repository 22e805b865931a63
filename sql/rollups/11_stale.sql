-- rollup.stale
-- Grain: one row per account and day whose roll-ups are not up to date: a call of the day was written since, or an open
-- call of the day has become a stale one meanwhile, or a cost of it was given up. What a report says of these days is computed from the calls.
CREATE OR REPLACE VIEW rollup.stale AS
SELECT account, day FROM rollup.touched
UNION
SELECT account, day FROM rollup.days WHERE valid_until <= now();
