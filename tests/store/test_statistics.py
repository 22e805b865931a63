"""Right after a sync the planner knows the tables: their statistics are made by whoever syncs, whatever its rights."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.service.rollup_refresh import refreshed
from replicator.store import statistics
from replicator.store.database import Database
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = """
SELECT relid::regclass::text FROM pg_stat_all_tables JOIN pg_class c ON c.oid = relid
WHERE schemaname IN ('truedy', 'replicator', 'rollup') AND pg_relation_size(relid) > 0
    AND NOT EXISTS (SELECT FROM pg_statistic s WHERE s.starelid = c.oid) AND c.reltuples <> 0
"""


@pytest.fixture(autouse=True)
def _no_autovacuum(database_url: str) -> Iterator[None]:
    """The server's own turn would hide what ours does."""
    admin = database_url.rsplit("/", 1)[0] + "/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
        yield
        connection.execute("ALTER SYSTEM RESET autovacuum")
        connection.execute("SELECT pg_reload_conf()")


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.mark.parametrize("role", ["owner", "writer"])
def test_after_a_first_sync_every_table_is_known(logins: dict[str, str], database_url: str, role: str) -> None:
    """The owner's sync, and that of a writer who may not analyze a table itself."""
    assert rows(database_url, UNKNOWN)
    with (
        closing(Database(logins[role])) as theirs,
        source(theirs, calls=80) as there,
        refreshed(theirs, threading.Event()),
    ):
        there.sync()
    assert rows(database_url, UNKNOWN) == []
    assert rows(database_url, "SELECT reltuples::integer FROM pg_class WHERE oid = 'truedy.calls'::regclass") == [(80,)]


def test_what_has_not_grown_is_left_alone(database: Database) -> None:
    """The second time there is nothing to do, and an idle sync analyzes nothing."""
    with source(database, calls=40) as there:
        with refreshed(database, threading.Event()):
            there.sync()
        assert statistics.refresh(database) == 0
        with refreshed(database, threading.Event()):
            there.sync()
        assert statistics.refresh(database) == 0


def test_a_table_that_grew_and_a_queue_that_emptied_are_looked_at_again(database: Database, database_url: str) -> None:
    """Twice the pages, or half of the rows changed: a plan that rests on the earlier ones would be wrong."""
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO rollup.touched (account, day) SELECT 'a', date '2026-01-01' + n FROM generate_series(1, 9000) n"
        )
    statistics.refresh(database)
    touched = "SELECT reltuples::integer FROM pg_class WHERE oid = 'rollup.touched'::regclass"
    assert rows(database_url, touched) == [(9000,)]
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO rollup.touched (account, day) SELECT 'a', date '2026-01-01' + n FROM generate_series(1, 20000) n"
        )
    assert statistics.refresh(database) == 1
    assert rows(database_url, touched) == [(29000,)]
    with database.transaction() as tx:
        tx.execute("DELETE FROM rollup.touched")
    assert statistics.refresh(database) == 1
    assert rows(database_url, touched) == [(0,)]


def test_the_queue_of_conversations_is_followed_too(database: Database, database_url: str) -> None:
    """Emptied, it is expected to be empty at once."""
    queue = "rollup.call_conversations_touched"
    with database.transaction() as tx:
        tx.execute(f"INSERT INTO {queue} (call_id) SELECT gen_random_uuid() FROM generate_series(1, 3000)")
    statistics.refresh(database)
    with database.transaction() as tx:
        tx.execute(f"DELETE FROM {queue}")
    assert statistics.refresh(database) == 1
    assert rows(database_url, f"SELECT reltuples::integer FROM pg_class WHERE oid = '{queue}'::regclass") == [(0,)]


def test_it_is_of_our_tables_only(logins: dict[str, str], database_url: str) -> None:
    """The function works with the owner's rights, so it takes nothing but our tables, and readers may not call it."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.theirs AS SELECT 1 AS a")
    with psycopg.connect(logins["writer"], autocommit=True) as writer:
        writer.execute("SELECT rollup.analyze_table('public.theirs'), rollup.analyze_table('pg_catalog.pg_class')")
    assert rows(database_url, "SELECT FROM pg_statistic WHERE starelid = 'public.theirs'::regclass") == []
    for role in ("reader", "auditor"):
        with psycopg.connect(logins[role]) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT rollup.analyze_table(16384)")


def test_who_may_not_leaves_it_to_the_server(logins: dict[str, str]) -> None:
    """Nothing fails where the function is not there or not ours to call."""
    with closing(Database(logins["reader"])) as theirs:
        assert statistics.refresh(theirs) == 0
