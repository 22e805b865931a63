"""Money of the small world: the vendor's statement of March 2025, its matching, a decision, and the closed month.

The amounts were frozen before any cost changed, so that the changes of the small world are corrections. The lines carry
numbers and a secret: no view may show them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

STATEMENT = """
WITH made AS (
    INSERT INTO billing.statements (account, party, period, name, sha256, bytes, file_name, mapping, time_zone, imported_by, lines,
        unreadable, total)
    VALUES ('main', 'vendor', '2025-03', 'March', repeat('a1', 32), 1, 'march.csv', '{}', 'UTC', 'test', 3, 0, '{"USD": "0.35"}')
    RETURNING id
)
INSERT INTO billing.lines (statement, number, call_id, from_number, phone_number, amount, currency, kind, description, original)
SELECT id, n, call_id, %(ours)s, %(theirs)s, amount, 'USD', kind, 'Secret description', 'Secret line'
FROM made, (VALUES
    (2, '00000000-0000-0000-0000-000000000002'::uuid, 0.2000, 'usage'), (3, NULL, 0.1000, 'usage'), (4, NULL, 0.0500, 'fee')
) AS x (n, call_id, amount, kind)
"""
MATCHING = """
INSERT INTO billing.matchings (account, party, period, made_by, time_zone, terms, statements, calls, lines, unreadable, our_sum_usd,
    statement_usd)
SELECT 'main', 'vendor', '2025-03', 'test', 'UTC', '{}', ARRAY[id], 1, 3, 0, 0.2000, 0.3500 FROM billing.statements
"""
ITEMS = """
INSERT INTO billing.items (matching, item, class, rule, score, statement, line, call_id, ours_usd, theirs_usd, is_open)
SELECT m.id, x.* FROM billing.matchings m, LATERAL (VALUES
    (1, 'exact', 'call_id', 1.0, m.statements[1], 2, '00000000-0000-0000-0000-000000000002'::uuid, 0.2000, 0.2000, false),
    (2, 'only_on_statement', 'none', 0.0, m.statements[1], 3, NULL, 0, 0.1000, true),
    (3, 'not_a_call', 'none', 0.0, m.statements[1], 4, NULL, 0, 0.0500, false)
) AS x
"""
STEPS = """
INSERT INTO billing.bridge_steps (matching, position, step, items, amount_usd, running_usd)
SELECT m.id, x.* FROM billing.matchings m, (VALUES (1, 'our_sum', 1, 0.2000, 0.2000), (2, 'only_on_statement', 1, 0.1000, 0.3000),
    (3, 'not_a_call', 1, 0.0500, 0.3500), (4, 'lines_sum', 3, 0.3500, 0.3500), (5, 'statement_total', 3, 0.3500, 0.3500)) AS x
"""
DECISION = """
INSERT INTO billing.decisions (account, party, period, kind, statement, line, class, delta_usd, reason, made_by)
SELECT 'main', 'vendor', '2025-03', 'accept', statement, line, 'only_on_statement', 0.1000, 'a test call', 'test'
FROM billing.items WHERE class = 'only_on_statement'
"""
AMOUNTS = """
INSERT INTO billing.close_amounts (account, period, number, call_id, amount_usd, cost_state)
SELECT f.account, '2025-03', 1, f.call_id, x.amount, CASE WHEN x.amount IS NULL THEN 'pending' ELSE 'known' END
FROM rollup.facts f
LEFT JOIN LATERAL (
    SELECT old_usd FROM replicator.cost_changes x WHERE x.call_id = f.call_id ORDER BY id LIMIT 1
) h ON true
LEFT JOIN LATERAL (SELECT count(*) AS n FROM replicator.cost_changes x WHERE x.call_id = f.call_id) c ON true
CROSS JOIN LATERAL (SELECT CASE WHEN c.n = 0 THEN f.cost_usd WHEN abs(h.old_usd) < 1000000 THEN h.old_usd END AS amount) x
WHERE f.account = 'main' AND f.created_at >= '2025-01-01Z'
    AND to_char(coalesce(f.ended_at, f.created_at) AT TIME ZONE %(zone)s, 'YYYY-MM') = '2025-03'
"""
CLOSE = """
INSERT INTO billing.closes (account, period, number, closed_at, closed_by, time_zone, calls, pending_calls, our_sum_usd, statement_usd,
    sha256)
SELECT 'main', '2025-03', 1, '2025-04-02Z', 'test', %(zone)s, count(*), count(*) FILTER (WHERE amount_usd IS NULL),
    coalesce(sum(amount_usd), 0), 0.3500, repeat('a1', 32)
FROM billing.close_amounts
"""
RATES = """
INSERT INTO billing.rate_cards (account, name, increment_seconds, price_per_minute, valid_from) VALUES ('main', 'all', 60, 0.1, '2020-01-01Z')
"""
BUDGET = "INSERT INTO billing.budgets (account, month, scope, scope_value, amount_usd) VALUES ('main', '2025-03', 'account', '', 1)"


def build(connection: psycopg.Connection[Any], time_zone: str, ours: str, theirs: str) -> None:
    """Insert the statement, its matching and the close into the small world."""
    values = {"zone": time_zone, "ours": ours, "theirs": theirs}
    for statement in (STATEMENT, MATCHING, ITEMS, STEPS, DECISION, AMOUNTS, CLOSE, RATES, BUDGET):
        connection.execute(statement, values)
