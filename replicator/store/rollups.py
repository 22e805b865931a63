"""Loads the roll-ups (what the reports count, kept by day, month or call), and refreshes their days.

A roll-up always equals counting the calls now. A file of sql/rollups makes a view in schema `rollup`. If its header
says `Kept: by day`, the view is NAME_plain, the definition over all days of `rollup.day_bounds`, and three objects are
made from it: a table NAME with the same columns; a view NAME_live, the same over the stale days
(`rollup.stale_bounds`); and a view NAME_current, which reads the table for all other days and the live view for the
stale ones. So a report never shows an old state; it is only slower until the touched days are refreshed. `Kept: by day,
agent and month` also makes NAME_agents and NAME_months in the same way: sums over everything but the agent, and of
whole months. `Kept: by call` makes NAME_plain, the table, a table NAME_touched with the calls whose rows are not up to date,
and NAME_current, which computes the rows of those calls.

Triggers (90_triggers.sql) touch days and calls in the transaction that writes. `refresh` computes touched calls and then
touched days anew, a few in one transaction. Its snapshot also shows which touches it has seen: what is touched meanwhile
stays touched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from replicator.errors import DatabaseError
from replicator.store import locks, parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import sqlalchemy as sa

    from replicator.store.database import Database

KEPT = re.compile(r"^-- Kept: by (day|day, agent and month|call)$", re.MULTILINE)
VIEW = re.compile(r"^CREATE OR REPLACE VIEW rollup\.([a-z_]+) ", re.MULTILINE)
DAYS_AT_ONCE = 10
"""The most days that one transaction computes anew."""
CALLS_AT_ONCE = 500
"""The most calls that one transaction computes anew."""
MOST_OVERTAKEN = 5

# Calls without the instant count on the day minus infinity, which is never kept, and on no day in the reports.
CURRENT = """
CREATE INDEX IF NOT EXISTS {name}_day_account_idx ON rollup.{name} (day, account);
CREATE VIEW rollup.{name}_current AS
SELECT account, day, {columns} FROM rollup.{name} r
WHERE NOT EXISTS (SELECT FROM rollup.stale s WHERE s.account = r.account AND s.day = r.day)
UNION ALL
SELECT account, nullif(day, '-infinity'), {columns} FROM rollup.{name}_live
"""
CALLS = """
CREATE INDEX IF NOT EXISTS {name}_touched_call_id_idx ON rollup.{name}_touched (call_id);
CREATE VIEW rollup.{name}_current AS
SELECT call_id, {columns} FROM rollup.{name} r
WHERE NOT EXISTS (SELECT FROM rollup.{name}_touched t WHERE t.call_id = r.call_id)
UNION ALL
SELECT t.call_id, {columns} FROM (SELECT DISTINCT call_id FROM rollup.{name}_touched) t
-- OFFSET 0: the definition is computed for these calls, by the index of their segments, never for all.
CROSS JOIN LATERAL (SELECT {columns} FROM rollup.{name}_plain p WHERE p.call_id = t.call_id OFFSET 0) l
"""
AGENTS = """
CREATE VIEW rollup.{name}_agents_plain AS
SELECT account, day, agent_id, {sums} FROM rollup.{name} GROUP BY account, day, agent_id;
--
CREATE INDEX IF NOT EXISTS {name}_agents_day_account_idx ON rollup.{name}_agents (day, account);
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
CREATE INDEX IF NOT EXISTS {name}_date_trunc_idx ON rollup.{name} ((date_trunc('month', day::timestamp)::date));
--
CREATE INDEX IF NOT EXISTS {name}_months_month_account_idx ON rollup.{name}_months (month, account);
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


@dataclass(frozen=True, slots=True)
class Rollup:
    """One file of sql/rollups. `kept` is day; day, agent and month; call; or empty. `name` is the table's, or the
    view's where nothing is kept.
    """

    name: str
    kept: str
    text: str


def load(folder: Path) -> list[Rollup]:
    """Read the files in their order; one without a view (triggers) has no name."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        text = parts.read(path)
        view, kept = VIEW.search(text), KEPT.search(text)
        name = view[1].removesuffix("_plain") if view else ""
        found.append(Rollup(name, kept[1] if kept else "", text))
    return found


def sha256(rollups: Sequence[Rollup]) -> bytes:
    """Return one hash of all roll-ups: they depend on each other, so a change of one is a change of all."""
    return hashlib.sha256(
        "\0".join(each.text for each in rollups).encode() + (CALLS + CURRENT + AGENTS + MONTHS).encode()
    ).digest()


def run(connection: sa.Connection, text: str) -> None:
    """Run a file's text unchanged: a percent sign in it is no placeholder."""
    connection.exec_driver_sql(text.replace("%", "%%"))


def kept(sql_folder: Path) -> tuple[Rollup, ...]:
    """Return the roll-ups that have tables: those that `refresh` takes."""
    return tuple(each for each in load(sql_folder / "rollups") if each.kept)


def refresh(
    database: Database,
    kept: Sequence[Rollup],
    *,
    most: int | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> int:
    """Compute the roll-ups `kept` anew: the touched calls, then the stale days, newest first. Return how many days were computed.

    It stops after `most` days, or when `go_on` returns False. Only one session refreshes at a time: if another one
    does, nothing is done.
    """
    daily = [each for each in kept if each.kept != "call"]
    refresh_calls(database, kept, go_on=go_on)
    return _repeat(database, lambda tx, limit: _refresh_some(tx, daily, limit), DAYS_AT_ONCE, most, go_on)


def refresh_calls(database: Database, kept: Sequence[Rollup], *, go_on: Callable[[], bool] = lambda: True) -> int:
    """Compute the roll-ups by call among `kept` anew for touched calls; return how many calls were computed."""
    return sum(
        _repeat(database, partial(_refresh_calls, name=each.name), CALLS_AT_ONCE, None, go_on)
        for each in kept
        if each.kept == "call"
    )


def _repeat(
    database: Database,
    refresh_some: Callable[[psycopg.Connection[Any], int], int],
    at_once: int,
    most: int | None,
    go_on: Callable[[], bool],
) -> int:
    """Call `refresh_some`, which returns how much it computed, in transactions of their own until little was left."""
    done, overtaken = 0, 0
    while go_on() and (most is None or done < most):
        limit = at_once if most is None else min(at_once, most - done)
        try:
            with database.transaction() as tx:
                tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                found = refresh_some(tx, limit) if locks.take(tx, "roll-ups") else 0
        except DatabaseError as error:
            # Another session refreshed the same rows between our snapshot and our lock: read again which are left.
            overtaken += 1
            if not isinstance(error.__cause__, psycopg.errors.SerializationFailure) or overtaken > MOST_OVERTAKEN:
                raise
            continue
        done += found
        if found < limit:
            break
    return done


def _refresh_calls(tx: psycopg.Connection[Any], limit: int, name: str) -> int:
    touched, table = sql.Identifier("rollup", f"{name}_touched"), sql.Identifier("rollup", name)
    rows = tx.execute(sql.SQL("SELECT DISTINCT call_id FROM {} LIMIT %s").format(touched), [limit]).fetchall()
    if not rows:
        return 0
    ids = [[call_id for (call_id,) in rows]]
    parts = {"table": table, "plain": sql.Identifier("rollup", f"{name}_plain"), "columns": _columns(tx)[name]}
    # First, as it fails where another session has computed one of these calls since our snapshot.
    tx.execute(sql.SQL("DELETE FROM {} WHERE call_id = ANY (%s)").format(touched), ids)
    tx.execute(sql.SQL("DELETE FROM {table} WHERE call_id = ANY (%s)").format(**parts), ids)
    tx.execute(
        sql.SQL("INSERT INTO {table} ({columns}) SELECT {columns} FROM {plain} WHERE call_id = ANY (%s)").format(
            **parts
        ),
        ids,
    )
    return len(rows)


def _refresh_some(tx: psycopg.Connection[Any], kept: Sequence[Rollup], limit: int) -> int:
    # As text, because Python has no date for minus infinity.
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
    columns = _columns(tx)
    for each in kept:
        _replace(tx, each.name, columns, "day", those, days)
        if each.kept == "day, agent and month":
            _replace(tx, f"{each.name}_agents", columns, "day", those, days)
            _replace(tx, f"{each.name}_months", columns, "month", months, days)
    gone = sql.SQL("DELETE FROM {} t USING {} s WHERE t.account = s.account AND t.day = s.day")
    tx.execute(gone.format(sql.Identifier("rollup", "touched"), those), days)
    is_known = sql.SQL(" OR ").join(
        sql.SQL("EXISTS (SELECT FROM {} f WHERE f.account = s.account AND f.day = s.day)").format(
            sql.Identifier("rollup", each.name)
        )
        for each in kept
    )
    # A day without calls is removed: the reporting time zone was changed, or its calls moved.
    tx.execute(
        sql.SQL(
            "WITH kept AS (INSERT INTO rollup.days AS k (account, day, refreshed_at, valid_until) "
            "SELECT s.account, s.day, clock_timestamp(), "
            "least((SELECT min(f.next_change_at) FROM rollup.funnel f WHERE f.account = s.account AND f.day = s.day), "
            "(SELECT min(f.next_change_at) FROM rollup.costs f WHERE f.account = s.account AND f.day = s.day)) "
            "FROM {those} s WHERE s.day = '-infinity' OR {is_known} ON CONFLICT (account, day) DO UPDATE SET "
            "refreshed_at = excluded.refreshed_at, valid_until = excluded.valid_until RETURNING k.account, k.day) "
            "DELETE FROM rollup.days d USING {those} s WHERE d.account = s.account AND d.day = s.day "
            "AND NOT EXISTS (SELECT FROM kept WHERE kept.account = d.account AND kept.day = d.day)"
        ).format(those=those, is_known=is_known),
        days,
    )
    return len(chosen)


def _columns(tx: psycopg.Connection[Any]) -> dict[str, sql.Composed]:
    """Return the columns of each definition: its table may have further columns, and another order."""
    rows = tx.execute(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'rollup'::regnamespace AND c.relname ~ '_plain$' AND a.attnum > 0 GROUP BY c.relname"
    ).fetchall()
    return {name.removesuffix("_plain"): sql.SQL(", ").join(map(sql.Identifier, names)) for name, names in rows}


def _replace(
    tx: psycopg.Connection[Any],
    name: str,
    columns: Mapping[str, sql.Composed],
    unit: str,
    those: sql.Composable,
    days: Mapping[str, object],
) -> None:
    """Make the rows of these days or months those of the definition now: of a day in which one call has changed, nearly
    all rows are as they were, and only those that differ are written.
    """
    parts = {
        "table": sql.Identifier("rollup", name),
        "plain": sql.Identifier("rollup", f"{name}_plain"),
        "columns": columns[name],
        "unit": sql.Identifier(unit),
        "those": those,
    }
    # The array lets PostgreSQL use the index; with the join alone it would read the whole table for one day. OFFSET 0:
    # the definition is computed for each of these by its index, not for all. Grouping takes nulls as equal. What is
    # inserted asks how many are gone, so that they are gone first: a user may have put a unique index on the table, and
    # a subscriber its own key.
    tx.execute(
        sql.SQL(
            "WITH both_sides AS ("
            "SELECT r.ctid AS place, {columns} FROM {table} r JOIN {those} s USING (account, {unit}) "
            "WHERE r.{unit} = ANY (ARRAY(SELECT d.{unit} FROM {those} d)) "
            "UNION ALL SELECT NULL, l.* FROM {those} s CROSS JOIN LATERAL (SELECT {columns} FROM {plain} p "
            "WHERE p.account = s.account AND p.{unit} = s.{unit} AND p.{unit} > '-infinity' OFFSET 0) l"
            "), unequal AS MATERIALIZED ("
            "SELECT {columns}, array_remove(array_agg(place), NULL) AS stored, count(*) - count(place) AS wanted "
            "FROM both_sides GROUP BY {columns} HAVING count(place) <> count(*) - count(place)"
            "), gone AS ("
            "DELETE FROM {table} r WHERE r.ctid = ANY (ARRAY(SELECT unnest(u.stored[u.wanted + 1:]) FROM unequal u)) RETURNING 1"
            ") INSERT INTO {table} ({columns}) SELECT {columns} FROM unequal WHERE wanted > cardinality(stored) "
            "AND (SELECT count(*) FROM gone) >= 0"
        ).format(**parts),
        days,
    )
