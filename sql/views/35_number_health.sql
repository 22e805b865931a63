-- analytics.number_health
-- Grain: one row per week, account, direction and number of ours. Units: calls, US dollars, seconds; rates are 0 to 1.
-- A number whose answer rate falls while many calls are short is likely to be marked as spam. Numbers are masked; two
-- may look alike, so number_rank tells them apart.
CREATE OR REPLACE VIEW analytics.number_health AS
SELECT
    w.week_on,
    w.account,
    w.direction,
    CASE WHEN length(w.our_number) >= 7 THEN left(w.our_number, 2) || '…' || right(w.our_number, 2)
        WHEN w.our_number IS NOT NULL THEN '…' END AS our_number_masked,
    k.number_rank,
    q.party_key AS our_number_key,
    w.calls,
    w.terminal_calls,
    w.placed_calls,
    w.answered_calls,
    w.machine_calls,
    w.not_answered_calls,
    w.busy_calls,
    w.not_placed_calls,
    w.conversations,
    w.quick_hang_ups,
    w.answered_calls::double precision / nullif(w.placed_calls, 0) AS answer_rate,
    w.quick_hang_ups::double precision / nullif(w.conversations, 0) AS quick_hang_up_rate,
    w.measured_calls,
    w.duration_seconds,
    w.duration_seconds::double precision / nullif(w.measured_calls, 0) AS average_seconds,
    w.cost_known_calls,
    w.cost_pending_calls,
    w.cost_usd,
    w.reporting_time_zone
FROM (
    SELECT
        date_trunc('week', d.day)::date AS week_on,
        d.account,
        d.direction,
        d.our_number,
        sum(d.calls)::bigint AS calls,
        sum(d.terminal_calls)::bigint AS terminal_calls,
        sum(d.placed_calls)::bigint AS placed_calls,
        sum(d.answered_calls)::bigint AS answered_calls,
        sum(d.machine_calls)::bigint AS machine_calls,
        sum(d.not_answered_calls)::bigint AS not_answered_calls,
        sum(d.busy_calls)::bigint AS busy_calls,
        sum(d.not_placed_calls)::bigint AS not_placed_calls,
        sum(d.conversations)::bigint AS conversations,
        sum(d.quick_hang_ups)::bigint AS quick_hang_ups,
        sum(d.measured_calls)::bigint AS measured_calls,
        sum(d.duration_seconds)::bigint AS duration_seconds,
        sum(d.cost_known_calls)::bigint AS cost_known_calls,
        sum(d.cost_pending_calls)::bigint AS cost_pending_calls,
        sum(d.cost_usd)::numeric(18, 6) AS cost_usd,
        r.time_zone AS reporting_time_zone
    FROM rollup.numbers_current d
    CROSS JOIN replicator.reporting r
    GROUP BY 1, d.account, d.direction, d.our_number, r.time_zone
) w
LEFT JOIN (
    SELECT account, our_number, row_number() OVER (PARTITION BY account ORDER BY our_number) AS number_rank
    FROM (SELECT DISTINCT account, our_number FROM rollup.numbers_current WHERE our_number IS NOT NULL) d
) k ON k.account = w.account AND k.our_number = w.our_number
LEFT JOIN replicator.parties q ON q.account = w.account AND q.number = w.our_number;

COMMENT ON VIEW analytics.number_health IS 'Grain: one row per week, account, direction and number of ours. Key: week_on, account, direction, number_rank.';
COMMENT ON COLUMN analytics.number_health.week_on IS 'Monday of the week of the calls'' creation: a day in the reporting time zone.';
COMMENT ON COLUMN analytics.number_health.account IS 'The account.';
COMMENT ON COLUMN analytics.number_health.direction IS 'Direction of the calls.';
COMMENT ON COLUMN analytics.number_health.our_number_masked IS 'Our number, first and last two characters: the caller outbound, the called one inbound, null for other directions.';
COMMENT ON COLUMN analytics.number_health.number_rank IS 'Place of the number among the account''s numbers in their order: the same for a number in every row, and another once a number is added; null where the number is not known.';
COMMENT ON COLUMN analytics.number_health.our_number_key IS 'Pseudonym of our number, as in calls; null where no REPLICATOR_PSEUDONYM_KEY is set.';
COMMENT ON COLUMN analytics.number_health.calls IS 'Number of all calls created: attempts, not contacts.';
COMMENT ON COLUMN analytics.number_health.terminal_calls IS 'Number of calls that are over with a known status: the denominator of placed_rate and conversation_rate.';
COMMENT ON COLUMN analytics.number_health.placed_calls IS 'Number of calls that reached the other end, whatever came of it: the numerator of placed_rate, the denominator of answer_rate and machine_rate.';
COMMENT ON COLUMN analytics.number_health.answered_calls IS 'Number of calls that were answered and ended normally (completed): the numerator of answer_rate.';
COMMENT ON COLUMN analytics.number_health.machine_calls IS 'Number of calls that a machine answered (voicemail): the numerator of machine_rate.';
COMMENT ON COLUMN analytics.number_health.not_answered_calls IS 'Number of calls that nobody answered.';
COMMENT ON COLUMN analytics.number_health.busy_calls IS 'Number of calls to a busy line.';
COMMENT ON COLUMN analytics.number_health.not_placed_calls IS 'Number of calls that could not be placed (failed).';
COMMENT ON COLUMN analytics.number_health.conversations IS 'Number of answered calls that connected and are not of zero length: the numerator of conversation_rate.';
COMMENT ON COLUMN analytics.number_health.quick_hang_ups IS 'Number of conversations that were over in less than replicator.reporting.quick_hang_up_seconds.';
COMMENT ON COLUMN analytics.number_health.answer_rate IS 'answered_calls over placed_calls, 0 to 1, machines not counted as answers; null where none was placed.';
COMMENT ON COLUMN analytics.number_health.quick_hang_up_rate IS 'quick_hang_ups over conversations, 0 to 1; null where there was none.';
COMMENT ON COLUMN analytics.number_health.measured_calls IS 'Number of connected calls that are over and have a duration: the denominator of average_seconds.';
COMMENT ON COLUMN analytics.number_health.duration_seconds IS 'Sum of their durations in seconds: the numerator of average_seconds.';
COMMENT ON COLUMN analytics.number_health.average_seconds IS 'duration_seconds over measured_calls, in seconds; null where none is measured.';
COMMENT ON COLUMN analytics.number_health.cost_known_calls IS 'Number of calls whose cost is known: the denominator of cost_per_known_call_usd.';
COMMENT ON COLUMN analytics.number_health.cost_pending_calls IS 'Number of calls whose cost is not known and may come: the sums will grow.';
COMMENT ON COLUMN analytics.number_health.cost_usd IS 'Cost in US dollars of these calls, as far as it is known, on the week of their creation.';
COMMENT ON COLUMN analytics.number_health.reporting_time_zone IS 'Name of the time zone of the days.';
