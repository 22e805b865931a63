-- analytics.sla_daily
-- Grain: one row per day, account, direction and agent: what was answered, transcribed and priced within the targets of
-- replicator.reporting.
-- Key: day, account, direction, agent_id.
-- Time: created_at.
-- Units: calls, seconds; rates are 0 to 1.
-- How many calls were answered, got a transcript and got a cost within the targets of replicator.reporting?
-- Answers are the source's own instants. Transcripts and costs are timed by the replica's looks: ready is when it first
-- saw them, so both are no finer than the sync's cadence. A call is judged where that can be told:
--     it is over with a known end, and the replica knew it when the target ran out (else it is *_backfilled_calls);
--     a transcript or cost is there, or is still missing though the target is over. Where the source says that there is
--     none, or refuses it, or no cost is expected, there is nothing to wait for.
-- A transcript that was read again unchanged keeps the instant of the last reading only: late by that it is
-- transcript_unknown_calls, and in no rate.
-- A filter on the day reads that day's calls only; without one it reads all.
CREATE OR REPLACE VIEW analytics.sla_daily AS
SELECT
    nullif(b.day, '-infinity') AS day,
    b.account,
    c.direction,
    c.agent_id,
    c.calls,
    r.answer_target_seconds,
    c.connected_calls,
    c.timed_calls,
    c.answered_in_time_calls,
    c.answered_in_time_calls::double precision / nullif(c.timed_calls, 0) AS answered_in_time_rate,
    r.transcript_target_seconds,
    c.transcript_backfilled_calls,
    c.transcript_unknown_calls,
    c.transcript_judged_calls,
    c.transcript_in_time_calls,
    c.transcript_in_time_calls::double precision / nullif(c.transcript_judged_calls, 0) AS transcript_in_time_rate,
    r.cost_target_seconds,
    c.cost_backfilled_calls,
    c.cost_judged_calls,
    c.cost_in_time_calls,
    c.cost_in_time_calls::double precision / nullif(c.cost_judged_calls, 0) AS cost_in_time_rate,
    r.time_zone AS reporting_time_zone
FROM rollup.day_bounds b
CROSS JOIN replicator.reporting r
CROSS JOIN LATERAL (
    SELECT
        f.direction,
        f.agent_id,
        count(*) AS calls,
        count(*) FILTER (WHERE f.is_connected) AS connected_calls,
        count(f.time_to_answer_seconds) FILTER (WHERE f.is_connected) AS timed_calls,
        count(*) FILTER (WHERE f.is_connected AND f.time_to_answer_seconds <= r.answer_target_seconds)
            AS answered_in_time_calls,
        count(*) FILTER (WHERE o.transcript IN ('in time', 'late', 'unknown') AND f.first_seen_at > o.transcript_due_at)
            AS transcript_backfilled_calls,
        count(*) FILTER (WHERE o.transcript = 'unknown' AND f.first_seen_at <= o.transcript_due_at)
            AS transcript_unknown_calls,
        count(*) FILTER (WHERE o.transcript IN ('in time', 'late') AND f.first_seen_at <= o.transcript_due_at)
            AS transcript_judged_calls,
        count(*) FILTER (WHERE o.transcript = 'in time' AND f.first_seen_at <= o.transcript_due_at)
            AS transcript_in_time_calls,
        count(*) FILTER (WHERE o.cost IN ('in time', 'late') AND f.first_seen_at > o.cost_due_at)
            AS cost_backfilled_calls,
        count(*) FILTER (WHERE o.cost IN ('in time', 'late') AND f.first_seen_at <= o.cost_due_at) AS cost_judged_calls,
        count(*) FILTER (WHERE o.cost = 'in time' AND f.first_seen_at <= o.cost_due_at) AS cost_in_time_calls
    FROM rollup.facts f
    LEFT JOIN truedy.transcripts t ON t.call_id = f.call_id
    CROSS JOIN LATERAL (SELECT
        f.ended_at + make_interval(secs => r.transcript_target_seconds) AS transcript_due_at,
        f.ended_at + make_interval(secs => r.cost_target_seconds) AS cost_due_at,
        (SELECT min(v.fetched_at) FROM truedy.transcript_versions v
            WHERE v.call_id = f.call_id AND v.fetched_at > '-infinity') AS replaced_transcript_at,
        -- The first change says whether a cost was there when the call was first seen.
        coalesce(
            (SELECT CASE WHEN x.old_usd IS NULL THEN x.observed_at ELSE f.first_seen_at END
                FROM replicator.cost_changes x WHERE x.call_id = f.call_id ORDER BY x.id LIMIT 1),
            CASE WHEN f.cost_state = 'known' THEN f.first_seen_at END
        ) AS cost_known_at
    ) d
    CROSS JOIN LATERAL (SELECT
        d.transcript_due_at,
        d.cost_due_at,
        CASE
            WHEN NOT f.is_terminal OR f.ended_at IS NULL THEN NULL
            WHEN least(d.replaced_transcript_at, t.fetched_at) <= d.transcript_due_at THEN 'in time'
            WHEN f.transcript_state = 'present' AND (t.attempts > 0 OR d.replaced_transcript_at IS NOT NULL)
                THEN 'unknown'
            WHEN f.transcript_state = 'present' THEN 'late'
            WHEN f.transcript_state IN ('pending', 'gave_up') AND d.transcript_due_at < now() THEN 'late'
        END AS transcript,
        CASE
            WHEN NOT f.is_terminal OR f.ended_at IS NULL THEN NULL
            WHEN d.cost_known_at <= d.cost_due_at THEN 'in time'
            WHEN d.cost_known_at IS NOT NULL OR f.cost_state = 'pending' AND d.cost_due_at < now() THEN 'late'
        END AS cost
    ) o
    WHERE f.account = b.account
        {created_that_day}
    GROUP BY f.direction, f.agent_id
) c;
