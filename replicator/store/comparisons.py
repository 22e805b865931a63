"""Reads what came of a month's matching for showing and deciding: the summary, the bridge, items, closes and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

Row = dict[str, Any]

SUMMARY = (
    "SELECT class, items, ours_usd, theirs_usd, delta_usd, open_items, open_usd, accepted_items "
    "FROM analytics.reconciliation_summary WHERE account = %s AND party = %s AND period = %s ORDER BY class"
)
BRIDGE = (
    "SELECT b.step, b.items, b.amount_usd, b.running_usd FROM billing.bridge_steps b JOIN billing.matchings m ON m.id = b.matching "
    "WHERE m.account = %s AND m.party = %s AND m.period = %s AND m.superseded_at IS NULL ORDER BY b.position"
)
OPEN = (
    "SELECT item, class, note, matched_by, score, call_id, ours_usd, theirs_usd, delta_usd, stated_seconds, duration_seconds, candidates, "
    "stated_amount, currency "
    "FROM analytics.reconciliation_items WHERE account = %s AND party = %s AND period = %s AND is_open AND NOT is_accepted "
    "ORDER BY greatest(abs(delta_usd), CASE WHEN currency <> 'USD' THEN abs(stated_amount) END) DESC, item LIMIT %s"
)
FOREIGN = (
    "SELECT currency, count(*) AS lines, coalesce(sum(stated_amount), 0) AS amount, count(*) FILTER (WHERE NOT is_accepted) AS open_lines, "
    "coalesce(sum(stated_amount) FILTER (WHERE NOT is_accepted), 0) AS open_amount FROM analytics.reconciliation_items "
    "WHERE account = %s AND party = %s AND period = %s AND currency <> 'USD' GROUP BY currency ORDER BY currency"
)
ITEM = (
    "SELECT m.party, m.period, i.statement, i.line, i.call_id, i.class, i.theirs_usd - i.ours_usd AS delta_usd, i.is_open "
    "FROM billing.matchings m JOIN billing.items i ON i.matching = m.id WHERE m.account = %(account)s AND m.superseded_at IS NULL "
    "AND (i.statement = %(statement)s AND i.line = %(line)s OR i.line IS NULL AND i.call_id = %(call)s) "
    "AND (%(period)s::text IS NULL OR m.period = %(period)s) AND (%(party)s::text IS NULL OR m.party = %(party)s)"
)
LINE = (
    "SELECT s.party, s.period, s.replaced_by, l.kind FROM billing.lines l JOIN billing.statements s ON s.id = l.statement "
    "WHERE s.account = %s AND l.statement = %s AND l.number = %s"
)
CALL = "SELECT EXISTS (SELECT FROM truedy.calls WHERE account = %s AND id = %s)"
CHANGES = (
    "SELECT seen_period, change, count(*) AS calls, sum(delta_usd) AS delta_usd FROM analytics.month_close_changes "
    "WHERE account = %s AND period = %s AND close_number = %s GROUP BY 1, 2 ORDER BY 1, 2"
)


def summary(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> list[Row]:
    """Return one row for each class that occurs."""
    return tx.cursor(row_factory=dict_row).execute(SUMMARY, [account, party, period]).fetchall()


def bridge(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> list[Row]:
    """Return the steps in their order, with all digits."""
    return tx.cursor(row_factory=dict_row).execute(BRIDGE, [account, party, period]).fetchall()


def open_items(tx: psycopg.Connection[Any], account: str, party: str, period: str, most: int) -> list[Row]:
    """Return the items that wait for a person, the largest first: by the difference, or by the amount in another currency."""
    return tx.cursor(row_factory=dict_row).execute(OPEN, [account, party, period, most]).fetchall()


def foreign(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> list[Row]:
    """Return the sums of the lines in each other currency, and of those that nobody has accepted."""
    return tx.cursor(row_factory=dict_row).execute(FOREIGN, [account, party, period]).fetchall()


def items(
    tx: psycopg.Connection[Any], account: str, key: tuple[int, int] | UUID, period: str | None, party: str | None
) -> list[Row]:
    """Return the items that a line's place or a call's id means, in the newest matchings."""
    statement, line = key if isinstance(key, tuple) else (None, None)
    call = None if isinstance(key, tuple) else key
    values = {"account": account, "statement": statement, "line": line, "call": call, "period": period, "party": party}
    return tx.cursor(row_factory=dict_row).execute(ITEM, values).fetchall()


def line(tx: psycopg.Connection[Any], account: str, key: tuple[int, int]) -> Row | None:
    """Return the party and the month of a line, its kind, and what replaced its statement."""
    return tx.cursor(row_factory=dict_row).execute(LINE, [account, *key]).fetchone()


def has_call(tx: psycopg.Connection[Any], account: str, call: UUID) -> bool:
    """Say whether a call is stored."""
    row = tx.execute(CALL, [account, call]).fetchone()
    return bool(row and row[0])


def changes(tx: psycopg.Connection[Any], account: str, period: str, number: int) -> list[Row]:
    """Return what changed after a close, by the month in which it was seen."""
    return tx.cursor(row_factory=dict_row).execute(CHANGES, [account, period, number]).fetchall()


__all__ = ["bridge", "changes", "foreign", "has_call", "items", "line", "open_items", "summary"]
