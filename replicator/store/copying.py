"""Appends rows to a table by COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    import psycopg

NULL = "\\N"
"""Null in COPY's text format."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy_rows(
    tx: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> None:
    """Append rows to a table."""
    with tx.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def copy_text(tx: psycopg.Connection[Any], table: str, columns: Sequence[str], pieces: Iterable[str]) -> None:
    """Append rows to a table that are text in COPY's format already, in pieces of whole lines."""
    with tx.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for piece in pieces:
            copy.write(piece)


def escaped(text: str) -> str:
    """Return a text as a value in COPY's text format."""
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
        return text.translate(_ESCAPES)
    return text


def text_array(words: Sequence[str]) -> str:
    """Return a text array as PostgreSQL writes it."""
    return "{" + ",".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words) + "}"


def uuid_array(ids: Iterable[UUID]) -> str:
    """Return a UUID array as PostgreSQL reads it. The driver takes seven times as long for a list of them."""
    return "{" + ",".join([one.hex for one in ids]) + "}"
