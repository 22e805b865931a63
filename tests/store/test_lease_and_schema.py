"""One writer, and a schema that fits: against a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from replicator.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    ForeignObjects,
    LeaseHeld,
    LeaseLost,
    SchemaTooNew,
    SchemaTooOld,
)
from replicator.store import budgets, lease, migrate, schema, schema_check
from replicator.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_writer_is_told_who_the_first_is(database: Database) -> None:
    """The lease names its holder; given back, it is free, and its epoch has grown."""
    first = lease.acquire(database, "default", "serve")
    with pytest.raises(LeaseHeld, match=rf"serve \(process {os.getpid()} on"):
        lease.acquire(database, "default", "sync")
    lease.release(database, first)
    assert lease.acquire(database, "default", "sync").epoch == first.epoch + 1


def test_a_dead_holder_is_taken_over_at_once(database: Database) -> None:
    """A holder on this machine whose process is gone does not keep anybody waiting."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    lease.acquire(database, "default", "sync")
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.lease SET pid = %s", [gone.pid])
    assert lease.acquire(database, "default", "sync").epoch == 2


def test_a_lease_that_was_taken_without_our_knowing_is_no_obstacle(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit took, the connection broke before it said so: the same process tries again and gets the lease, and one
    that it knows to have taken is not taken from itself.
    """
    with monkeypatch.context() as patch:
        patch.setattr(lease, "_taken", set())
        lease.acquire(database, "default", "serve")
    second = lease.acquire(database, "default", "serve")
    assert second.epoch == 2
    with pytest.raises(LeaseHeld):
        lease.acquire(database, "default", "sync")
    lease.forget(database, second)  # the database was away when it was to be given back
    assert lease.acquire(database, "default", "sync").epoch == 3


def test_a_process_id_means_something_in_its_container_only() -> None:
    """Machine, boot and the namespace of process ids name a holder's place; the machine's name comes first."""
    here = lease.this_host().split("/")
    assert here[0]
    assert len(here) == (3 if sys.platform == "linux" else 2)


def test_a_holder_elsewhere_is_waited_for(database: Database) -> None:
    """Of another machine's process nothing is known: its lease holds until it expires."""
    lease.acquire(database, "default", "sync")
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.lease SET pid = 1, host = 'elsewhere/boot'")
    with pytest.raises(LeaseHeld):
        lease.acquire(database, "default", "sync")


def test_a_leader_that_slept_cannot_write(database: Database) -> None:
    """After another took over, the transaction of the former holder is refused as a whole."""
    slept = lease.acquire(database, "default", "sync")
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.lease SET expires_at = clock_timestamp() - interval '1 second'")
    lease.acquire(database, "default", "serve")

    def write() -> None:
        with database.transaction() as tx:
            tx.execute("INSERT INTO replicator.source_state (account, base_url) VALUES ('x', 'y')")
            lease.hold(tx, slept)

    with pytest.raises(LeaseLost):
        write()
    with database.connection() as connection:
        assert connection.execute("SELECT 1 FROM replicator.source_state").fetchall() == []


def charge_some(url: str) -> int:
    database = Database(url)
    now = datetime.now(UTC)
    charges = budgets.Charges({1: (1, 50), 2: (1, 50)}, 0, now, now)
    won = sum(budgets.charge(database, budgets.BudgetKey("default", "key"), charges) for _ in range(40))
    database.close()
    return won


@pytest.mark.slow
def test_a_budget_is_never_overdrawn_by_many(database_url: str) -> None:
    """Four processes that charge at the same time get exactly the limit together, all windows or none."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        won = sum(pool.map(charge_some, [database_url] * 4))
    assert won == 50
    with psycopg.connect(database_url) as connection:
        charged = connection.execute("SELECT charged FROM replicator.budget_windows ORDER BY window_number").fetchall()
    assert charged == [(50,), (50,)]


@pytest.mark.slow
def test_migrating_twice_changes_nothing(empty_database: str) -> None:
    """The second time there is nothing to do, for tables and for views."""
    first = migrate.migrate(empty_database)
    second = migrate.migrate(empty_database)
    assert (first.before, first.after) == (None, second.before)
    assert first.views
    assert list(second.views) == []


def migrate_it(url: str) -> str:
    return migrate.migrate(url).after


@pytest.mark.slow
def test_migrating_at_the_same_time_works(empty_database: str) -> None:
    """Four processes at once: one migrates, the others find it done."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(migrate_it, [empty_database] * 4))) == 1


def test_the_migrations_make_the_schema_that_the_code_knows(database_url: str) -> None:
    """Nothing differs between the migrated database and store/schema.py."""
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(schema_check.bundled("migrations")))
        config.attributes["connection"] = connection
        command.check(config)  # raises where a difference is found
        names = sa.inspect(connection)
        found = {
            f"{place}.{name}"
            for place in ("truedy", "replicator", "archive", "billing")
            for name in names.get_table_names(place)
        }
    engine.dispose()
    known = {name for name in schema.metadata.tables if not name.startswith("rollup.")}
    assert found - {"replicator.schema_version"} == known


def test_revisions_are_numbered_and_linear() -> None:
    """0001, 0002 and so on, each after the one before; the names of the files say the same as Alembic."""
    assert schema_check.revisions() == [f"{number:04d}" for number in range(1, len(schema_check.revisions()) + 1)]
    script = ScriptDirectory(str(schema_check.bundled("migrations")))
    assert schema_check.revisions() == [one.revision for one in reversed(list(script.walk_revisions()))]


def test_a_schema_that_does_not_fit_is_named(empty_database: str) -> None:
    """Nothing there is too old, an unknown revision is too new, other views are too old."""
    database = Database(empty_database)
    with pytest.raises(SchemaTooOld):
        schema_check.check(database)
    migrate.migrate(empty_database)
    schema_check.check(database)
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.views SET sha256 = '' WHERE name = 'calls'")
    with pytest.raises(SchemaTooOld, match="calls"):
        schema_check.check(database)
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.schema_version SET version_num = '9999'")
    for attempt in (lambda: schema_check.check(database), lambda: migrate.migrate(empty_database)):
        with pytest.raises(SchemaTooNew):
            attempt()
    database.close()


def test_a_migration_that_fails_leaves_nothing(empty_database: str) -> None:
    """An unknown time zone is found at the end; the tables made before it are gone again."""
    with pytest.raises(ConfigurationError, match="REPORTING_TIME_ZONE"):
        migrate.migrate(empty_database, time_zone="Mars/Olympus")
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT to_regclass('truedy.calls')").fetchone() == (None,)


def test_a_users_view_on_ours_is_named_and_kept(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that must be made anew is not taken from under somebody's own view."""
    shutil.copytree(schema_check.bundled("sql"), tmp_path, dirs_exist_ok=True)
    file = tmp_path / "views" / "31_call_duration_histogram_daily.sql"
    text = file.read_text(encoding="utf-8")
    assert "d.lower_seconds,\n    d.upper_seconds," in text
    text = text.replace("d.lower_seconds,\n    d.upper_seconds,", "d.upper_seconds,\n    d.lower_seconds,", 1)
    file.write_text(text, encoding="utf-8")
    bundled = schema_check.bundled
    monkeypatch.setattr(schema_check, "bundled", lambda name: tmp_path if name == "sql" else bundled(name))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE VIEW public.mine AS SELECT * FROM analytics.call_duration_histogram_daily")
    with pytest.raises(ForeignObjects, match="mine"):
        migrate.migrate(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM public.mine").fetchone() == (0,)
        connection.execute("DROP VIEW public.mine")
        connection.execute("GRANT SELECT ON analytics.call_cost_daily TO PUBLIC")
    assert "call_duration_histogram_daily" in migrate.migrate(database_url).views
    with psycopg.connect(database_url) as connection:
        kept = connection.execute(
            "SELECT has_table_privilege('public', 'analytics.call_cost_daily', 'SELECT')"
        ).fetchone()
        assert kept == (True,)


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hidden@127.0.0.1/x", "postgresql://u:hidden@127.0.0.1:notaport/x", "hidden"],
)
def test_a_wrong_url_is_a_wrong_setting(url: str) -> None:
    """What is no PostgreSQL URL is refused without being quoted."""
    with pytest.raises(ConfigurationError) as refused:
        migrate.migrate(url)
    assert "hidden" not in refused.value.explain()


def test_an_unreachable_server_is_said_without_the_password() -> None:
    """The place is named, the password is not."""
    with pytest.raises(DatabaseUnavailable) as refused:
        migrate.migrate("postgresql://u:hidden@127.0.0.1:9/x")
    assert "127.0.0.1:9/x" in refused.value.message
    assert "hidden" not in refused.value.explain()
