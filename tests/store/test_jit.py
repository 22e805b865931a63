"""The JIT compiler is turned off for a database that holds only this replica, and for no other."""

from __future__ import annotations

import threading
from itertools import product

import psycopg
import pytest

from replicator.store import jit, migrate


@pytest.mark.pure
def test_only_what_is_ours_and_unsaid_is_changed() -> None:
    """Of all combinations one: JIT is on, the user may change it, nobody has set it, and nobody else has a table here."""
    states = [jit.State("calls", *each) for each in product([False, True], repeat=4)]
    assert [one for one in states if jit.is_ours_to_turn_off(one)] == [jit.State("calls", True, True, False, False)]


def asked(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@pytest.fixture
def compiled(database_url: str) -> str:
    """A migrated database of a server that has a JIT compiler, on for new sessions."""
    if not asked(database_url, "SELECT pg_jit_available()"):
        assert not jit.turn_off(database_url)
        pytest.skip("this server was built without JIT")
    reset(database_url)
    assert asked(database_url, "SHOW jit") == "on"
    return database_url


def reset(url: str) -> None:
    asked(url, f"ALTER DATABASE {url.rsplit('/', 1)[1]} RESET jit")


def test_a_migration_turns_it_off(compiled: str) -> None:
    """For new sessions, once: the second migration has nothing to do. It is undone by one statement, and stays undone."""
    assert migrate.migrate(compiled).is_jit_turned_off
    assert asked(compiled, "SHOW jit") == "off"
    assert not migrate.migrate(compiled).is_jit_turned_off
    reset(compiled)
    assert not migrate.migrate(compiled, is_asked_for=False).is_jit_turned_off
    asked(compiled, f"ALTER DATABASE {compiled.rsplit('/', 1)[1]} SET jit = on")
    assert not migrate.migrate(compiled).is_jit_turned_off
    assert asked(compiled, "SHOW jit") == "on"


def test_a_database_with_other_tables_is_left_alone(compiled: str) -> None:
    """A table or a view of somebody else: their queries may want it. What an extension brings is nobody's table."""
    asked(compiled, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    assert jit.turn_off(compiled)
    reset(compiled)
    for make, drop in (("TABLE app (n int)", "TABLE app"), ("VIEW app AS SELECT 1 AS n", "VIEW app")):
        asked(compiled, f"CREATE {make}")
        assert not jit.turn_off(compiled)
        assert asked(compiled, "SHOW jit") == "on"
        asked(compiled, f"DROP {drop}")
    assert jit.turn_off(compiled)


def test_who_does_not_own_the_database_changes_nothing(compiled: str, logins: dict[str, str]) -> None:
    """And nothing fails."""
    assert not jit.turn_off(logins["owner"])
    assert not jit.turn_off(logins["reader"])
    assert asked(compiled, "SHOW jit") == "on"


def test_two_at_once_end_well(compiled: str) -> None:
    """The server refuses the second of two that change the same setting; it looks again."""
    failed: list[BaseException] = []
    done: list[bool] = []

    def turn() -> None:
        try:
            done.append(jit.turn_off(compiled))
        except BaseException as error:  # noqa: BLE001 - shown below
            failed.append(error)

    for _ in range(20):
        reset(compiled)
        threads = [threading.Thread(target=turn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert asked(compiled, "SHOW jit") == "off"
    assert failed == []
    assert done.count(True) >= 20
