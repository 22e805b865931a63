"""What a person set in our tables stays; what a server cannot use stops the reports, and never the copy."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.errors import ReportingUnusable
from replicator.store import migrate, rollups, schema_check
from replicator.store.database import Database
from tests.fix_commands import run as command
from tests.sql import fix_small_world
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = schema_check.bundled("sql") / "checks"
INSERT = (
    "INSERT INTO truedy.calls (id, account, created_at, started_at, ended_at, status, raw, fingerprint, version, observed_at, "
    "first_seen_at, changed_at) SELECT gen_random_uuid(), 'default', at, at, at + interval '10 minutes', 'completed', '{}', '', 1, "
    "now(), now(), now() FROM unnest(%s::timestamptz[]) at"
)
AROUND_MIDNIGHTS = [f"2026-03-0{day} {hour}:55:00Z" for day in (1, 4) for hour in ("00", "07", "14", "16", "23")]


def zone(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT time_zone FROM replicator.reporting").fetchone()
        assert row is not None
        return str(row[0])


def set_zone(url: str, name: str, *, unnoticed: bool = False) -> None:
    """Set it as a person would; or `unnoticed`, as it comes about by a restored dump or by the server's own files."""
    with psycopg.connect(url) as connection:
        if unnoticed:
            connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("UPDATE replicator.reporting SET time_zone = %s", [name])


def refresh(url: str) -> int:
    with closing(Database(url)) as database:
        return rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))


def test_unset_means_unchanged(database_url: str) -> None:
    """`migrate` without a time zone leaves what an earlier `migrate` or a person has set."""
    migrate.migrate(database_url, time_zone="Asia/Tokyo")
    migrate.migrate(database_url)
    assert zone(database_url) == "Asia/Tokyo"
    set_zone(database_url, "Europe/Berlin")
    migrate.migrate(database_url)
    assert zone(database_url) == "Europe/Berlin"


def test_what_people_set_in_the_rules_stays(database_url: str) -> None:
    """No `migrate` and no `roles` changes a row of the rules: changed, taken away or added by a person."""
    rules = ("reporting", "status_stages", "stage_rules", "error_classes", "agents", "campaigns")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE replicator.status_stages SET stage = 'answered' WHERE status = 'voicemail'; "
            "DELETE FROM replicator.status_stages WHERE status = 'ended'; DELETE FROM replicator.error_classes WHERE position < 50; "
            "UPDATE replicator.reporting SET settle_hours = 1, campaign_path = '{a,b}', goal_path = '{c}', attempt_days = 3; "
            "INSERT INTO replicator.campaigns VALUES ('c', 'mine')"
        )
        before = [
            connection.execute(f"SELECT t::text FROM replicator.{name} t ORDER BY 1").fetchall() for name in rules
        ]
        connection.execute("UPDATE replicator.views SET sha256 = ''")
        assert migrate.migrate(database_url).views
        assert before == [
            connection.execute(f"SELECT t::text FROM replicator.{name} t ORDER BY 1").fetchall() for name in rules
        ]


def test_a_new_database_takes_the_zone_of_the_settings(empty_database: str) -> None:
    """What migrates without being asked sets the time zone of a new database, and of no other."""
    migrate.migrate(empty_database, time_zone="Asia/Tokyo", is_asked_for=False)
    assert zone(empty_database) == "Asia/Tokyo"
    migrate.migrate(empty_database, time_zone="Europe/Berlin", is_asked_for=False)
    assert zone(empty_database) == "Asia/Tokyo"
    migrate.migrate(empty_database, time_zone="Europe/Berlin")
    assert zone(empty_database) == "Europe/Berlin"


@pytest.mark.slow
def test_a_command_that_reads_changes_nothing(reachable_folder: Path, tmp_path: Path) -> None:
    """`status` on the embedded database migrates it, and changes no setting; `migrate` with the variable does."""
    there = {"REPLICATOR_DATA_DIR": str(reachable_folder / "reads")}

    def shown() -> str:
        query = ("-X", "-A", "-t", "-c", "SELECT time_zone FROM replicator.reporting")
        return command("psql", *query, cwd=tmp_path, **there).stdout.strip()

    assert command("migrate", cwd=tmp_path, REPLICATOR_REPORTING_TIME_ZONE="Asia/Tokyo", **there).returncode == 0
    for chosen in ({}, {"REPLICATOR_REPORTING_TIME_ZONE": "Europe/Berlin"}):
        assert command("status", cwd=tmp_path, **chosen, **there).returncode == 0
        assert shown() == "Asia/Tokyo"
    assert command("migrate", cwd=tmp_path, REPLICATOR_REPORTING_TIME_ZONE="Europe/Berlin", **there).returncode == 0
    assert shown() == "Europe/Berlin"


@pytest.mark.parametrize("name", ["US/Pacifik", "", "europe/berlin", "CEST-99", "Mars"])
def test_an_unknown_zone_is_refused_where_it_is_set(database_url: str, name: str) -> None:
    """Whoever sets it is told which column it is, and what to use instead."""
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=r"replicator\.reporting\.time_zone") as refused:
        set_zone(database_url, name)
    assert "pg_timezone_names" in (refused.value.diag.message_hint or "")


@pytest.mark.parametrize("name", ["US/Pacifik", ""])
def test_the_copy_goes_on_without_a_usable_zone(database_url: str, name: str) -> None:
    """With a zone that this server does not know calls are written as ever, and what reads reports says which setting it is."""
    set_zone(database_url, name, unnoticed=True)
    with closing(Database(database_url)) as database, source(database, calls=40) as there:
        there.sync()
        there.world.update(there.world.live_ids()[3], cost_usd=7.5)
        there.sync()
        assert there.differences() == []
        with pytest.raises(ReportingUnusable, match=r"replicator\.reporting\.time_zone") as refused:
            refresh(database_url)
        assert refused.value.exit_code == 2
    migrate.migrate(database_url)
    assert zone(database_url) == name, "what a person set is not taken away"


@pytest.mark.parametrize("end", ["mended by a person", "known again", "settings were missing"])
def test_nothing_is_lost_while_the_zone_is_not_usable(database_url: str, end: str) -> None:
    """Calls of the meantime are counted on their days, whether a person mends the zone or the server learns it; the same goes
    for the time without a row of settings.
    """
    with psycopg.connect(database_url) as connection, fix_small_world.as_a_sync_writes(connection):
        connection.execute(INSERT, [AROUND_MIDNIGHTS])
    set_zone(database_url, "America/Los_Angeles")
    refresh(database_url)
    if end == "settings were missing":
        with psycopg.connect(database_url) as connection, fix_small_world.as_a_sync_writes(connection):
            connection.execute("CREATE TEMP TABLE kept AS TABLE replicator.reporting")
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute("DELETE FROM replicator.reporting")
            connection.execute("SET LOCAL session_replication_role = origin")
            connection.execute(INSERT, [[at.replace("03-0", "03-1") for at in AROUND_MIDNIGHTS]])
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute("INSERT INTO replicator.reporting SELECT * FROM kept")
    else:
        set_zone(database_url, "US/Pacifik", unnoticed=True)
        with psycopg.connect(database_url) as connection, fix_small_world.as_a_sync_writes(connection):
            connection.execute(INSERT, [[at.replace("03-0", "03-1") for at in AROUND_MIDNIGHTS]])
        name, unnoticed = ("America/Los_Angeles", True) if end == "known again" else ("Asia/Tokyo", False)
        set_zone(database_url, name, unnoticed=unnoticed)
    refresh(database_url)
    with psycopg.connect(database_url) as connection:
        fix_small_world.analyze(connection)
        for path in sorted(CHECKS.glob("*.sql")):
            if path.stem not in {"calls_without_their_history", "current_content_is_not_the_newest_version"}:
                assert connection.execute(path.read_text(encoding="utf-8")).fetchall() == [], path.stem
        row = connection.execute("SELECT sum(calls) FROM analytics.status_funnel_daily").fetchone()
        assert row == (2 * len(AROUND_MIDNIGHTS),)
