"""Roll-ups: what the reports count, kept by day, month or call, and always equal to counting it now.

A file of sql/rollups makes a view in schema `rollup`. Where its header says `Kept: by day`, the view is NAME_plain, the
definition over all days of `rollup.day_bounds`, and three things are made from it: a table NAME of the same columns; a
view NAME_live, the same over the days that are not up to date (`rollup.stale_bounds`); and a view NAME_current, which
reads the table for all other days and the live view for those. So a report is never behind the calls, only slower until
the touched days are refreshed. `Kept: by day, agent and month` makes NAME_agents and NAME_months beside it, in the same
way: its sums over everything but the agent, and of whole months. `Kept: by call` makes the table only; triggers
(90_triggers.sql) keep it.

Days are touched by triggers in the transaction that writes. `refresh` computes touched days anew, a few in a
transaction whose snapshot also says which touches it has seen: what is touched meanwhile stays touched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import psycopg

    from replicator.store.database import Database

KEPT = re.compile(r"^-- Kept: by (day|day, agent and month|call)$", re.MULTILINE)
VIEW = re.compile(r"^CREATE OR REPLACE VIEW rollup\.([a-z_]+) ", re.MULTILINE)
DAYS_AT_ONCE = 10
"""Days that one transaction computes anew."""
LOCK = 7_235_401_102  # an arbitrary number that only refreshing takes

# Calls without the instant are on the day minus infinity, which is never kept, and on no day in the reports.
CURRENT = """
CREATE VIEW rollup.{name}_current AS
SELECT account, day, {columns} FROM rollup.{name} r
WHERE NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = r.account AND s.day = r.day)
UNION ALL
SELECT account, nullif(day, '-infinity'), {columns} FROM rollup.{name}_live
"""
AGENTS = """
CREATE VIEW rollup.{name}_agents_plain AS
SELECT account, day, agent_id, {sums} FROM rollup.{name} GROUP BY account, day, agent_id;
CREATE TABLE rollup.{name}_agents AS TABLE rollup.{name}_agents_plain WITH NO DATA;
CREATE INDEX ON rollup.{name}_agents (day, account);
CREATE VIEW rollup.{name}_agents_current AS
SELECT account, day, agent_id, {measures} FROM rollup.{name}_agents r
WHERE NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = r.account AND s.day = r.day)
UNION ALL
SELECT account, nullif(day, '-infinity'), agent_id, {sums} FROM rollup.{name}_live GROUP BY account, day, agent_id
"""
MONTHS = """
CREATE VIEW rollup.{name}_months_plain AS
SELECT account, date_trunc('month', day::timestamp)::date AS month, {dimensions}, {sums}, min(day) AS first_day, max(day) AS last_day
FROM rollup.{name} GROUP BY account, date_trunc('month', day::timestamp)::date, {dimensions};
CREATE INDEX ON rollup.{name} ((date_trunc('month', day::timestamp)::date));
CREATE TABLE rollup.{name}_months AS TABLE rollup.{name}_months_plain WITH NO DATA;
CREATE INDEX ON rollup.{name}_months (month, account);
CREATE VIEW rollup.{name}_months_current AS
SELECT account, month, {dimensions}, {measures}, first_day, last_day FROM rollup.{name}_months r
WHERE NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = r.account AND date_trunc('month', s.day::timestamp)::date = r.month)
UNION ALL
SELECT s.account, s.month, {dimensions}, {measures}, first_day, last_day
FROM (SELECT DISTINCT account, date_trunc('month', day::timestamp)::date AS month FROM rollup.stale WHERE day > '-infinity') s
CROSS JOIN LATERAL (
    -- OFFSET 0: a month's days are found by their index.
    SELECT {dimensions}, {sums}, min(day) AS first_day, max(day) AS last_day FROM rollup.{name}_current d
    WHERE d.account = s.account AND d.day >= s.month AND d.day < (s.month + interval '1 month')::date
    GROUP BY {dimensions} OFFSET 0
) l
UNION ALL
SELECT account, NULL, {dimensions}, {measures}, NULL, NULL FROM rollup.{name}_current WHERE day IS NULL
"""
TOUCH_ALL = """
INSERT INTO rollup.touched (account, day)
SELECT DISTINCT c.account, coalesce((v.at AT TIME ZONE r.time_zone)::date, '-infinity')
FROM truedy.calls c CROSS JOIN replicator.reporting r CROSS JOIN LATERAL (VALUES
    (c.created_at), (coalesce(c.started_at, c.created_at)), (coalesce(c.ended_at, c.created_at))) v (at)
"""


@dataclass(frozen=True, slots=True)
class Rollup:
    """One file of sql/rollups. `kept` is day, day, agent and month, call or empty; `name` is the table's, or the view's where none is kept."""

    name: str
    kept: str
    text: str


def load(folder: Path) -> list[Rollup]:
    """Read the files in their order; one without a view (triggers) has no name."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        view, kept = VIEW.search(text), KEPT.search(text)
        name = view[1].removesuffix("_plain") if view else ""
        found.append(Rollup(name, kept[1] if kept else "", text))
    return found


def run(connection: sa.Connection, text: str) -> None:
    """Run a file's text as it is: a percent sign in it is no placeholder."""
    connection.exec_driver_sql(text.replace("%", "%%"))


def daily(sql_folder: Path) -> tuple[Rollup, ...]:
    """Return the roll-ups that are kept by day: what `refresh` takes."""
    return tuple(each for each in load(sql_folder / "rollups") if each.kept.startswith("day"))


def sha256(rollups: Sequence[Rollup]) -> bytes:
    """Return one hash of all of them: they stand on each other, so a change of one is a change of all."""
    return hashlib.sha256(
        "\0".join(each.text for each in rollups).encode() + (CURRENT + AGENTS + MONTHS).encode()
    ).digest()


def drop(connection: sa.Connection) -> None:
    """Drop all that `create` ever made, of earlier releases too, never by cascade. `analytics` is empty already."""
    for kind, word in (("v", "VIEW"), ("r", "TABLE")):
        names = connection.execute(
            sa.text(
                "SELECT string_agg(format('rollup.%I', relname), ', ') FROM pg_class WHERE relkind = :kind "
                "AND relnamespace = CAST('rollup' AS regnamespace) AND relname NOT IN ('touched', 'days')"
            ),
            {"kind": kind},
        ).scalar()
        if names:
            connection.exec_driver_sql(f"DROP {word} {names}")


def create(connection: sa.Connection, rollups: Sequence[Rollup]) -> None:
    """Make views, tables and triggers; fill what is kept by call, and touch every day."""
    for each in rollups:
        run(connection, each.text)
        if not each.kept:
            continue
        connection.exec_driver_sql(f"CREATE TABLE rollup.{each.name} AS TABLE rollup.{each.name}_plain WITH NO DATA")
        if each.kept == "call":
            connection.exec_driver_sql(f"INSERT INTO rollup.{each.name} SELECT * FROM rollup.{each.name}_plain")
            connection.exec_driver_sql(f"ALTER TABLE rollup.{each.name} ADD PRIMARY KEY (call_id)")
            continue
        connection.exec_driver_sql(f"CREATE INDEX ON rollup.{each.name} (day, account)")
        live = each.text.replace(f"rollup.{each.name}_plain", f"rollup.{each.name}_live")
        run(connection, live.replace("rollup.day_bounds", "rollup.stale_bounds"))
        columns = _columns(connection, each.name)
        names = ", ".join(column.name for column in columns)
        connection.exec_driver_sql(CURRENT.format(name=each.name, columns=names))
        if each.kept == "day, agent and month":
            parts = {
                "name": each.name,
                "dimensions": ", ".join(column.name for column in columns if column.is_dimension),
                "measures": ", ".join(column.name for column in columns if not column.is_dimension),
                "sums": ", ".join(column.sum for column in columns if not column.is_dimension),
            }
            connection.exec_driver_sql(AGENTS.format(**parts))
            connection.exec_driver_sql(MONTHS.format(**parts))
    touch_everything(connection)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a roll-up beside account and day: what it is grouped by, a sum, or the last of instants."""

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


def _columns(connection: sa.Connection, name: str) -> list[Column]:
    rows = connection.execute(
        sa.text(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = CAST(:name AS regclass) "
            "AND attnum > 0 AND attname NOT IN ('account', 'day') ORDER BY attnum"
        ),
        {"name": f"rollup.{name}"},
    )
    return [Column(*row) for row in rows]


def touch_everything(connection: sa.Connection) -> None:
    """Mark every day of every account as not up to date."""
    connection.exec_driver_sql("DELETE FROM rollup.days")
    connection.exec_driver_sql("DELETE FROM rollup.touched")
    connection.exec_driver_sql(TOUCH_ALL)


def refresh(
    database: Database,
    kept: Sequence[Rollup],
    *,
    most: int | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Compute the roll-ups `kept` (those by day) anew for days that are not up to date, newest first.

    Stops after `most` days, or when `go_on` says so; returns how many days were computed. Only one session refreshes
    at a time: where another one does, nothing is done.
    """
    done = 0
    while go_on() and (most is None or done < most):
        limit = DAYS_AT_ONCE if most is None else min(DAYS_AT_ONCE, most - done)
        with database.transaction() as tx:
            found = _refresh_some(tx, kept, limit)
        done += found
        if found < limit:
            break
    return done


def _refresh_some(tx: psycopg.Connection[Any], kept: Sequence[Rollup], limit: int) -> int:
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    row = tx.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()
    if row is None or not row[0]:
        return 0
    # As text: Python has no day before all others.
    chosen = tx.execute(
        "SELECT account, day::text FROM rollup.stale s ORDER BY s.day DESC, account LIMIT %s", [limit]
    ).fetchall()
    if not chosen:
        return 0
    days = {"accounts": [account for account, _ in chosen], "days": [day for _, day in chosen]}
    those = sql.SQL("(SELECT unnest(%(accounts)s::text[]) AS account, unnest(%(days)s::date[]) AS day)")
    months = sql.SQL("(SELECT DISTINCT account, date_trunc('month', day::timestamp)::date AS month FROM {} d)").format(
        those
    )
    for each in kept:
        _replace(tx, each.name, "day", those, days)
        if each.kept == "day, agent and month":
            _replace(tx, f"{each.name}_agents", "day", those, days)
            _replace(tx, f"{each.name}_months", "month", months, days)
    gone = sql.SQL("DELETE FROM {} t USING {} s WHERE t.account = s.account AND t.day = s.day")
    tx.execute(gone.format(sql.Identifier("rollup", "touched"), those), days)
    tx.execute(gone.format(sql.Identifier("rollup", "days"), those), days)
    # A day without calls is known no longer: where the reporting time zone changed, or its calls moved.
    is_known = sql.SQL(" OR ").join(
        sql.SQL("EXISTS (SELECT FROM {} f WHERE f.account = s.account AND f.day = s.day)").format(
            sql.Identifier("rollup", each.name)
        )
        for each in kept
    )
    tx.execute(
        sql.SQL(
            "INSERT INTO rollup.days (account, day, refreshed_at, valid_until) "
            "SELECT s.account, s.day, clock_timestamp(), "
            "(SELECT min(f.next_change_at) FROM rollup.funnel f WHERE f.account = s.account AND f.day = s.day) "
            "FROM {} s WHERE s.day = '-infinity' OR {}"
        ).format(those, is_known),
        days,
    )
    return len(chosen)


def _replace(
    tx: psycopg.Connection[Any], name: str, unit: str, those: sql.Composable, days: Mapping[str, object]
) -> None:
    """Replace the rows of these days or months by what the definition says now."""
    parts = {
        "table": sql.Identifier("rollup", name),
        "plain": sql.Identifier("rollup", f"{name}_plain"),
        "unit": sql.Identifier(unit),
        "those": those,
    }
    tx.execute(
        # The array is there for the index: joined alone, the whole table would be read for a day.
        sql.SQL(
            "DELETE FROM {table} r USING {those} s WHERE r.account = s.account AND r.{unit} = s.{unit} "
            "AND r.{unit} = ANY (ARRAY(SELECT d.{unit} FROM {those} d))"
        ).format(**parts),
        days,
    )
    # OFFSET 0: the definition is computed for each of these by its index, not for all.
    tx.execute(
        sql.SQL(
            "INSERT INTO {table} SELECT l.* FROM {those} s CROSS JOIN LATERAL (SELECT * FROM {plain} p "
            "WHERE p.account = s.account AND p.{unit} = s.{unit} AND p.{unit} > '-infinity' OFFSET 0) l"
        ).format(**parts),
        days,
    )
