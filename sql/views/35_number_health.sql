-- analytics.number_health
-- Grain: one row per week, account, direction and number of ours.
-- Key: week_on, account, direction, number_rank.
-- Time: created_at.
-- Units: calls, US dollars, seconds; rates are 0 to 1.
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
    w.cost_given_up_calls,
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
        sum(d.cost_given_up_calls)::bigint AS cost_given_up_calls,
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
