-- The text of x (call_id, place, position, text) with marks in place of the payment data that was found in it. The last
-- four digits of a card number stay.
coalesce((
    SELECT
        string_agg(
            substr(x.text, p.since + 1, greatest(p.start_offset - p.since, 0))
            || CASE p.kind WHEN 'card_number' THEN '[card number]' WHEN 'expiry' THEN '[card expiry]' ELSE '[security code]' END,
            '' ORDER BY p.start_offset
        ) || substr(x.text, max(p.masked_end_offset) + 1)
    FROM (
        SELECT q.start_offset, q.masked_end_offset, q.kind, lag(q.masked_end_offset, 1, 0) OVER (ORDER BY q.start_offset) AS since
        FROM archive.payment_findings q
        WHERE q.call_id = x.call_id AND q.place = x.place AND q.position = x.position
            AND q.masked_end_offset > q.start_offset
    ) p
), x.text)
