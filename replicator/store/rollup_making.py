"""Creates the roll-ups of sql/rollups: their views and functions anew, their tables in place.

An existing table is emptied and given the columns of its definition; it is never dropped and made anew. So everything
that a database administrator set on it stays: rights, replica identity, membership of publications, storage parameters,
indexes, policies, comments, own columns. The dimensions of a roll-up may be null, so it has no primary key. Its replica
identity is the full row, which costs nothing without logical replication and needs no additional column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from replicator.errors import ForeignObjects
from replicator.store.objects import Thing
from replicator.store.rollups import AGENTS, CALLS, CURRENT, MONTHS, Rollup, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from replicator.store.objects import Standing

FUNCTION = re.compile(r"^CREATE OR REPLACE FUNCTION rollup\.([a-z_]+)\(([^)]*)\)", re.MULTILINE)
TRIGGER = re.compile(r"^CREATE OR REPLACE TRIGGER ([a-z_]+) [^;]*? ON ([a-z_]+\.[a-z_]+)", re.MULTILINE)
ROUTINES_OF_EARLIER_RELEASES = ("keep_conversations()",)
"""They are dropped: no trigger calls them any more."""
BOOKS = frozenset({"touched", "days"})
"""The tables that migrations make in schema rollup."""
STANDS_ON_IT = (
    psycopg.errors.DependentObjectsStillExist,
    psycopg.errors.FeatureNotSupported,  # the type of a column that a view uses; a table that a foreign key points to
)

TOUCH_ALL = """
INSERT INTO rollup.touched (account, day)
SELECT DISTINCT c.account, coalesce((v.at AT TIME ZONE z.zone)::date + n.days, '-infinity')
FROM truedy.calls c CROSS JOIN rollup.zone() z CROSS JOIN generate_series(-z.slack, z.slack) n (days) CROSS JOIN LATERAL (VALUES
    (c.created_at), (coalesce(c.started_at, c.created_at)), (coalesce(c.ended_at, c.created_at))) v (at)
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a roll-up: a dimension, a sum, or the latest of instants."""

    name: str
    type: str

    @property
    def is_dimension(self) -> bool:
        return self.type in {"text", "uuid"}

    @property
    def sum(self) -> str:
        if self.type.startswith("timestamp"):
            return f"max({self.name}) AS {self.name}"
        return f"sum({self.name})::{self.type} AS {self.name}"


def tables(rollups: Iterable[Rollup]) -> dict[str, tuple[str, ...]]:
    """Return {table: indexes} of all tables that are made from the roll-ups."""
    found: dict[str, tuple[str, ...]] = {}
    for each in rollups:
        if each.kept == "call":
            found[each.name] = (f"{each.name}_pkey",)
            found[f"{each.name}_touched"] = (f"{each.name}_touched_call_id_idx",)
        elif each.kept:
            found[each.name] = (f"{each.name}_day_account_idx",)
        if each.kept == "day, agent and month":
            found[each.name] += (f"{each.name}_date_trunc_idx",)
            found[f"{each.name}_agents"] = (f"{each.name}_agents_day_account_idx",)
            found[f"{each.name}_months"] = (f"{each.name}_months_month_account_idx",)
    return found


def things(rollups: Sequence[Rollup]) -> frozenset[Thing]:
    """Return everything that `make` creates, as the catalog names it."""
    kept = tables(rollups)
    names = {*kept, *(index for indexes in kept.values() for index in indexes)}
    names |= {each.name for each in rollups if each.name and not each.kept}
    names |= {f"{name}{part}" for name in kept if not name.endswith("_touched") for part in ("_plain", "_current")}
    names |= {f"{each.name}_live" for each in rollups if each.kept.startswith("day")}
    routines = {f"{name}({_types(given)})" for each in rollups for name, given in FUNCTION.findall(each.text)}
    return frozenset(
        {Thing("relation", "rollup", name) for name in names} | {Thing("routine", "rollup", name) for name in routines}
    )


def _types(arguments: str) -> str:
    """Return the types of `name type, name type`, as the catalog writes them."""
    return ", ".join(argument.split(maxsplit=1)[1] for argument in arguments.split(",") if argument.strip())


def triggers(rollups: Sequence[Rollup]) -> Mapping[str, set[str]]:
    """Return the names of the triggers, by table."""
    found: dict[str, set[str]] = {}
    for each in rollups:
        for name, table in TRIGGER.findall(each.text):
            found.setdefault(table, set()).add(name)
    return found


def make(connection: sa.Connection, rollups: Sequence[Rollup], standing: Standing) -> None:
    """Make views, tables and triggers; fill the roll-ups by call, and touch every day. No view of ours in `analytics`
    exists now.

    Raises ForeignObjects where an object of another user depends on something that has to change.
    """
    earlier = {
        name: [column.name for column in _columns(connection, name)] for name in standing.relations("rollup", "view")
    }
    _drop(connection, "VIEW", standing.relations("rollup", "view"))
    wanted = tables(rollups)
    _drop(
        connection, "TABLE", [name for name in standing.relations("rollup", "table") if name not in {*wanted, *BOOKS}]
    )
    there = {name for name in standing.relations("rollup", "table") if name in wanted}

    def table(name: str) -> None:
        if name in there:
            _fit(connection, name, earlier.get(f"{name}_plain", ()))
        else:
            connection.exec_driver_sql(f"CREATE TABLE rollup.{name} AS TABLE rollup.{name}_plain WITH NO DATA")

    for each in rollups:
        run(connection, each.text)
        if each.kept:
            table(each.name)
        if each.kept == "call":
            _make_by_call(connection, each.name, there)
        elif each.kept:
            _make_daily(connection, each, table)
    for name in ROUTINES_OF_EARLIER_RELEASES:
        if standing.has("rollup", name, "routine"):
            _run_unless_stood_on(connection, f"DROP FUNCTION rollup.{name}", f"rollup.{name}")
    touch_everything(connection)


def _make_by_call(connection: sa.Connection, name: str, there: Collection[str]) -> None:
    """Fill a roll-up by call, empty its table of touched calls, and make the view to be read."""
    touched = f"{name}_touched"
    if touched in there:
        connection.exec_driver_sql(f"DELETE FROM rollup.{touched}")
    else:
        connection.exec_driver_sql(f"CREATE TABLE rollup.{touched} (call_id uuid NOT NULL)")
    _fill(connection, name, has_key=name in there)
    columns = ", ".join(column.name for column in _columns(connection, f"{name}_plain") if column.name != "call_id")
    connection.exec_driver_sql(CALLS.format(name=name, columns=columns))


def _make_daily(connection: sa.Connection, each: Rollup, table: Callable[[str], None]) -> None:
    """Make the parts of a roll-up by day: the view of stale days, the view to be read, and its
    sums by agent and month.
    """
    live = each.text.replace(f"rollup.{each.name}_plain", f"rollup.{each.name}_live")
    run(connection, live.replace("rollup.day_bounds", "rollup.stale_bounds"))
    columns = [column for column in _columns(connection, f"{each.name}_plain") if column.name not in {"account", "day"}]
    parts = {
        "name": each.name,
        "columns": ", ".join(column.name for column in columns),
        "dimensions": ", ".join(column.name for column in columns if column.is_dimension),
        "measures": ", ".join(column.name for column in columns if not column.is_dimension),
        "sums": ", ".join(column.sum for column in columns if not column.is_dimension),
    }
    connection.exec_driver_sql(CURRENT.format(**parts))
    if each.kept == "day, agent and month":
        for templates, name in ((AGENTS, f"{each.name}_agents"), (MONTHS, f"{each.name}_months")):
            plain, rest = templates.format(**parts).split("\n--\n")
            connection.exec_driver_sql(plain)
            table(name)
            connection.exec_driver_sql(rest)


def identify(connection: sa.Connection) -> None:
    """Give each table of ours without a key a replica identity, if it has the default one, which is none without a key.

    A user's own choice stays. The book (objects.py) must be up to date.
    """
    for name in connection.execute(sa.text(_WITHOUT)).scalars().all():
        connection.exec_driver_sql(f"ALTER TABLE {name} REPLICA IDENTITY FULL")


def touch_everything(connection: sa.Connection) -> None:
    """Mark every day of every account as stale."""
    connection.exec_driver_sql("DELETE FROM rollup.days")
    connection.exec_driver_sql("DELETE FROM rollup.touched")
    connection.exec_driver_sql(TOUCH_ALL)


def _fill(connection: sa.Connection, name: str, *, has_key: bool) -> None:
    names = ", ".join(column.name for column in _columns(connection, f"{name}_plain"))
    connection.exec_driver_sql(f"INSERT INTO rollup.{name} ({names}) SELECT {names} FROM rollup.{name}_plain")
    if not has_key:
        connection.exec_driver_sql(f"ALTER TABLE rollup.{name} ADD PRIMARY KEY (call_id)")


def _fit(connection: sa.Connection, name: str, ours: Sequence[str]) -> None:
    """Empty an existing table, and give it the columns of its definition. `ours` are the columns that we gave it
    before.
    """
    has = {column.name: column.type for column in _columns(connection, name)}
    wanted = {column.name: column.type for column in _columns(connection, f"{name}_plain")}
    theirs = [one for one in wanted if one in has and has[one] != wanted[one] and one not in ours]
    if theirs:
        raise ForeignObjects(
            f"the table rollup.{name} has columns of somebody else that the replicator would make: {', '.join(theirs)}",
            advice="rename them, and run replicator migrate again; nothing was changed",
        )
    table = f"rollup.{name}"
    # A subscriber of a publication without TRUNCATE would keep the old rows.
    is_untold = connection.exec_driver_sql("SELECT EXISTS (SELECT FROM pg_publication WHERE NOT pubtruncate)").scalar()
    steps = [f"DELETE FROM {table}" if is_untold else f"TRUNCATE {table}"]
    gone = [one for one in has if one in ours and one not in wanted]
    for one in gone:
        row = connection.execute(sa.text(_GOES_WITH.format(table=table)), {"column": one}).scalar()
        if row:
            raise _stands_on_it(table, row)
    steps += [f"ALTER TABLE {table} DROP COLUMN {one}" for one in gone]
    changed = [one for one in wanted if one in has and has[one] != wanted[one]]
    steps += [f"ALTER TABLE {table} ALTER COLUMN {one} TYPE {wanted[one]} USING NULL" for one in changed]
    steps += [f"ALTER TABLE {table} ADD COLUMN {one} {kind}" for one, kind in wanted.items() if one not in has]
    for step in steps:
        _run_unless_stood_on(connection, step, table)


def _drop(connection: sa.Connection, word: str, names: Sequence[str]) -> None:
    """Drop our objects, all at once and never with CASCADE."""
    if names:
        all_ = ", ".join(f'rollup."{name}"' for name in names)
        _run_unless_stood_on(connection, f"DROP {word} {all_}", "schema rollup")


def _run_unless_stood_on(connection: sa.Connection, statement: str, name: str) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if isinstance(error.orig, STANDS_ON_IT):
            raise _stands_on_it(name, error.orig.diag.message_detail or error.orig.diag.message_primary or "") from None
        raise


def _stands_on_it(name: str, detail: str) -> ForeignObjects:
    return ForeignObjects(
        f"roll-ups changed ({name}), and something of yours stands on them: {detail}",
        advice="drop it, run replicator migrate, and make it again; nothing was changed",
    )


def _columns(connection: sa.Connection, name: str) -> list[Column]:
    rows = connection.execute(
        sa.text(
            f"SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = CAST('rollup.{name}' AS regclass) "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
    )
    return [Column(*row) for row in rows]


_WITHOUT = """
SELECT format('%I.%I', o.schema, o.name) FROM replicator.objects o JOIN pg_class c ON c.oid = o.oid
WHERE o.kind = 'relation' AND c.relkind = 'r' AND c.relreplident = 'd'
    AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
"""
_GOES_WITH = """
SELECT string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ') FROM pg_depend d JOIN pg_attribute a
    ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = CAST('{table}' AS regclass) AND a.attname = :column AND d.deptype = 'a'
"""
