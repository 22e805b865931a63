"""Reads what a month's dispute with a party rests on: their lines, our calls, and every content of a call that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_LINES = """
SELECT i.party, i.statement_id, i.statement_name, i.line_number, i.class, i.note, i.call_id, i.ours_usd, i.theirs_usd, i.delta_usd,
    l.line_id, l.call_id AS stated_call_id, l.provider_id, l.started_at AS stated_start, l.duration_seconds AS stated_seconds,
    l.from_number, l.phone_number, l.amount, l.currency, l.description,
    c.status, c.started_at, c.ended_at, c.duration_seconds, c.cost_usd, c.deleted_at,
    v.versions, v.seen
FROM analytics.reconciliation_items i
JOIN billing.lines l ON l.statement = i.statement_id AND l.number = i.line_number
LEFT JOIN truedy.calls c ON c.id = i.call_id
LEFT JOIN LATERAL (
    SELECT max(x.of) AS versions, array_agg(x.said ORDER BY x.version) AS seen
    FROM (
        SELECT n.version, count(*) OVER () AS of, row_number() OVER (ORDER BY n.version DESC) AS newest,
            format('seen %%s UTC: %%s, %%s s, cost %%s',
                to_char(n.observed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), left(coalesce(n.raw ->> 'status', '-'), 40),
                left(coalesce(n.raw ->> 'duration_seconds', '-'), 20), left(coalesce(n.raw ->> 'cost_usd', 'unknown'), 40)) AS said
        FROM truedy.call_versions n WHERE n.call_id = i.call_id
    ) x
    WHERE x.newest <= 20
) v ON true
WHERE i.account = %(account)s AND i.period = %(period)s AND i.party = %(party)s
    AND NOT i.is_accepted AND i.is_open AND i.delta_usd > 0
ORDER BY i.statement_id, i.line_number
"""


def lines(connection: psycopg.Connection[Any], account: str, period: str, party: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that ask for more than our calls say and that nobody has accepted, in the order of their files.

    `seen` has a sentence for each of the newest twenty contents of the call, oldest first.
    """
    cursor = connection.cursor(row_factory=dict_row)
    yield from cursor.execute(_LINES, {"account": account, "period": period, "party": party})


def is_matched(connection: psycopg.Connection[Any], account: str, period: str, party: str) -> bool:
    """Say whether the month was matched with the party's statement."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM analytics.reconciliation_summary WHERE account = %s AND period = %s AND party = %s)",
        [account, period, party],
    ).fetchone()
    return bool(row and row[0])
