"""Formats cells by the type of their column. Pure; used for CSV and Parquet.

Cells arrive as PostgreSQL writes them with time zone UTC: numbers with all digits, text unchanged. Two types are
changed: booleans become true and false, and instants become ISO 8601 with all six digits of the second and the offset,
so that every cell of a column has the same form. `infinity` and years before Christ have no such form and stay as
PostgreSQL writes them.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.catalogue import Column

_INSTANT = re.compile(r"(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(\+00)?")
_BOOLEANS = {"t": "true", "f": "false"}


class Kind(Enum):
    """The kind of a cell. Every type that is none of the other kinds is text."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    DATE = "date"
    ID = "id"
    TEXT = "text"


_KINDS = {
    "smallint": Kind.NUMBER,
    "integer": Kind.NUMBER,
    "bigint": Kind.NUMBER,
    "real": Kind.NUMBER,
    "double precision": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "timestamp with time zone": Kind.INSTANT,
    "timestamp without time zone": Kind.INSTANT,
    "date": Kind.DATE,
    "uuid": Kind.ID,
}


def kind(column: Column) -> Kind:
    """Return the kind of a column's cells."""
    if column.is_array:
        return Kind.TEXT
    if column.type.startswith("numeric"):
        return Kind.NUMBER
    return _KINDS.get(re.sub(r"\(\d\)", "", column.type), Kind.TEXT)


def form(column: Column) -> Callable[[str], str] | None:
    """Return the function that turns PostgreSQL's text into ours, or None where the text stays unchanged."""
    match kind(column):
        case Kind.BOOLEAN:
            return _BOOLEANS.__getitem__
        case Kind.INSTANT:
            return instant
        case _:
            return None


def instant(text: str) -> str:
    """Return an instant as 2026-03-01T12:00:00.000000+00:00; one without a zone has no offset."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        return text
    day, time, fraction, zone = found.groups()
    return f"{day}T{time}.{(fraction or '').ljust(6, '0')}{'+00:00' if zone else ''}"
