"""Roll-ups: what the reports count, kept by day or by call, and always equal to counting it now.

A file of sql/rollups makes a view in schema `rollup`. Where its header says `Kept: by day`, the view is NAME_plain,
the definition over all calls, and three things are made from it: a table NAME of the same columns, and a view
NAME_current that reads the table for days that are up to date and the definition for those that are not
(`rollup.stale`). So a report is never behind the calls, only slower until the touched days are refreshed. `Kept: by
call` makes the table only; triggers (90_triggers.sql) keep it.

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
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import psycopg

    from replicator.store.database import Database

KEPT = re.compile(r"^-- Kept: by (day|call)$", re.MULTILINE)
VIEW = re.compile(r"^CREATE OR REPLACE VIEW rollup\.([a-z_]+) ", re.MULTILINE)
DAYS_AT_ONCE = 10
"""Days that one transaction computes anew."""
LOCK = 7_235_401_102  # an arbitrary number that only refreshing takes

# Calls without the instant stand on the day minus infinity in the tables and on no day in the reports. Their own
# branch keeps `day` a plain column in the large one, so that a report's condition on days reaches the index.
CURRENT = """
CREATE VIEW rollup.{name}_current AS
SELECT account, day, {columns} FROM rollup.{name} r
WHERE day > '-infinity' AND NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = r.account AND s.day = r.day)
UNION ALL
SELECT account, NULL::date, {columns} FROM rollup.{name} r
WHERE day = '-infinity' AND NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = r.account AND s.day = r.day)
UNION ALL
SELECT s.account, nullif(s.day, '-infinity'), {columns}
FROM rollup.stale s CROSS JOIN LATERAL (
    -- OFFSET 0: the definition is computed for this one day, by its index, not for all.
    SELECT {columns} FROM rollup.{name}_plain p WHERE p.account = s.account AND p.day = s.day OFFSET 0
) l
"""
TOUCH_ALL = """
INSERT INTO rollup.touched (account, day)
SELECT DISTINCT c.account, coalesce((v.at AT TIME ZONE r.time_zone)::date, '-infinity')
FROM truedy.calls c CROSS JOIN replicator.reporting r CROSS JOIN LATERAL (VALUES
    (c.created_at), (coalesce(c.started_at, c.created_at)), (coalesce(c.ended_at, c.created_at))) v (at)
"""


@dataclass(frozen=True, slots=True)
class Rollup:
    """One file of sql/rollups. `kept` is day, call or empty; `name` is the table's, or the view's where none is kept."""

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


def daily(sql_folder: Path) -> tuple[str, ...]:
    """Return the names of the roll-ups that are kept by day: what `refresh` takes."""
    return tuple(each.name for each in load(sql_folder / "rollups") if each.kept == "day")


def sha256(rollups: Sequence[Rollup]) -> bytes:
    """Return one hash of all of them: they stand on each other, so a change of one is a change of all."""
    return hashlib.sha256("\0".join(each.text for each in rollups).encode() + CURRENT.encode()).digest()


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
        else:
            connection.exec_driver_sql(f"CREATE INDEX ON rollup.{each.name} (day, account)")
            columns = connection.execute(
                sa.text(
                    "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid "
                    "= CAST(:name AS regclass) AND attnum > 0 AND attname NOT IN ('account', 'day')"
                ),
                {"name": f"rollup.{each.name}"},
            ).scalar_one()
            connection.exec_driver_sql(CURRENT.format(name=each.name, columns=columns))
    touch_everything(connection)


def touch_everything(connection: sa.Connection) -> None:
    """Mark every day of every account as not up to date."""
    connection.exec_driver_sql("DELETE FROM rollup.days")
    connection.exec_driver_sql("DELETE FROM rollup.touched")
    connection.exec_driver_sql(TOUCH_ALL)


def refresh(
    database: Database, names: Sequence[str], *, most: int | None = None, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Compute the roll-ups `names` (those kept by day) anew for days that are not up to date, newest first.

    Stops after `most` days, or when `go_on` says so; returns how many days were computed. Only one session refreshes
    at a time: where another one does, nothing is done.
    """
    done = 0
    while go_on() and (most is None or done < most):
        limit = DAYS_AT_ONCE if most is None else min(DAYS_AT_ONCE, most - done)
        with database.transaction() as tx:
            found = _refresh_some(tx, names, limit)
        done += found
        if found < limit:
            break
    return done


def _refresh_some(tx: psycopg.Connection[Any], names: Sequence[str], limit: int) -> int:
    tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    row = tx.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()
    if row is None or not row[0]:
        return 0
    chosen = tx.execute(
        "SELECT account, day::text FROM rollup.stale ORDER BY rollup.stale.day DESC, account LIMIT %s", [limit]
    ).fetchall()
    if not chosen:
        return 0
    days = {"accounts": [account for account, _ in chosen], "days": [day for _, day in chosen]}
    those = sql.SQL("(SELECT unnest(%(accounts)s::text[]) AS account, unnest(%(days)s::date[]) AS day)")
    for name in names:
        table, plain = sql.Identifier("rollup", name), sql.Identifier("rollup", f"{name}_plain")
        tx.execute(
            sql.SQL("DELETE FROM {} r USING {} s WHERE r.account = s.account AND r.day = s.day").format(table, those),
            days,
        )
        tx.execute(
            sql.SQL(
                "INSERT INTO {} SELECT l.* FROM {} s CROSS JOIN LATERAL "
                "(SELECT * FROM {} p WHERE p.account = s.account AND p.day = s.day OFFSET 0) l"
            ).format(table, those, plain),
            days,
        )
    tx.execute(
        sql.SQL("DELETE FROM rollup.touched t USING {} s WHERE t.account = s.account AND t.day = s.day").format(those),
        days,
    )
    tx.execute(
        sql.SQL("DELETE FROM rollup.days t USING {} s WHERE t.account = s.account AND t.day = s.day").format(those),
        days,
    )
    # A day without calls is known no longer: where the reporting time zone changed, or its calls moved.
    tx.execute(
        sql.SQL(
            "INSERT INTO rollup.days (account, day, refreshed_at, valid_until) "
            "SELECT s.account, s.day, clock_timestamp(), "
            "(SELECT min(f.next_change_at) FROM rollup.funnel f WHERE f.account = s.account AND f.day = s.day) "
            "FROM {} s WHERE EXISTS (SELECT FROM rollup.funnel f WHERE f.account = s.account AND f.day = s.day) "
            "OR EXISTS (SELECT FROM rollup.durations f WHERE f.account = s.account AND f.day = s.day) "
            "OR EXISTS (SELECT FROM rollup.costs f WHERE f.account = s.account AND f.day = s.day)"
        ).format(those),
        days,
    )
    return len(chosen)
