"""Updates many rows by one statement: their values come in as parameters, one array for each column.

Not by a temporary table: making and dropping one writes some sixty rows of the catalog, many times what a few changed
calls take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import psycopg

ROWS_AT_ONCE = 500
CHARACTERS_AT_ONCE = 8 * 1024 * 1024
"""The most of one statement: its values are in memory as one message, several times over."""


def update_rows(
    tx: psycopg.Connection[Any],
    table: str,
    types: Mapping[str, str],
    sets: Mapping[str, str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Update rows of `table` (t in the statement) by those given (s), which have the columns `types` in this order.

    The first column is the key. `sets` are the new values, by column, in SQL. A column that is an array itself is given
    as PostgreSQL's text of it (`copying.text_array`), because arrays of arrays are taken apart down to their elements.
    """
    is_array = {name: kind.endswith("[]") for name, kind in types.items()}
    key, *_ = types
    given = ", ".join(f"%s::{'text' if is_array[name] else kind}[]" for name, kind in types.items())
    read = ", ".join(f"{name}::{kind} AS {name}" if is_array[name] else name for name, kind in types.items())
    statement = (
        f"UPDATE {table} t SET {', '.join(f'{name} = {value}' for name, value in sets.items())} "
        f"FROM (SELECT {read} FROM unnest({given}) AS given ({', '.join(types)})) s WHERE s.{key} = t.{key}"
    )
    for some in _portions(rows):
        tx.execute(statement, [list(values) for values in zip(*some, strict=True)])


def _portions(rows: Sequence[tuple[object, ...]]) -> Iterator[list[tuple[object, ...]]]:
    """Divide rows by their number, and by how much text they hold."""
    some: list[tuple[object, ...]] = []
    size = 0
    for row in rows:
        weight = sum(len(value) for value in row if isinstance(value, str | bytes))
        if some and (len(some) == ROWS_AT_ONCE or size + weight > CHARACTERS_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(row)
        size += weight
    if some:
        yield some
