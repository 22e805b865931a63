"""Updates many rows by one statement: their values come in as parameters, one array for each column.

Not by a temporary table: making and dropping one writes some sixty rows of the catalog, many times what a few changed
calls take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psycopg

ROWS_AT_ONCE = 500
"""The most rows of one statement: their payloads are in memory as one message."""


def update_rows(
    tx: psycopg.Connection[Any],
    table: str,
    types: Mapping[str, str],
    sets: Mapping[str, str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Update rows of `table` (t in the statement) by those given (s), which have the columns `types` in this order.

    The first column is the key. `sets` are the new values, by column, in SQL. A column that is an array itself is given
    as PostgreSQL's text of it (`text_of_array`), because arrays of arrays are taken apart down to their elements.
    """
    is_array = {name: kind.endswith("[]") for name, kind in types.items()}
    key, *_ = types
    given = ", ".join(f"%s::{'text' if is_array[name] else kind}[]" for name, kind in types.items())
    read = ", ".join(f"{name}::{kind} AS {name}" if is_array[name] else name for name, kind in types.items())
    statement = (
        f"UPDATE {table} t SET {', '.join(f'{name} = {value}' for name, value in sets.items())} "
        f"FROM (SELECT {read} FROM unnest({given}) AS given ({', '.join(types)})) s WHERE s.{key} = t.{key}"
    )
    for first in range(0, len(rows), ROWS_AT_ONCE):
        tx.execute(statement, [list(values) for values in zip(*rows[first : first + ROWS_AT_ONCE], strict=True)])


def text_of_array(words: Sequence[str]) -> str:
    """Return a text array as PostgreSQL writes it."""
    return "{" + ",".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words) + "}"
