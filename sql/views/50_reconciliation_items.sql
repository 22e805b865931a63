-- analytics.reconciliation_items
-- Grain: one row per line of a statement and per call without a line, of the newest matching of a month and a party.
-- Key: account, party, period, item.
-- Units: US dollars, seconds.
-- A line with its call is one row; a line that stands for many calls is one row, too. Each line and each call of the
-- month is in exactly one row, so the rows add up to our sum and to the statement's lines. A person's reason for accepting
-- one is not here: it is free text.
CREATE OR REPLACE VIEW analytics.reconciliation_items AS
SELECT
    m.account,
    m.party,
    m.period,
    coalesce(i.statement || ':' || i.line, i.call_id::text) AS item,
    i.class,
    i.rule AS matched_by,
    i.score,
    i.note,
    i.statement AS statement_id,
    s.name AS statement_name,
    i.line AS line_number,
    l.line_id,
    i.call_id,
    CASE WHEN i.calls IS NOT NULL THEN cardinality(i.calls) WHEN i.call_id IS NOT NULL THEN 1 ELSE 0 END AS matched_calls,
    i.ours_usd::numeric(18, 6) AS ours_usd,
    i.theirs_usd::numeric(18, 6) AS theirs_usd,
    (i.theirs_usd - i.ours_usd)::numeric(18, 6) AS delta_usd,
    l.amount::numeric(18, 6) AS stated_amount,
    l.currency,
    l.duration_seconds AS stated_seconds,
    c.duration_seconds,
    array_to_string(i.candidates, ', ') AS candidates,
    i.is_open,
    coalesce(d.class = i.class AND d.delta_usd = i.theirs_usd - i.ours_usd, false) AS is_accepted,
    m.made_at AS matched_at
FROM billing.matchings m
JOIN billing.items i ON i.matching = m.id
LEFT JOIN billing.statements s ON s.id = i.statement
LEFT JOIN billing.lines l ON l.statement = i.statement AND l.number = i.line
LEFT JOIN truedy.calls c ON c.id = i.call_id
-- A person's newest word about it: accepted as long as its class and its difference are those that the person saw. A line
-- is one item whatever call it was matched with when the person decided.
LEFT JOIN (
    SELECT DISTINCT ON (account, party, period, statement, line, CASE WHEN line IS NULL THEN call_id END)
        account, party, period, statement, line, call_id, class, delta_usd
    FROM billing.decisions
    WHERE kind = 'accept'
    ORDER BY account, party, period, statement, line, CASE WHEN line IS NULL THEN call_id END, id DESC
) d ON d.account = m.account AND d.party = m.party AND d.period = m.period
    AND d.statement IS NOT DISTINCT FROM i.statement AND d.line IS NOT DISTINCT FROM i.line
    AND (i.line IS NOT NULL OR d.call_id = i.call_id)
WHERE m.superseded_at IS NULL;
