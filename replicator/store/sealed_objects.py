"""Reads what verification compares about recordings: the newest sealed record of each call beside its row of archive.objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any
    from uuid import UUID

    import psycopg

ROWS_AT_ONCE = 1_000
PAIRS = """
SELECT coalesce(o.call_id, r.subject), r.sequence, r.bytes, coalesce(o.state, 'none'), o.sha256, o.bytes, o.place
FROM (
    SELECT DISTINCT ON (subject) subject, sequence, bytes FROM archive.records
    WHERE account = %(account)s AND kind = 'recording' ORDER BY subject, sequence DESC
) r
FULL JOIN (SELECT * FROM archive.objects WHERE account = %(account)s AND kind = 'recording') o ON o.call_id = r.subject
WHERE r.sequence IS NOT NULL OR o.state = 'stored'
ORDER BY 1
"""
SAMPLE = (
    "SELECT call_id FROM archive.objects WHERE account = %s AND kind = 'recording' AND state = 'stored' "
    "ORDER BY random() LIMIT %s"
)


class Pair(NamedTuple):
    """A call's newest sealed recording, and its row. `sequence` is null without a record, `content` also after an erasure;
    `state` is `none` without a row.
    """

    call_id: UUID
    sequence: int | None
    content: bytes | None
    state: str
    sha256: str | None
    size: int | None
    place: str | None


def pairs(connection: psycopg.Connection[Any], account: str) -> Iterator[Pair]:
    """Yield each call that has a sealed recording or a stored one."""
    with connection.cursor(name="pairs") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(PAIRS, {"account": account})
        for row in cursor:
            yield Pair(*row)


def sample(connection: psycopg.Connection[Any], account: str, number: int) -> set[UUID]:
    """Return so many calls with a stored recording, chosen by chance."""
    return {call_id for (call_id,) in connection.execute(SAMPLE, [account, number]).fetchall()}


__all__ = ["Pair", "pairs", "sample"]
