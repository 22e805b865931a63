"""The roles on every server that is here, for whoever may not do everything: no superuser, no right to make roles, odd names.

Since PostgreSQL 16 who makes a role may grant it and not work as it; before, who may make roles may grant any.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from replicator.errors import DatabaseError
from replicator.store import embedded, migrate, schema_check
from tests.fix_catalog import described
from tests.fix_commands import environment
from tests.fix_servers import all_of_them

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow
SERVERS = all_of_them()
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request: pytest.FixtureRequest, reachable_folder: Path) -> Iterator[str]:
    """The URL of a server of each version, as its superuser."""
    folder = reachable_folder / f"server-{request.param}"
    with embedded.running(folder, settings=QUICK, bin_dir=SERVERS[request.param]) as running:
        yield running.tcp_url_of("postgres")


@dataclass(frozen=True)
class Place:
    """A new database: as the superuser, and as its deployer, with a prefix for roles that nobody has."""

    admin: str
    url: str
    prefix: str

    @property
    def user(self) -> str:
        return str(conninfo_to_dict(self.url)["user"])


def url_of(server: str, database: str, user: str, password: str) -> str:
    parts = conninfo_to_dict(server)
    quoted = [part.replace(" ", "%20").replace('"', "%22") for part in (user, password, database)]
    return f"postgresql://{quoted[0]}:{quoted[1]}@{parts['host']}:{parts['port']}/{quoted[2]}"


def new_place(server: str, rights: str, *, owns: bool = True, odd: bool = False) -> Place:
    """Make a login with these rights, and a database that it owns, or in which it may at least make schemas."""
    tag = uuid.uuid4().hex[:8]
    user, database = (f'dep"loy er {tag}', f'My "db" {tag}') if odd else (f"deployer_{tag}", f"db_{tag}")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'pw' {}").format(sql.Identifier(user), sql.SQL(rights)))  # type: ignore[arg-type]
        owner = sql.SQL("OWNER {}").format(sql.Identifier(user)) if owns else sql.SQL("")
        admin.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(database), owner))
        admin.execute(
            sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(user))
        )
    me = conninfo_to_dict(server)
    return Place(
        url_of(server, database, str(me["user"]), str(me["password"])), url_of(server, database, user, "pw"), f"t{tag}"
    )


def members(place: Place) -> Mapping[str, str]:
    """Make a login for each role, as an administrator does."""
    made, database = {}, str(conninfo_to_dict(place.url)["dbname"])
    with psycopg.connect(place.admin, autocommit=True) as admin:
        for role in ("owner", "writer", "reader", "auditor"):
            user = f"{role}_{uuid.uuid4().hex[:8]}"
            admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pw' IN ROLE {place.prefix}_{role}")
            made[role] = url_of(place.admin, database, user, "pw")
    return made


def roles_there(place: Place) -> list[str]:
    with psycopg.connect(place.admin) as admin:
        rows = admin.execute("SELECT rolname::text FROM pg_roles WHERE rolname ~ %s ORDER BY 1", [f"^{place.prefix}_"])
        return [name for (name,) in rows.fetchall()]


def assert_they_work(place: Place) -> None:
    """A reader reads what is his, a writer writes, and a member of the owner migrates."""
    logins = members(place)
    with psycopg.connect(logins["reader"], autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM analytics.calls").fetchone() == (0,)
        for closed in ("truedy.calls", "analytics.call_numbers", "replicator.runs"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT * FROM {closed}")
    with psycopg.connect(logins["auditor"]) as auditor:
        assert auditor.execute("SELECT count(*) FROM analytics.call_numbers").fetchone() == (0,)
    with psycopg.connect(logins["writer"]) as writer:
        writer.execute(
            "INSERT INTO truedy.calls (id, account, created_at, raw, fingerprint, version, observed_at, first_seen_at, "
            "changed_at) VALUES (gen_random_uuid(), 'x', now(), '{}', '', 1, now(), now(), now())"
        )
        writer.rollback()
    for url in (place.url, logins["owner"]):
        assert list(migrate.migrate(url, role_prefix=place.prefix).views) == []
        assert migrate.make_roles(url, place.prefix) == []


def other_release(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the program be a release with other roll-ups, so that views are made anew."""
    shutil.copytree(schema_check.bundled("sql"), folder, dirs_exist_ok=True)
    file = folder / "rollups" / "35_hours.sql"
    file.write_text(file.read_text(encoding="utf-8").replace("-- Kept:", "-- Other.\n-- Kept:"), encoding="utf-8")
    bundled = schema_check.bundled
    monkeypatch.setattr(schema_check, "bundled", lambda name: folder if name == "sql" else bundled(name))


@pytest.mark.parametrize("rights", ["CREATEROLE", "CREATEROLE NOINHERIT"])
@pytest.mark.parametrize("first", ["migrate", "roles"])
@pytest.mark.parametrize("odd", [False, True], ids=["plain names", "odd names"])
def test_who_may_make_roles_needs_no_superuser(
    server: str, rights: str, first: str, odd: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of the database that may make roles makes them, before or after the first migration, and migrates on."""
    place = new_place(server, rights, odd=odd)
    if first == "migrate":
        migrate.migrate(place.url, role_prefix=place.prefix)
    assert migrate.make_roles(place.url, place.prefix)
    if first == "roles":
        migrate.migrate(place.url, role_prefix=place.prefix)
    assert_they_work(place)
    other_release(monkeypatch, tmp_path)
    assert migrate.migrate(place.url, role_prefix=place.prefix).views
    assert_they_work(place)


def test_who_does_not_own_the_database_is_told(server: str) -> None:
    """PostgreSQL only warns where a right on the database cannot be given: it is said, and no role and no right is left."""
    place = new_place(server, "CREATEROLE", owns=False)
    migrate.migrate(place.url, role_prefix=place.prefix)
    before = described(place.admin)
    with pytest.raises(DatabaseError, match="may not") as refused:
        migrate.make_roles(place.url, place.prefix)
    assert "roles --print" in refused.value.hint
    assert roles_there(place) == []
    assert described(place.admin) == before


@pytest.mark.parametrize("odd", [False, True], ids=["plain names", "odd names"])
@pytest.mark.parametrize("when", ["before the first migration", "after it"])
def test_where_nobody_may_make_roles_one_user_does_everything(
    server: str, odd: bool, when: str, tmp_path: Path
) -> None:
    """Without the right to make roles everything works with one user. What `roles --print` says, given to psql as it is by an
    administrator, makes them all the same.
    """
    place = new_place(server, "NOCREATEROLE", odd=odd, owns=not odd)
    if when == "after it":
        assert migrate.migrate(place.url, role_prefix=place.prefix).before is None
        assert list(migrate.migrate(place.url, role_prefix=place.prefix).views) == []
    with pytest.raises(DatabaseError, match="may not make the roles") as refused:
        migrate.make_roles(place.url, place.prefix)
    assert "roles --print" in refused.value.hint
    printed = "".join(f"{statement};\n" for statement in migrate.make_roles(place.url, place.prefix, only_show=True))
    psql = shutil.which("psql")
    assert psql is not None
    done = subprocess.run(
        [psql, "-X", "-v", "ON_ERROR_STOP=1", "-q", "-d", place.admin], input=printed, text=True, capture_output=True, check=False,
        env=environment({}), cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    migrate.migrate(place.url, role_prefix=place.prefix)
    assert_they_work(place)
