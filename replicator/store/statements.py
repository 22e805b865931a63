"""Stores other parties' statements and their lines (schema billing), and finds those that a new one replaces.

It does not interpret them. Everything is done in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from replicator.store.copying import copy_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import psycopg

COLUMNS = (
    "statement", "number", "line_id", "call_id", "provider_id", "started_at", "duration_seconds", "from_number", "phone_number",
    "direction", "amount", "currency", "kind", "description", "original", "problem",
)  # fmt: skip
"""The columns of a line, in the order of COPY."""
_FACTS = (
    "id, account, party, period, name, sha256, bytes, file_name, mapping ->> 'version' AS mapping_version, "
    "mapping ->> 'name' AS mapping_name, time_zone, imported_at, imported_by, replaces, replaced_by, lines, unreadable, total, stated_total"
)


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a statement before its lines are read."""

    account: str
    party: str
    period: str
    name: str
    sha256: str
    bytes: int
    file_name: str
    mapping: Mapping[str, Any]
    time_zone: str
    by: str


@dataclass(frozen=True, slots=True)
class Stored:
    """A statement as it is stored. `total` has a text for each currency."""

    id: int
    account: str
    party: str
    period: str
    name: str
    sha256: str
    bytes: int
    file_name: str
    mapping_version: str
    mapping_name: str
    time_zone: str
    imported_at: datetime
    imported_by: str
    replaces: int | None
    replaced_by: int | None
    lines: int
    unreadable: int
    total: Mapping[str, str]
    stated_total: Mapping[str, str] | None

    @property
    def is_in_force(self) -> bool:
        return self.replaced_by is None


def same(tx: psycopg.Connection[Any], head: Head) -> Stored | None:
    """Return the statement in force that was read from the same bytes, for the same period and name, by the same mapping."""
    return (
        tx.cursor(row_factory=class_row(Stored))
        .execute(
            f"SELECT {_FACTS} FROM billing.statements WHERE account = %s AND party = %s AND sha256 = %s AND period = %s "
            "AND name = %s AND mapping ->> 'version' = %s AND replaced_by IS NULL",
            [head.account, head.party, head.sha256, head.period, head.name, head.mapping["version"]],
        )
        .fetchone()
    )


def forerunners(tx: psycopg.Connection[Any], head: Head) -> list[Stored]:
    """Return the statements in force that a new one replaces: of the same name and period, or read from the same bytes."""
    return (
        tx.cursor(row_factory=class_row(Stored))
        .execute(
            f"SELECT {_FACTS} FROM billing.statements WHERE account = %s AND party = %s AND replaced_by IS NULL "
            "AND ((period = %s AND name = %s) OR sha256 = %s) ORDER BY (period = %s AND name = %s) DESC, id FOR UPDATE",
            [head.account, head.party, head.period, head.name, head.sha256, head.period, head.name],
        )
        .fetchall()
    )


def begin(tx: psycopg.Connection[Any], head: Head, replaces: int | None) -> int:
    """Store a statement without lines; return its id. It is not in force before `finish`."""
    row = tx.execute(
        "INSERT INTO billing.statements (account, party, period, name, sha256, bytes, file_name, mapping, time_zone, "
        "imported_by, replaces, replaced_by, lines, unreadable, total) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0, '{}') RETURNING id",
        [
            head.account, head.party, head.period, head.name, head.sha256, head.bytes, head.file_name, Jsonb(dict(head.mapping)),
            head.time_zone, head.by, replaces,
        ],
    ).fetchone()  # fmt: skip
    assert row is not None  # noqa: S101 - RETURNING gives one row
    return int(row[0])


def copy_lines(tx: psycopg.Connection[Any], pieces: Iterable[str]) -> None:
    """Append lines that are text in COPY's format already, with the columns COLUMNS."""
    copy_text(tx, "billing.lines", COLUMNS, pieces)


def finish(
    tx: psycopg.Connection[Any],
    statement: int,
    replaced: Iterable[int],
    *,
    lines: int,
    unreadable: int,
    total: Mapping[str, str],
    stated_total: Mapping[str, str] | None,
) -> None:
    """Put a statement in force, with the counts of its lines, and those that it replaces out of it: also what was matched
    with them, in whatever month, so that no report counts their lines until the months are matched again.
    """
    gone = list(replaced)
    tx.execute("UPDATE billing.statements SET replaced_by = %s WHERE id = ANY(%s)", [statement, gone])
    # Waits for a matching that is being made, which may have read what is replaced here.
    tx.execute(
        "WITH m AS (UPDATE billing.matchings SET superseded_at = clock_timestamp() WHERE superseded_at IS NULL "
        "AND statements && %s::bigint[] RETURNING id) DELETE FROM billing.items i USING m WHERE i.matching = m.id",
        [gone],
    )
    tx.execute(
        "UPDATE billing.statements SET replaced_by = NULL, lines = %s, unreadable = %s, total = %s, stated_total = %s WHERE id = %s",
        [lines, unreadable, Jsonb(dict(total)), None if stated_total is None else Jsonb(dict(stated_total)), statement],
    )


def listed(connection: psycopg.Connection[Any], account: str, period: str | None = None) -> list[Stored]:
    """Return an account's statements, oldest first; those of one period, if given."""
    return (
        connection.cursor(row_factory=class_row(Stored))
        .execute(
            f"SELECT {_FACTS} FROM billing.statements WHERE account = %s AND (%s::text IS NULL OR period = %s) ORDER BY id",
            [account, period, period],
        )
        .fetchall()
    )


def charges(connection: psycopg.Connection[Any], statement: int, kinds: Iterable[str]) -> int:
    """Return how many lines of these kinds have a positive amount."""
    row = connection.execute(
        "SELECT count(*) FROM billing.lines WHERE statement = %s AND kind = ANY(%s::text[]) AND amount > 0",
        [statement, [str(kind) for kind in kinds]],
    ).fetchone()
    return int(row[0]) if row else 0


def unreadable(connection: psycopg.Connection[Any], statement: int, limit: int) -> list[dict[str, Any]]:
    """Return the lines that cannot be read: number, problem, original."""
    return (
        connection.cursor(row_factory=dict_row)
        .execute(
            "SELECT number, problem, original FROM billing.lines WHERE statement = %s AND problem IS NOT NULL "
            "ORDER BY number LIMIT %s",
            [statement, limit],
        )
        .fetchall()
    )
