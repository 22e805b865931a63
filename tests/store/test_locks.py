"""No lock that a reader can hold stops a migration or a refresh; who does hold one is named."""

from __future__ import annotations

import multiprocessing
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.errors import DatabaseUnavailable
from replicator.store import locks, migrate, naming, rollups, schema_check
from replicator.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

EARLIER_LOCKS = (migrate.EARLIER_LOCK, migrate.EARLIER_LOCK + 1)
TOUCH = (
    "INSERT INTO truedy.calls (id, account, created_at, raw, fingerprint, version, observed_at, first_seen_at, changed_at) "
    "VALUES (gen_random_uuid(), 'default', now(), '{}', '', 1, now(), now(), now())"
)
MODES = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)  # fmt: skip


def changed_view(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the program be a release in which a view has its columns in another order."""
    shutil.copytree(schema_check.bundled("sql"), folder, dirs_exist_ok=True)
    file = folder / "views" / "31_call_duration_histogram_daily.sql"
    text = file.read_text(encoding="utf-8")
    changed = text.replace("d.lower_seconds,\n    d.upper_seconds,", "d.upper_seconds,\n    d.lower_seconds,", 1)
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    bundled = schema_check.bundled
    monkeypatch.setattr(schema_check, "bundled", lambda name: folder if name == "sql" else bundled(name))


@pytest.mark.parametrize("role", ["reader", "auditor"])
def test_no_lock_of_another_role_stops_a_migration_or_a_refresh(
    logins: dict[str, str], role_prefix: str, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lock that they may take is taken, and held: the advisory ones, the table's in every mode, and its rows."""
    with psycopg.connect(logins["owner"]) as owner:
        owner.execute(TOUCH)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_SECONDS", 5)
    changed_view(monkeypatch, tmp_path)
    with psycopg.connect(logins[role]) as holding:
        for lock in EARLIER_LOCKS:
            holding.execute("SELECT pg_advisory_lock(%s)", [lock])
        taken = []
        for statement in (
            *(
                f"LOCK TABLE {table} IN {mode} MODE"
                for table in ("replicator.schema_version", "replicator.lease")
                for mode in MODES
            ),
            "SELECT 1 FROM replicator.schema_version FOR UPDATE",
            "SELECT 1 FROM replicator.locks WHERE name = 'roll-ups' FOR UPDATE",
        ):
            try:
                with holding.transaction():
                    holding.execute(statement)
                    taken.append(statement)
            except psycopg.errors.InsufficientPrivilege:
                pass
        assert bool(taken) is (role == "auditor"), "an auditor reads our books, and may hold that lock"
        assert migrate.migrate(logins["owner"], role_prefix=role_prefix).views
        with closing(Database(logins["writer"])) as database:
            assert rollups.refresh(database, rollups.kept(schema_check.bundled("sql"))) > 0


@pytest.mark.slow
def test_who_reads_a_view_for_long_is_named(
    logins: dict[str, str], role_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has read a view keeps it from being made anew. The migration ends, changes nothing, and says whose
    process it is; afterwards it works.
    """
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_SECONDS", 3)
    changed_view(monkeypatch, tmp_path)
    with psycopg.connect(logins["reader"], application_name="a dashboard") as reading:
        reading.execute("SELECT count(*) FROM analytics.call_duration_histogram_daily")
        with pytest.raises(DatabaseUnavailable, match="is kept from being migrated") as refused:
            migrate.migrate(logins["owner"], role_prefix=role_prefix)
        assert f"process {reading.info.backend_pid} (user {reading.info.user}" in refused.value.message
        assert "pg_terminate_backend" in refused.value.hint
    assert migrate.migrate(logins["owner"], role_prefix=role_prefix).views


def lock_soon(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("SET LOCAL lock_timeout = '1s'")
        locks.take(tx, "roll-ups")


@pytest.mark.slow
def test_two_refresh_one_after_the_other(database: Database) -> None:
    """Where another session refreshes, nothing is done; and the row that is locked is made again where somebody took it away."""
    kept = rollups.kept(schema_check.bundled("sql"))
    with database.transaction() as tx:
        tx.execute(TOUCH)
        tx.execute("DELETE FROM replicator.locks WHERE name = 'roll-ups'")
    with database.transaction() as tx:
        assert locks.take(tx, "roll-ups")
        with pytest.raises(DatabaseUnavailable, match="55P03"):
            lock_soon(database)
    with database.transaction() as tx:
        assert locks.take(tx, "roll-ups")
        assert rollups.refresh(database, kept) == 0
    assert rollups.refresh(database, kept) == 1


def migrate_it(url: str) -> str | None:
    return migrate.migrate(url).before


@pytest.mark.slow
@pytest.mark.parametrize("schemas", ["made by us", "made before"])
def test_first_migrations_at_the_same_time(empty_database: str, schemas: str) -> None:
    """Four processes in an empty database: one makes everything, the others find it done, whoever made the schemas."""
    if schemas == "made before":
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute("; ".join(f"CREATE SCHEMA {name}" for name in naming.USUAL))
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(migrate_it, [empty_database] * 4)
    assert sorted(map(str, found)) == sorted(["None", *[schema_check.revisions()[-1]] * 3])


def test_an_earlier_release_waits_for_this_one(database_url: str) -> None:
    """Its advisory lock is taken where it is free, so a `migrate` of an earlier release beside this one does nothing meanwhile."""
    with migrate.alone(database_url) as connection:
        migrate._lock(connection)
        with psycopg.connect(database_url) as earlier:
            row = earlier.execute("SELECT pg_try_advisory_xact_lock(%s)", [migrate.EARLIER_LOCK]).fetchone()
        assert row == (False,)
