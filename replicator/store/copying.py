"""How rows get into a table by COPY, and how an array of texts is said there."""

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
    """Return a text array; the empty one, which nearly all are, in the words of PostgreSQL."""
    return list(words) if words else "{}"
