-- rollup.facts
-- Grain: one row per call, the latest content that was seen, with every fact that a report counts. Internal: it holds raw
-- phone numbers. Units: seconds, US dollars, minutes; days and hours in the reporting time zone.
-- The rules (stages, campaign, goal, error classes, thresholds) are rows of replicator.reporting, status_stages,
-- stage_rules and error_classes; sql/DECISIONS.md says why each is what it is.
CREATE OR REPLACE VIEW rollup.facts AS
SELECT
    c.id AS call_id,
    c.account,
    c.agent_id,
    j.campaign_id,
    c.direction,
    c.status,
    k.stage,
    k.is_terminal,
    CASE WHEN NOT k.is_terminal
        THEN coalesce(c.created_at, c.first_seen_at) + make_interval(hours => r.stale_open_hours) END AS stale_at,
    CASE WHEN k.is_terminal
        THEN coalesce(c.ended_at, c.created_at, c.first_seen_at) + make_interval(hours => r.settle_hours) END AS settles_at,
    -- When a cost that has not come is given up: never before the call is settled.
    coalesce(c.ended_at, c.created_at, c.first_seen_at)
        + greatest(make_interval(days => r.cost_give_up_days), make_interval(hours => r.settle_hours)) AS cost_given_up_at,
    n.is_connected,
    v.is_conversation,
    v.is_conversation AND k.is_terminal AND c.duration_seconds < r.quick_hang_up_seconds AS is_quick_hang_up,
    j.is_goal,
    c.deleted_at IS NOT NULL AS is_deleted,
    c.created_at,
    c.started_at,
    c.ended_at,
    c.updated_at,
    (c.created_at AT TIME ZONE r.time_zone)::date AS created_on,
    (coalesce(c.started_at, c.created_at) AT TIME ZONE r.time_zone)::date AS started_on,
    (coalesce(c.ended_at, c.created_at) AT TIME ZONE r.time_zone)::date AS cost_on,
    extract(hour FROM c.created_at AT TIME ZONE r.time_zone)::integer AS created_hour,
    extract(isodow FROM c.created_at AT TIME ZONE r.time_zone)::integer AS created_weekday,
    c.duration_seconds,
    n.talk_seconds,
    CASE WHEN c.started_at >= c.created_at
        THEN extract(epoch FROM c.started_at - c.created_at)::double precision END AS time_to_answer_seconds,
    CASE WHEN c.ended_at >= c.started_at
        THEN extract(epoch FROM c.ended_at - c.started_at)::double precision END AS span_seconds,
    CASE WHEN n.talk_seconds > 0
        THEN ceil(greatest(n.talk_seconds, r.billing_minimum_seconds)::double precision / r.billing_increment_seconds)
            * r.billing_increment_seconds / 60 END AS billed_minutes_estimate,
    -- A view must survive whatever the source sends: a larger number would not fit the type, and fail every report.
    (CASE WHEN m.cost_state = 'known' THEN c.cost_usd END)::numeric(18, 6) AS cost_usd,
    m.cost_state,
    p.other_party,
    p.our_number,
    -- Words of the source, which may be long: what no rule knows is one class. ASCII is lowered without the database's language
    -- (in Turkish, I is no capital i), other letters as the database does it.
    CASE WHEN jsonb_typeof(c.context -> 'last_error') = 'string' AND c.context ->> 'last_error' ~ '\S' THEN
        coalesce((SELECT e.error_class FROM replicator.error_classes e
            WHERE strpos(lower(lower(left(c.context ->> 'last_error', 1000) COLLATE "C") COLLATE "default"),
                lower(lower(e.contains COLLATE "C") COLLATE "default")) > 0
            ORDER BY e.position LIMIT 1), 'other') END AS error_class,
    concat(c.summary, t.summary) ~ '\S' AS has_summary,
    coalesce(t.segment_count, 0) > 0 AS has_transcript,
    coalesce(t.state, 'not_expected') AS transcript_state,
    t.fetched_at AS transcript_fetched_at,
    t.segment_count,
    coalesce(g.state, 'not_expected') AS recording_state,
    c.version,
    c.first_seen_at,
    c.changed_at,
    -- Pieces of the ledger do not overlap: only the last one that begins at or before the call can contain it.
    (SELECT CASE WHEN c.created_at < x.until THEN x.verified_at END FROM replicator.coverage x
        WHERE x.account = c.account AND x.since <= c.created_at ORDER BY x.since DESC LIMIT 1) AS verified_at,
    coalesce((SELECT x.is_proven AND c.created_at < x.until FROM replicator.coverage x
        WHERE x.account = c.account AND x.since <= c.created_at ORDER BY x.since DESC LIMIT 1), false) AS is_proven,
    r.time_zone AS reporting_time_zone,
    -- Whoever withholds the number has the word for it in common with all others: no contact, and nobody who calls again.
    (p.other_party !~* '^\s*(anonymous|restricted|unknown|unavailable|private|withheld|blocked|)\s*$') IS TRUE
        AS is_party_known
FROM truedy.calls c
CROSS JOIN replicator.reporting r
LEFT JOIN replicator.status_stages s ON s.status = c.status
LEFT JOIN truedy.transcripts t ON t.call_id = c.id
LEFT JOIN truedy.recordings g ON g.call_id = c.id
-- A rule of the user's own about a field of the payload is believed over the status. A spelling without a row of its own has
-- the row of the same key: the word without case and separators (store/stages.py has the same text); the key is computed for
-- such words only. One join for all of that, as the text of a column's expression would be repeated wherever it is read, and
-- with more joins the planner would no longer choose their order. OFFSET 0 keeps it a join.
LEFT JOIN LATERAL (
    SELECT
        (SELECT x.stage FROM replicator.stage_rules x WHERE c.raw #>> x.path = x.value ORDER BY x.position LIMIT 1) AS rule,
        CASE WHEN s.status IS NULL THEN (
            SELECT x.stage FROM replicator.status_stages x WHERE x.status_key = regexp_replace(lower(c.status COLLATE "C"), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', '', 'g')
            ORDER BY x.status COLLATE "C" LIMIT 1
        ) END AS alike,
        CASE WHEN s.status IS NULL THEN (
            SELECT x.is_terminal FROM replicator.status_stages x WHERE x.status_key = regexp_replace(lower(c.status COLLATE "C"), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', '', 'g')
            ORDER BY x.status COLLATE "C" LIMIT 1
        ) END AS alike_is_terminal
    OFFSET 0
) z ON true
CROSS JOIN LATERAL (SELECT
    coalesce(z.rule, s.stage, z.alike, 'unmapped') AS stage,
    coalesce(s.is_terminal, z.alike_is_terminal, c.ended_at IS NOT NULL) AS is_terminal
) k
CROSS JOIN LATERAL (SELECT
    q.is_connected,
    CASE WHEN k.is_terminal AND q.is_connected AND c.duration_seconds >= 0 THEN c.duration_seconds END AS talk_seconds
    FROM (SELECT k.stage NOT IN ('not_answered', 'busy')
        AND (c.started_at IS NOT NULL OR k.stage IN ('answered', 'machine') AND coalesce(c.duration_seconds, 0) > 0)
        AS is_connected) q
) n
CROSS JOIN LATERAL (SELECT
    k.stage = 'answered' AND n.is_connected
        AND (c.duration_seconds IS NULL OR c.duration_seconds >= r.conversation_seconds) AS is_conversation
) v
CROSS JOIN LATERAL (SELECT
    CASE
        WHEN abs(c.cost_usd) < 1000000 THEN 'known'
        WHEN c.cost_usd IS NOT NULL THEN 'implausible'
        WHEN k.stage IN ('not_answered', 'busy', 'not_placed', 'cancelled') AND NOT n.is_connected THEN 'not_expected'
        ELSE 'pending'
    END AS cost_state
) m
CROSS JOIN LATERAL (SELECT
    CASE WHEN jsonb_typeof(c.context #> r.campaign_path) IN ('string', 'number')
        THEN left(c.context #>> r.campaign_path, 200) END AS campaign_id,
    CASE WHEN r.goal_path IS NOT NULL
        THEN coalesce(lower(lower(left(c.context #>> r.goal_path, 200) COLLATE "C") COLLATE "default") = ANY (r.goal_values), false)
        END AS is_goal
) j
CROSS JOIN LATERAL (SELECT
    CASE c.direction WHEN 'outbound' THEN c.phone_number WHEN 'inbound' THEN c.from_number END AS other_party,
    CASE c.direction WHEN 'outbound' THEN c.from_number WHEN 'inbound' THEN c.phone_number END AS our_number
) p;
