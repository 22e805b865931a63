"""Reads what schema `analytics` offers (views, columns, types, comments, this user's rights), and the rows of a view.

Every user can read the catalog, so a user also sees the name of a view that they may not read. Rows are read as text by
one COPY, in one snapshot, and only a few are in memory at a time. Names are quoted identifiers that the catalog listed,
and values are literals: no text of a user becomes SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from replicator.errors import SchemaTooOld
from replicator.store import naming

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from datetime import date, datetime

    import psycopg

Row = tuple[str | None, ...]
"""One row, each cell as PostgreSQL writes it; None is null."""

_TEXT_FORM = (
    "SET LOCAL client_encoding = 'UTF8'; SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO, YMD'; "
    "SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; "
    "SET LOCAL statement_timeout TO DEFAULT"
)
"""Settings that decide how values are written as text, beside those of every transaction. How long a reader may read is
decided by the administrator.
"""

_VIEWS = """
SELECT c.oid, c.relname, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'analytics' AND c.relkind IN ('v', 'm') ORDER BY c.relname
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, t.typcategory = 'A',
    coalesce(col_description(a.attrelid, a.attnum), ''), has_column_privilege(a.attrelid, a.attnum, 'SELECT')
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is its PostgreSQL type as `format_type` spells it, such as numeric(18,6)."""

    name: str
    type: str
    is_nullable: bool = True
    is_array: bool = False
    comment: str = ""
    is_readable: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """One view, and what this user may do with it."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    schema: str = "analytics"

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Offer:
    """The schema as this user sees it: the names of its views, and each view on demand."""

    user: str
    is_usable: bool
    """Whether this user has USAGE on the schema."""
    oids: dict[str, int]
    comments: dict[str, str]
    schema: str = "analytics"
    """The schema's name in this database."""

    @property
    def names(self) -> list[str]:
        return list(self.oids)


@dataclass(frozen=True, slots=True)
class Choice:
    """What to read: columns of a view, and which rows. Days include both ends."""

    view: View
    columns: tuple[Column, ...]
    day: Column | None = None
    since: date | None = None
    until: date | None = None
    account: str | None = None


def begin(tx: psycopg.Connection[Any]) -> datetime:
    """Make this transaction a read-only snapshot; return its instant. Must be the first statement."""
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    tx.execute(_TEXT_FORM)
    row = tx.execute("SELECT now()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM has a row
    instant: datetime = row[0]
    return instant


def offer(tx: psycopg.Connection[Any], place: str) -> Offer:
    """Return the views that exist. Raises SchemaTooOld where the schema does not exist."""
    row = tx.execute(
        "SELECT current_user, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'analytics'"
    ).fetchone()
    schema = naming.of(tx).analytics
    if row is None:
        raise SchemaTooOld(f"the database at {place} has no schema {schema} yet")
    found = tx.execute(_VIEWS).fetchall()
    oids, comments = {name: oid for oid, name, _ in found}, {name: comment for _, name, comment in found}
    return Offer(row[0], row[1], oids, comments, schema)


def view(tx: psycopg.Connection[Any], there: Offer, name: str) -> View:
    """Return one of the views that are there."""
    rows = tx.execute(_COLUMNS, [there.oids[name]]).fetchall()
    return View(name, there.comments[name], tuple(Column(*row) for row in rows), there.schema)


def rows(tx: psycopg.Connection[Any], choice: Choice) -> Generator[Row, None, None]:
    """Read the rows as text, one after the other; nothing is kept."""
    try:
        # A user's view may call the user's functions, which need the user's own search path.
        tx.execute("SET LOCAL search_path TO DEFAULT")
        with tx.cursor().copy(_statement(choice)) as copy:
            yield from copy.rows()
    except KeyboardInterrupt:
        # The driver has cancelled the statement and the connection's state is unknown, so no rollback can be sent.
        tx.close()
        raise


def _statement(choice: Choice) -> sql.Composed:
    conditions: list[sql.Composable] = []
    if choice.day is not None and choice.since is not None:
        conditions.append(_compared(choice.day.name, ">=", choice.since))
    if choice.day is not None and choice.until is not None:
        conditions.append(_compared(choice.day.name, "<=", choice.until))
    if choice.account is not None:
        conditions.append(_compared("account", "=", choice.account))
    return sql.SQL("COPY (SELECT {columns} FROM {view}{where}) TO STDOUT").format(
        columns=sql.SQL(", ").join(map(_selected, choice.columns)),
        view=sql.Identifier("analytics", choice.view.name),
        where=sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL(""),
    )


def _compared(name: str, operator: str, value: object) -> sql.Composed:
    return sql.SQL("{} {} {}").format(sql.Identifier(name), sql.SQL(operator), sql.Literal(value))


def _selected(column: Column) -> sql.Composed:
    # JSON, because no other program reads PostgreSQL's own notation of arrays.
    return sql.SQL("to_json({})" if column.is_array else "{}").format(sql.Identifier(column.name))


__all__: Sequence[str] = ["Choice", "Column", "Offer", "Row", "View", "begin", "offer", "rows", "view"]
