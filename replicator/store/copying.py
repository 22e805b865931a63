"""Appends rows to a table by COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg


def copy_rows(
    tx: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> None:
    """Append rows to a table."""
    with tx.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def text_array(words: Sequence[str]) -> object:
    """Return a value for a text array; an empty one, which nearly all are, as PostgreSQL's text "{}"."""
    return list(words) if words else "{}"
