"""Takes persons out of other parties' statement lines (billing.lines). Amounts, times and ids stay, so that every sum and
every match stays; numbers, descriptions and the line as it was received go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    import psycopg

ERASED = "(erased)"
"""Stands instead of the line as it was received."""
BATCH = 5000
Line = tuple[int, int]
"""(statement, number)"""

_OF_CALLS = (
    "SELECT x.call_id, x.statement, x.number FROM (SELECT call_id, statement, number FROM billing.lines "
    "WHERE call_id = ANY(%(ids)s) UNION SELECT call_id, statement, line FROM billing.items "
    "WHERE call_id = ANY(%(ids)s) AND line IS NOT NULL) x JOIN billing.statements s ON s.id = x.statement "
    "WHERE s.account = %(account)s ORDER BY 1, 2, 3"
)
_TEXTS = (
    "SELECT l.statement, l.number, l.from_number, l.phone_number, concat_ws(E'\\n', l.from_number, l.phone_number, "
    "l.description, l.original) FROM billing.lines l JOIN billing.statements s ON s.id = l.statement "
    "WHERE s.account = %(account)s AND l.original <> %(erased)s AND (l.statement, l.number) > (%(statement)s, %(number)s) "
    "ORDER BY l.statement, l.number LIMIT %(limit)s"
)
_REMOVE = (
    "UPDATE billing.lines l SET from_number = NULL, phone_number = NULL, description = NULL, original = %s "
    "FROM unnest(%s::bigint[], %s::int[]) x (statement, number) "
    "WHERE l.statement = x.statement AND l.number = x.number AND l.original <> %s"
)


def of_calls(connection: psycopg.Connection[Any], account: str, ids: Sequence[UUID]) -> dict[UUID, list[Line]]:
    """Return the lines that name these calls, or were matched with them."""
    found: dict[UUID, list[Line]] = {}
    for call_id, *line in connection.execute(_OF_CALLS, {"account": account, "ids": list(ids)}):
        found.setdefault(call_id, []).append((line[0], line[1]))
    return found


def texts(
    connection: psycopg.Connection[Any], account: str
) -> Iterator[tuple[Line, tuple[str | None, str | None], str]]:
    """Yield (line, its two numbers, all of its text) of the lines that are not erased."""
    after: Line = (0, 0)
    while True:
        parameters = {"account": account, "erased": ERASED, "statement": after[0], "number": after[1], "limit": BATCH}
        rows = connection.execute(_TEXTS, parameters).fetchall()
        for statement, number, calling, called, text in rows:
            yield (statement, number), (calling, called), text
        if len(rows) < BATCH:
            return
        after = rows[-1][:2]


def remove(tx: psycopg.Connection[Any], lines: Sequence[Line]) -> int:
    """Take the person out of lines; return how many still had one."""
    numbers = [[one[0] for one in lines], [one[1] for one in lines]]
    return tx.execute(_REMOVE, [ERASED, *numbers, ERASED]).rowcount if lines else 0
