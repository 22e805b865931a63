"""`doctor` against real databases and a real source, each broken in one way; and against none at all."""

from __future__ import annotations

import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from replicator.doctor.examination import Examined, examine
from replicator.simulator.api import KEY, Api
from replicator.simulator.server import running
from replicator.simulator.switches import Switches
from replicator.simulator.world import World
from tests.fix_commands import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def source() -> Iterator[tuple[Api, str]]:
    api = Api(World(1, 20, switches=Switches(limit=None)), keys=(KEY,))
    with running(api) as base_url:
        yield api, base_url


@pytest.fixture
def examined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: tuple[Api, str]) -> Callable[..., Examined]:
    """Examine with these settings, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def perform(*, with_source: bool = False, **settings: str | None) -> Examined:
        given = {"TRUEDY_API_KEY": KEY, "TRUEDY_BASE_URL": source[1], **settings}
        for name, value in given.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        return examine(with_source=with_source)

    return perform


def said(done: Examined, level: str = "error") -> str:
    return "\n".join(f"{one.area}: {one.what}" for one in done.found if one.level == level)


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_all_is_well(examined: Callable[..., Examined], database_url: str, source: tuple[Api, str]) -> None:
    """Every part is looked at; one request is sent for the key, and it is charged to the budget."""
    before = source[0].log.requests
    done = examined(with_source=True, DATABASE_URL=database_url, REPLICATOR_REPORTING_TIME_ZONE="Europe/Berlin")
    assert (done.exit_code, said(done)) == (0, "")
    assert {one.area for one in done.found} == {"settings", "machine", "database", "source"}
    assert "accepts the key and lists 20 calls" in said(done, "ok")
    assert done.origins["DATABASE_URL"] == "the environment"
    assert source[0].log.requests == before + 1
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT sum(charged) >= 1 FROM replicator.budget_windows").fetchone() == (True,)
    examined(DATABASE_URL=database_url)
    assert source[0].log.requests == before + 1


def test_without_any_setting(examined: Callable[..., Examined], tmp_path: Path) -> None:
    """It says that a key is missing and that there is no database yet, and makes none."""
    done = examined(
        with_source=True, TRUEDY_API_KEY=None, TRUEDY_BASE_URL=None, REPLICATOR_DATA_DIR=str(tmp_path / "data")
    )
    assert done.exit_code == 2
    assert "no API key" in said(done)
    assert "will be made in" in said(done, "ok")
    assert not (tmp_path / "data").exists()


def test_wrong_settings_hide_nothing(examined: Callable[..., Examined], database_url: str, tmp_path: Path) -> None:
    """A wrong value, a `.env` that others may write, a missing key file: each is said, and the database is looked at all the same."""
    env = tmp_path / ".env"
    env.write_text("REPLICATOR_ACCOUNT=planted\n", encoding="utf-8")
    env.chmod(0o666)
    done = examined(
        DATABASE_URL=database_url, REPLICATOR_WORKERS="many", TRUEDY_API_KEY=None, TRUEDY_API_KEY_FILE="/nowhere",
        REPLICATOR_POL_SECONDS="5", PGOPTIONS="-c work_mem=4MB", PGAPPNAME="x",
    )  # fmt: skip
    assert done.exit_code == 2
    assert str(env) in said(done)
    assert "REPLICATOR_WORKERS: expected a whole number" in said(done)
    assert "TRUEDY_API_KEY_FILE cannot be read: /nowhere" in said(done)
    assert "did you mean REPLICATOR_POLL_SECONDS" in said(done, "warning")
    assert "PGAPPNAME, PGOPTIONS" in said(done, "warning")
    assert "tables and views fit" in said(done, "ok")


def test_files_that_others_may_read(examined: Callable[..., Examined], database_url: str, tmp_path: Path) -> None:
    """As containers mount them they are taken, and it is recommended to close them."""
    key = tmp_path / "key"
    key.write_text(KEY, encoding="utf-8")
    key.chmod(0o444)
    env = tmp_path / ".env"
    env.write_text(f"DATABASE_URL={database_url}\n", encoding="utf-8")
    env.chmod(0o644)
    done = examined(DATABASE_URL=None, TRUEDY_API_KEY=None, TRUEDY_API_KEY_FILE=str(key), PGPASSWORD="x")
    assert done.exit_code == 0
    assert "mode 0444" in said(done, "warning")
    assert f"others on this machine may read {env}" in said(done, "warning")
    assert "PGPASSWORD of the environment is sent to the server that DATABASE_URL of the file .env names" in said(
        done, "warning"
    )
    assert done.origins["DATABASE_URL"] == "the file .env"


@pytest.mark.parametrize(
    ("statements", "level", "code", "says"),
    [
        (("ALTER DATABASE {name} SET default_transaction_read_only = on",), "error", 4, "read only by default"),
        (("CREATE PUBLICATION p FOR ALL TABLES", "CREATE TABLE replicator.a_keyless (a int)"), "error", 4, "replicator.a_keyless"),
        (("ALTER TABLE replicator.reporting DISABLE TRIGGER USER", "UPDATE replicator.reporting SET time_zone = 'Mars/Base'"), "error", 4, "Mars/Base"),
        (("CREATE VIEW analytics.mine AS SELECT 1 AS a",), "warning", 0, "analytics.mine"),
        (("ALTER DATABASE {name} SET jit = on",), "warning", 0, "JIT"),
        (("ALTER DATABASE {name} SET statement_timeout = '5s'",), "warning", 0, "5000 ms"),
        (("UPDATE replicator.schema_version SET version_num = '9999'",), "error", 4, "does not know"),
        (
            (
                "INSERT INTO replicator.lease (account, epoch, holder, host, pid, command, acquired_at, expires_at) VALUES "
                "('default', 1, 'serve (process 4194000)', '{host}', 4194000, 'serve', now(), now() + interval '20 s')",
            ),
            "warning",
            0,
            "no longer runs",
        ),
    ],
    ids=["read only", "publication", "time zone", "foreign view", "JIT", "timeout", "too new", "dead writer"],
)  # fmt: skip
def test_databases_that_are_broken_in_one_way(
    examined: Callable[..., Examined], database_url: str, statements: tuple[str, ...], level: str, code: int, says: str
) -> None:
    """Each is found on a real server and said with its exit code."""
    from replicator.store import lease  # noqa: PLC0415 - for the name of this machine

    name = database_url.rsplit("/", 1)[1]
    execute(database_url, *(one.format(name=name, host=lease.this_host()) for one in statements))
    done = examined(DATABASE_URL=database_url)
    assert says in said(done, level)
    assert done.exit_code == code


def test_a_database_of_somebody_else(examined: Callable[..., Examined], empty_database: str) -> None:
    """Before the first migration: objects in schemas of our names are named, and that nothing is migrated yet."""
    execute(empty_database, "CREATE SCHEMA rollup", "CREATE TABLE rollup.revenue (a int)")
    done = examined(DATABASE_URL=empty_database)
    assert done.exit_code == 4
    assert "rollup.revenue" in said(done)
    assert "no replicator schema yet" in said(done)


def test_an_encoding_that_loses_text(examined: Callable[..., Examined], empty_database: str) -> None:
    """A database in SQL_ASCII is refused by name."""
    name, server = f"ascii_{uuid.uuid4().hex}", empty_database.rsplit("/", 1)[0]
    execute(empty_database, f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    done = examined(DATABASE_URL=f"{server}/{name}")
    execute(empty_database, f"DROP DATABASE {name} WITH (FORCE)")
    assert "encoded in SQL_ASCII" in said(done)


def test_users_of_every_right(
    examined: Callable[..., Examined], logins: dict[str, str], empty_database: str, role_prefix: str
) -> None:
    """A reader, a writer and somebody without any right are told what each may do; nothing that fails hides the rest."""
    writer = examined(DATABASE_URL=logins["writer"], REPLICATOR_ROLE_PREFIX=role_prefix)
    assert (writer.exit_code, "may read and write what sync needs" in said(writer, "ok")) == (0, True)
    assert f"a member of {role_prefix}_writer" in said(writer, "ok")
    reader = examined(DATABASE_URL=logins["reader"], REPLICATOR_ROLE_PREFIX=role_prefix)
    assert "PostgreSQL" in said(reader, "ok")
    assert "GRANT" in "".join(one.advice for one in reader.found)
    assert "may neither read nor write the tables" in said(reader, "warning")
    assert said(reader) == ""
    assert "did not make" not in said(reader, "warning")
    (hidden,) = (one.what for one in reader.found if "may not see" in one.what)
    assert "whether tables and views fit this program, whether somebody else's objects are in our schemas" in hidden
    assert [one.what for one in reader.found if "42501" in one.what or "not examined (" in one.what] == []
    grants = [one.advice for one in reader.found if "GRANT" in one.advice]
    assert [one.startswith("nothing for a user who only reads the views; ") for one in grants] == [True]
    assert f"GRANT {role_prefix}_writer TO reader_" in grants[0]
    auditor = examined(DATABASE_URL=logins["auditor"], REPLICATOR_ROLE_PREFIX=role_prefix)
    assert "tables and views fit" in said(auditor, "ok")
    assert "may not see" not in said(auditor, "warning")
    name = f"nobody_{uuid.uuid4().hex[:8]}"
    execute(empty_database, f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    nobody = examined(DATABASE_URL=f"postgresql://{name}:x@{empty_database.partition('@')[2]}")
    assert nobody.exit_code == 4
    assert "may not make the schemas" in said(nobody)


@pytest.mark.parametrize(
    ("settings", "code", "says"),
    [
        ({"TRUEDY_API_KEY": "truedy_wrong_key"}, 3, "401"),
        ({"TRUEDY_BASE_URL": "http://127.0.0.1:9/api/public/v1"}, 1, "connect"),
        ({"TRUEDY_BASE_URL": "ftp://127.0.0.1/"}, 2, "https://"),
        ({"DATABASE_URL": "postgresql://u:p@127.0.0.1:9/x"}, 4, "cannot be reached"),
        ({"DATABASE_URL": "mysql://u:p@127.0.0.1:9/x"}, 2, "DATABASE_URL"),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    examined: Callable[..., Examined], database_url: str, settings: dict[str, Any], code: int, says: str
) -> None:
    """A wrong key, a source or a database that is not there: the code that a sync would end with, and the rest is looked at."""
    done = examined(with_source=True, **{"DATABASE_URL": database_url, **settings})
    assert done.exit_code == code
    assert says in said(done)
    assert {one.area for one in done.found if one.level == "ok"} >= {"settings", "machine"}


@pytest.mark.slow
def test_the_command(database_url: str, tmp_path: Path, source: tuple[Api, str]) -> None:
    """Lines for people, facts as JSON, the exit code; it works in a folder that is somebody else's."""
    chosen = {"DATABASE_URL": database_url, "TRUEDY_API_KEY": "truedy_wrong_key", "TRUEDY_BASE_URL": source[1]}
    people = run("doctor", cwd=tmp_path, **chosen)
    assert people.returncode == 3
    assert "what to do: check TRUEDY_API_KEY" in people.stdout
    assert people.stderr == ""
    facts = json.loads(run("doctor", "--json", "--no-source", cwd=tmp_path, **chosen).stdout)
    assert set(facts) == {"exit_code", "findings", "settings"}
    assert facts["settings"]["TRUEDY_API_KEY"] == "the environment"
    assert facts["exit_code"] == 0
    assert "truedy_wrong_key" not in people.stdout + json.dumps(facts)
    if os.geteuid() == 0:
        (tmp_path / ".env").write_text("DATABASE_URL=postgresql://127.0.0.1:9/theirs\n", encoding="utf-8")
        os.chown(tmp_path / ".env", 65534, -1)
        foreign = run("doctor", "--no-source", cwd=tmp_path, **chosen)
        assert foreign.returncode == 2
        assert str(tmp_path / ".env") in foreign.stdout


@pytest.mark.slow
def test_the_embedded_database(reachable_folder: Path, tmp_path: Path) -> None:
    """Where it was made it is started and looked at; afterwards nothing is left running."""
    chosen = {"REPLICATOR_DATA_DIR": str(reachable_folder / "doctor")}
    assert run("migrate", cwd=tmp_path, **chosen).returncode == 0
    done = run("doctor", "--no-source", cwd=tmp_path, **chosen)
    assert done.returncode == 0, done.stdout
    assert f"the embedded database is in {reachable_folder / 'doctor'}" in done.stdout
    assert "tables and views fit this program" in done.stdout
    assert "superuser" not in done.stdout
