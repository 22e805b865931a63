"""A pooled connection keeps nothing that a later transaction could stumble over: not its session's settings, not a state of
the database that has passed. Everything is right under any setting that somebody made for the role or the database.
"""

from __future__ import annotations

import io
import time
from contextlib import closing, contextmanager, redirect_stdout
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from replicator.budget.durable import Limits
from replicator.errors import DatabaseError, DatabaseMisconfigured, DatabaseUnavailable
from replicator.export import question, running
from replicator.report import figures, page
from replicator.simulator.api import KEY
from replicator.source.client import Reader
from replicator.store import database as door
from replicator.store import migrate, status
from replicator.store.database import Database
from replicator.verify.run import Verification
from tests import fix_pooler
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store import embedded
    from tests.sync.fix_source import Setting

READ_ONLY = "default_transaction_read_only"


def name_of(url: str) -> str:
    return url.rsplit("/", 1)[1]


@pytest.fixture
def admin(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session in another database, for what concerns the tested one as a whole."""
    with psycopg.connect(database_url.rsplit("/", 1)[0] + "/postgres", autocommit=True) as connection:
        yield connection


def write(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("UPDATE replicator.reporting SET time_zone = time_zone")


def pids(database: Database, count: int = 1) -> set[int]:
    """Return the servers' processes of as many connections at once."""
    with pool_of(database, count) as connections:
        return {connection.info.backend_pid for connection in connections}


@contextmanager
def pool_of(database: Database, count: int) -> Iterator[list[psycopg.Connection[Any]]]:
    opened = [database.transaction() for _ in range(count)]
    try:
        yield [one.__enter__() for one in opened]
    finally:
        for one in opened:
            one.__exit__(None, None, None)


def test_a_read_only_while_is_over_when_it_is_over(
    database: Database, database_url: str, admin: psycopg.Connection[Any]
) -> None:
    """Sessions that were opened while the database was read-only write again as soon as it is not; it is said meanwhile."""
    name = name_of(database_url)
    admin.execute(f"ALTER DATABASE {name} SET {READ_ONLY} = on")
    pids(database, 3)
    with pytest.raises(DatabaseUnavailable, match="25006") as raised:
        write(database)
    assert "read-only" in raised.value.message
    assert "target_session_attrs" in raised.value.hint
    with pytest.raises(DatabaseUnavailable, match="25006"):  # it is respected as long as somebody wants it
        write(database)
    pids(database, 3)
    admin.execute(f"ALTER DATABASE {name} RESET {READ_ONLY}")
    for _ in range(4):
        write(database)


def test_after_an_error_all_connections_are_new(database: Database) -> None:
    """Whatever was wrong with the sessions in the pool, none of them is used again."""
    before = pids(database, 3)
    with pytest.raises(DatabaseError), database.transaction() as tx:
        tx.execute("SELECT 1 / 0")
    assert not before & pids(database, 3)
    kept = pids(database, 3)
    assert pids(database, 3) == kept


def test_a_connection_grows_old(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a role or a database is set to counts after ten minutes at the latest: no connection is older."""
    assert door.MOST_AGE_SECONDS <= 600
    monkeypatch.setattr(door, "MOST_AGE_SECONDS", 1)
    with closing(Database(database._target.conninfo)) as quick:
        before = pids(quick)
        assert pids(quick) == before
        time.sleep(1.1)
        assert not pids(quick) & before


def test_sessions_that_died_in_the_pool_are_nobodys_error(
    database: Database, database_url: str, admin: psycopg.Connection[Any]
) -> None:
    """A restart, a failover or an idle_session_timeout between two transactions is not noticed by the second one."""
    before = pids(database, 3)
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name_of(database_url)])
    write(database)
    admin.execute(f"ALTER DATABASE {name_of(database_url)} SET idle_session_timeout = '200ms'")
    database.close()
    pids(database, 3)
    time.sleep(0.5)
    write(database)
    assert not pids(database) & before


def test_a_password_that_is_changed_is_said(database_url: str, admin: psycopg.Connection[Any]) -> None:
    """Open sessions go on; a new one says that the password is refused, what to do, and that waiting does not help."""
    role = f"r{database_url[-12:]}"
    admin.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'old'")
    try:
        url = psycopg.conninfo.make_conninfo(database_url, user=role, password="old")
        with closing(Database(url)) as theirs:
            write(theirs)
            admin.execute(f"ALTER ROLE {role} PASSWORD 'new'")
            write(theirs)
            with pytest.raises(DatabaseMisconfigured, match="refuses the password") as raised, pool_of(theirs, 2):
                pass
            assert "start again" in raised.value.hint
    finally:
        admin.execute(f"DROP ROLE {role}")


def test_rights_that_are_taken_and_given_back_heal(
    logins: dict[str, str], database_url: str, admin: psycopg.Connection[Any], role_prefix: str
) -> None:
    """A membership that was revoked for a while is an error meanwhile, and none afterwards."""
    login = psycopg.conninfo.conninfo_to_dict(logins["writer"])["user"]
    with closing(Database(logins["writer"])) as theirs:
        read(theirs)
        admin.execute(f"REVOKE {role_prefix}_writer FROM {login}")
        with pytest.raises(DatabaseError):
            read(theirs)
        admin.execute(f"GRANT {role_prefix}_writer TO {login}")
        read(theirs)


def read(database: Database) -> None:
    with database.connection() as connection:
        connection.execute("SELECT FROM truedy.calls")


def test_a_migration_beside_a_session_is_no_stale_plan(database: Database) -> None:
    """A column's type that changes under a pooled session does not make its next statement fail: nothing is prepared."""
    with database.transaction() as tx:
        tx.execute("CREATE TABLE public.t (a integer)")
    for _ in range(8):
        with database.transaction() as tx:
            tx.execute("SELECT a FROM public.t WHERE a > %s", [0])
    with psycopg.connect(database._target.conninfo, autocommit=True) as other:
        other.execute("ALTER TABLE public.t ALTER a TYPE text")
    with database.transaction() as tx:
        assert tx.execute("SELECT a FROM public.t").fetchall() == []


# Settings of the role or the database ------------------------------------------------------------------------------

HOSTILE = {
    "search_path": "evil, pg_catalog, analytics, public",
    "datestyle": "'German, DMY'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Pacific/Chatham'",
    "bytea_output": "'escape'",
    "extra_float_digits": "'-15'",
    "standard_conforming_strings": "off",
    "backslash_quote": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "client_encoding": "'LATIN1'",
    "default_transaction_isolation": "'serializable'",
    "default_transaction_deferrable": "on",
    "statement_timeout": "'20s'",
    "lock_timeout": "'1ms'",
    "idle_in_transaction_session_timeout": "'20s'",
    "row_security": "on",
    "quote_all_identifiers": "on",
    "session_replication_role": "replica",
    "jit": "on",
    "jit_above_cost": "0",
    "lc_numeric": "'C'",
    "default_text_search_config": "'pg_catalog.simple'",
    "plan_cache_mode": "'force_generic_plan'",
    "synchronous_commit": "off",
    "client_min_messages": "'debug1'",
    "escape_string_warning": "on",
}
EVIL = """
CREATE SCHEMA evil;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz '1999-01-01'$$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT timestamptz '1999-01-01'$$;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$SELECT 'evil'$$;
CREATE FUNCTION evil.coalesce_day(date) RETURNS date LANGUAGE sql AS $$SELECT $1$$;
CREATE TABLE evil.calls (id integer);
CREATE TABLE evil.pg_class (id integer);
"""


def set_all(admin: psycopg.Connection[Any], url: str) -> None:
    for name, value in HOSTILE.items():
        admin.execute(f"ALTER DATABASE {name_of(url)} SET {name} = {value}".encode())


def look(there: Setting, tmp_path: Path, number: int) -> dict[str, Any]:
    """Return what the commands say of the replica: status, report, an export, a verification."""
    database = there.database
    said = status.read(database, "default")
    # How much of today is proven changes while one looks.
    recent = [{name: value for name, value in row.items() if not name.endswith("_share")} for row in said.recent]
    found = figures.read(database, "default", 30)
    page.render(found)
    file = tmp_path / f"{number}.csv"
    with redirect_stdout(io.StringIO()):
        running.export(
            database,
            question.Asked("calls", None, None, None, None),
            running.Target(str(file), question.format_of(str(file), None)),
        )
    with Reader(there.base_url, KEY, timeout_seconds=10) as reader:
        verified = Verification(
            database, [(KEY, reader)], account="default", base_url=there.base_url, limits=Limits(None), seed=1
        ).perform()
    return {
        "status": (said.calls, said.coverage["intervals"], said.unsure, recent, [row["kind"] for row in said.details]),
        "report": (found.attempts, found.costs, found.durations, found.hours, found.agents),
        "export": file.read_bytes(),
        "verify": verified.is_equal,
        "stale": there.rows("SELECT count(*) FROM rollup.stale"),
    }  # fmt: skip


@pytest.mark.slow
def test_no_setting_breaks_or_falsifies_anything(
    database_url: str, empty_database: str, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """Some thirty settings of the database at once, and functions named as PostgreSQL's first on the path: views and
    roll-ups are made as elsewhere, a sync is exact, and status, report, verify and export say what they say without them.
    """
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(EVIL.encode())
    set_all(admin, empty_database)
    migrate.migrate(empty_database)
    assert defined(empty_database) == defined(database_url)
    with closing(Database(empty_database)) as database, source(database, calls=150) as there:
        there.sync()
        there.world.update(there.world.live_ids()[3], context={"a": "\\d"})
        there.sync()
        assert there.differences() == []
        hostile = look(there, tmp_path, 0)
        with psycopg.connect(empty_database) as connection:
            assert connection.execute("SHOW datestyle").fetchone() == ("German, DMY",)
        admin.execute(f"ALTER DATABASE {name_of(empty_database)} RESET ALL")
        database.close()
        assert look(there, tmp_path, 1) == hostile
    assert hostile["verify"]
    assert hostile["stale"] != [(0,)]


def defined(url: str) -> object:
    """Return what the views, functions and triggers of a database are, as PostgreSQL writes them."""
    with closing(Database(url)) as database, database.connection() as connection:
        return connection.execute(
            "SELECT string_agg(pg_get_viewdef(oid), '' ORDER BY oid::regclass::text), "
            "(SELECT string_agg(prosrc, '' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'rollup'::regnamespace), "
            "(SELECT string_agg(pg_get_indexdef(indexrelid), '' ORDER BY indexrelid::regclass::text) FROM pg_index i JOIN pg_class c "
            "ON c.oid = i.indrelid WHERE c.relnamespace IN ('truedy'::regnamespace, 'rollup'::regnamespace)) "
            "FROM pg_class WHERE relkind = 'v' AND relnamespace IN ('analytics'::regnamespace, 'rollup'::regnamespace)"
        ).fetchone()


def test_triggers_that_are_switched_off_are_said(
    logins: dict[str, str], database_url: str, admin: psycopg.Connection[Any]
) -> None:
    """session_replication_role = replica would leave the roll-ups behind without a word; who cannot set it is told."""
    name = name_of(database_url)
    admin.execute(f"ALTER DATABASE {name} SET session_replication_role = replica")
    with closing(Database(logins["writer"])) as theirs, pytest.raises(DatabaseMisconfigured, match="triggers"):
        read(theirs)


def test_terms_are_those_of_a_transaction(database: Database) -> None:
    """Times are UTC and exact, and nothing is left in the session."""
    with database.transaction() as tx:
        session = tx
        row = tx.execute(
            "SELECT timestamptz '2026-01-02 03:04:05.123456+01', 0.1::float8 + 0.2, current_setting('jit')"
        ).fetchone()
        assert row == (datetime(2026, 1, 2, 2, 4, 5, 123456, tzinfo=UTC), 0.30000000000000004, "off")
    left = session.execute("SHOW lock_timeout").fetchone(), session.execute("SHOW search_path").fetchone()
    assert left == (("0",), ('"$user", public',))


def test_a_transaction_begins_in_one_round_trip(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """BEGIN and all terms are one message; a transaction of one statement is three."""
    sent: list[object] = []
    with database.connection():
        pass
    execute = psycopg.Connection.execute

    def counting(self: psycopg.Connection[Any], query: Any, *rest: Any, **more: Any) -> Any:
        sent.append(query)
        return execute(self, query, *rest, **more)

    monkeypatch.setattr(psycopg.Connection, "execute", counting)
    with database.transaction() as tx:
        tx.execute("SELECT 1")
    assert len(sent) == 2


# Behind a pooler -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pooler_port(postgres_server: embedded.Server, reachable_folder: Path) -> Iterator[int]:
    """The port of a running PgBouncer in transaction mode."""
    program = fix_pooler.binary()
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    with fix_pooler.running(program, postgres_server, reachable_folder / "pooler-of-states") as port:
        yield port


def test_a_poolers_sessions_forget_that_they_were_read_only(
    database_url: str, pooler_port: int, admin: psycopg.Connection[Any]
) -> None:
    """A pooler keeps sessions of the time when the database was read-only for an hour. They write again at once, and as
    long as somebody wants it read-only, they do not.
    """
    name = name_of(database_url)
    admin.execute(f"ALTER DATABASE {name} SET {READ_ONLY} = on")
    with closing(Database(fix_pooler.through(database_url, pooler_port))) as pooled:
        for _ in range(6):
            with pytest.raises(DatabaseUnavailable, match="25006"):
                write(pooled)
        admin.execute(f"ALTER DATABASE {name} RESET {READ_ONLY}")
        for _ in range(6):
            write(pooled)
        admin.execute(f"ALTER DATABASE {name} SET {READ_ONLY} = true")
        with psycopg.connect(database_url) as fresh, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            fresh.execute("UPDATE replicator.reporting SET time_zone = time_zone")
        for _ in range(6):
            with pytest.raises(DatabaseUnavailable, match="25006"):
                write(pooled)


@pytest.mark.parametrize(
    ("in_session", "whole", "own", "is_read_only"),
    [
        ("", "on", "", True), ("", "off", "", False), ("", "", "tr", True), ("", "on", "off", False), ("", "off", "1", True),
        ("on", "", "", True), ("on", "off", "off", True), ("off", "on", "", False),
    ],
)  # fmt: skip
def test_the_most_specific_setting_decides_as_it_does_for_the_server(
    database_url: str, admin: psycopg.Connection[Any], in_session: str, whole: str, own: str, is_read_only: bool
) -> None:
    """Set for the database, for the role in it, or by the client itself: the rule is the server's own."""
    name, role = name_of(database_url), psycopg.conninfo.conninfo_to_dict(database_url)["user"]
    if whole:
        admin.execute(f"ALTER DATABASE {name} SET {READ_ONLY} = {whole}")
    if own:
        admin.execute(f"ALTER ROLE {role} IN DATABASE {name} SET {READ_ONLY} = '{own}'")
    options = f"-c {READ_ONLY}={in_session}" if in_session else ""
    with psycopg.connect(database_url, options=options, autocommit=True) as connection:
        row = connection.execute(f"SELECT current_setting('{READ_ONLY}') = 'on'").fetchone()
        assert row == (is_read_only,)
        assert connection.execute(door.IS_ORDERED.encode()).fetchone() == row


def test_no_setting_breaks_a_sync_behind_a_pooler(
    database_url: str, pooler_port: int, admin: psycopg.Connection[Any]
) -> None:
    """The same settings, met in sessions that are handed out in turn."""
    set_all(admin, database_url)
    with closing(Database(fix_pooler.through(database_url, pooler_port))) as pooled, source(pooled, calls=100) as there:
        there.sync()
        assert there.differences() == []
        assert there.value("SELECT count(*) FROM rollup.stale") > 0
