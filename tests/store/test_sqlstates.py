"""Whatever PostgreSQL's code is: what happened, whose fault it is, whether waiting helps, what to do. A defect is the rest."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import errors as pg

from replicator.errors import (
    DatabaseError,
    DatabaseMisconfigured,
    DatabaseUnavailable,
    ForeignChange,
    ReportingUnusable,
    RightMissing,
    StatementDefect,
)
from replicator.store import migrate, sqlstates
from replicator.store.database import Database, translate
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from replicator.store import embedded

SECRET = "Hush7Canary"
AWAY, WRONG, THEIRS = DatabaseUnavailable, DatabaseMisconfigured, ForeignChange

BY_USERS = [
    "0A000",
    "22021",
    "22023",
    "22P05",
    "23502",
    "23503",
    "23505",
    "23514",
    "23P01",
    "25006",
    "25P03",
    "25P04",
    "28000",
    "28P01",
    "2BP01",
    "3D000",
    "3F000",
    "40001",
    "40003",
    "40P01",
    "42501",
    "42703",
    "42704",
    "42883",
    "42P01",
    "42P07",
    "42710",
    "44000",
    "53000",
    "53100",
    "53200",
    "53300",
    "53400",
    "54000",
    "54001",
    "54011",
    "54023",
    "55000",
    "55006",
    "55P02",
    "55P03",
    "55P04",
    "57000",
    "57014",
    "57P01",
    "57P02",
    "57P03",
    "57P04",
    "57P05",
    "58000",
    "58030",
    "58P01",
    "58P02",
    "72000",
    "F0000",
    "HV000",
    "P0001",
    "XX000",
    "XX001",
    "XX002",
    "08000",
    "08003",
    "08006",
    "08P01",
    "09000",
    "27000",
    "38000",
    "39000",
    "0L000",
    "0P000",
]
BY_US = [
    "22P02",
    "22001",
    "22003",
    "22007",
    "22012",
    "25001",
    "25P02",
    "26000",
    "34000",
    "42601",
    "42804",
    "42P02",
    "42P18",
    "03000",
    "20000",
]


@pytest.mark.parametrize("code", BY_USERS)
def test_what_users_can_cause_is_no_defect(code: str) -> None:
    """Each code that a setting, a right, a disk, a limit or somebody's change can cause says what to do, and how it is found."""
    error = translate(psycopg.errors.lookup(code)(f"value {SECRET}") if known(code) else other(code), "h:5432/d")
    assert not isinstance(error, StatementDefect)
    said = error.explain()
    assert error.message.startswith("the database at h:5432/d ")
    assert error.message.endswith(f"({code})")
    assert "what to do: " in said
    assert SECRET not in said
    assert type(error).fault


@pytest.mark.parametrize("code", BY_US)
def test_what_only_a_statement_of_ours_can_cause_is_a_defect(code: str) -> None:
    """And only there the user is asked to report it."""
    error = translate(psycopg.errors.lookup(code)(f"value {SECRET}") if known(code) else other(code), "h:5432/d")
    assert type(error) is StatementDefect
    assert "report this with the code" in error.explain()
    assert "at fault: this program; waiting does not help" in error.explain()
    assert code in error.message
    assert SECRET not in error.explain()


def test_the_table_is_plain() -> None:
    """Each entry has an advice, speaks of the database after its place, and holds no code twice."""
    for code, meant in {**sqlstates.STATES, **sqlstates.CLASSES}.items():
        assert re.fullmatch("[0-9A-Z]{2}|[0-9A-Z]{5}", code)
        assert issubclass(meant.kind, DatabaseError)
        assert meant.advice or meant.kind.advice
        assert meant.what[0].islower()
        assert not meant.what.endswith(".")


def known(code: str) -> bool:
    try:
        psycopg.errors.lookup(code)
    except KeyError:
        return False
    return True


def other(code: str) -> psycopg.Error:
    """Return an error with a code that psycopg has no class for."""
    error = psycopg.Error(f"value {SECRET}")
    error.sqlstate = code
    return error


# Provoked on a real server ------------------------------------------------------------------------------------------


def refused(database: Database, *statements: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as raised:
        execute(database, *statements)
    return raised.value


def execute(database: Database, *statements: str) -> None:
    with database.transaction() as tx:
        for statement in statements:
            tx.execute(statement.encode())


@pytest.mark.parametrize(
    ("prepared", "statement", "kind", "code"),
    [
        ("", "SELECT now() AT TIME ZONE 'Mars/Phobos'", ReportingUnusable, "22023"),
        ("DROP TABLE replicator.stage_rules CASCADE", "SELECT * FROM replicator.stage_rules", THEIRS, "42P01"),
        ("ALTER TABLE truedy.calls RENAME COLUMN summary TO s", "SELECT summary FROM truedy.calls", THEIRS, "42703"),
        ("ALTER SCHEMA rollup RENAME TO away", "SELECT FROM rollup.days", THEIRS, "42P01"),
        ("", "SELECT rollup.no_such_function()", THEIRS, "42883"),
        ("", "CREATE TABLE no_such_schema.t ()", THEIRS, "3F000"),
        ("", "CREATE TABLE truedy.calls ()", THEIRS, "42P07"),
        ("", "DROP TABLE truedy.calls", THEIRS, "2BP01"),
        ("", "SET LOCAL ROLE no_such_role", ReportingUnusable, "22023"),
        ("", "SET TRANSACTION READ ONLY; DELETE FROM replicator.runs", AWAY, "25006"),
        ("", "SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)", AWAY, "57014"),
        ("", "SELECT pg_terminate_backend(pg_backend_pid())", AWAY, "57P01"),
        ("", "SELECT pg_read_file('/no/such/file')", DatabaseError, "58P01"),
        ("", f"SET LOCAL max_stack_depth = '100kB'; SELECT {'NOT ' * 5000}true", DatabaseError, "54001"),
        ("ALTER TABLE truedy.calls ADD CHECK (status <> 'x')", "INSERT INTO truedy.calls (id, account, raw, fingerprint, status) VALUES (gen_random_uuid(), 'a', '{}', '', 'x')", THEIRS, "23"),
        ("", "SELECT * FROM truedy.calls WHERE", StatementDefect, "42601"),
        ("", "SELECT 'x'::integer", StatementDefect, "22P02"),
    ],
)  # fmt: skip
def test_a_real_server_says_it(
    database: Database, prepared: str, statement: str, kind: type[DatabaseError], code: str
) -> None:
    """What a real server answers is recognised, and the next transaction works."""
    if prepared:
        with database.transaction() as tx:
            tx.execute(prepared.encode())
    error = refused(database, *statement.split("; ") if kind is not StatementDefect else (statement,))
    assert type(error) is kind, error
    assert code in error.message or "57P01" in code
    with database.transaction() as tx:
        assert tx.execute("SELECT 1").fetchone() == (1,)


def test_a_trigger_of_somebody_is_named_as_theirs(database: Database) -> None:
    """A rule that somebody added to our tables stops a sync with their name on it: whoever changed the database."""
    with database.transaction() as tx:
        tx.execute(
            "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'row of %', new.phone_number; "
            "END$$; CREATE TRIGGER no BEFORE INSERT ON truedy.calls FOR EACH ROW EXECUTE FUNCTION public.no()"
        )
    with source(database, calls=5) as there, pytest.raises(ForeignChange, match="P0001") as raised:
        there.sync()
    assert "+1" not in raised.value.explain()
    assert "remove constraints, triggers" in raised.value.explain()


def test_an_index_of_somebody_that_is_too_small_for_a_value(database: Database) -> None:
    """54000: a text that their index cannot hold."""
    execute(database, "CREATE TABLE truedy.theirs (note text)", "CREATE INDEX ON truedy.theirs (note)")
    value = "string_agg(md5(n::text), '') FROM generate_series(1, 1000) n"
    error = refused(database, f"INSERT INTO truedy.theirs SELECT {value}")
    assert type(error) is ForeignChange
    assert "54000" in error.message
    assert "drop indexes of your own" in error.hint


def test_a_reader_that_may_not_is_told_of_rights(logins: dict[str, str]) -> None:
    """42501 is a matter of grants: the message names what is closed, and the advice the role that has the right."""
    with closing(Database(logins["reader"])) as theirs:
        error = refused(theirs, "SELECT FROM truedy.calls")
    assert type(error) is RightMissing
    assert "refuses this user the schema truedy (42501)" in error.message
    assert "truedy_writer" in error.hint
    assert "docs/operations.md" in error.hint
    with closing(Database(logins["auditor"])) as theirs:
        assert "the table quarantine (42501)" in refused(theirs, "SELECT FROM replicator.quarantine").message


def test_only_the_name_of_an_object_is_passed_on(database: Database) -> None:
    """Somebody's trigger may refuse with any words under this code."""
    with database.transaction() as tx:
        tx.execute(
            "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION "
            "'permission denied for table of +1 555 0100' USING ERRCODE = '42501'; END$$; "
            "CREATE TRIGGER no BEFORE INSERT ON replicator.runs FOR EACH ROW EXECUTE FUNCTION public.no()"
        )
    error = refused(
        database,
        "INSERT INTO replicator.runs (account, command, outcome) VALUES ('a', 'sync', 'running')",
    )
    assert (type(error), "555" in error.explain()) == (RightMissing, False)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server: embedded.Server, encoding: str) -> None:
    """Before anything is made in it; and where there is one already, the character is what is said."""
    base, name = postgres_server.tcp_url.rsplit("/", 1)[0], f"odd_{encoding.lower()}"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        )
        try:
            with pytest.raises(DatabaseMisconfigured, match=encoding) as raised:
                migrate.migrate(f"{base}/{name}")
            assert "ENCODING 'UTF8'" in raised.value.hint
            with closing(Database(f"{base}/{name}")) as database:
                with database.connection() as connection:
                    assert connection.execute(
                        "SELECT count(*) FROM pg_namespace WHERE nspname = 'replicator'"
                    ).fetchone() == (0,)
                    assert connection.execute("SHOW client_encoding").fetchone() == ("UTF8",)
                if encoding != "SQL_ASCII":
                    with pytest.raises(DatabaseMisconfigured, match="22P05"), database.connection() as connection:
                        connection.execute("SELECT %s::text", ["\N{FAMILY}"])
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_small_shared_memory_is_gone_around(database: Database) -> None:
    """53100 of /dev/shm is no full disk; from then on statements work without parallel workers."""

    class Small(pg.DiskFull):
        class diag:  # noqa: N801 - psycopg's name
            source_function = "dsm_impl_posix_resize"

    def workers() -> Any:
        with database.transaction() as tx:
            return tx.execute("SHOW max_parallel_workers_per_gather").fetchone()

    assert workers() == ("2",)
    with pytest.raises(DatabaseUnavailable, match="shared memory") as raised, database.transaction():
        raise Small(SECRET)
    assert "docker run --shm-size" in raised.value.hint
    assert workers() == ("0",)


def test_a_deadlock_and_a_conflict_are_waited_out(database: Database) -> None:
    """40P01 and 40001 end a transaction that somebody else's was in the way of: a sync does it again."""
    tries = []
    with source(database, calls=20) as there:
        there.sync()
        there.world.update(there.world.live_ids()[3], context={"a": 1})
        patched = there.database.transaction
        for kind in (pg.DeadlockDetected, pg.SerializationFailure):

            def failing(kind: type[psycopg.Error] = kind) -> Any:
                if len(tries) % 3 == 1:
                    tries.append(kind)
                    raise translate(kind(SECRET), database.place)
                tries.append(None)
                return patched()

            there.database.transaction = failing  # type: ignore[method-assign]
            there.sync()
        there.database.transaction = patched  # type: ignore[method-assign]
        assert {pg.DeadlockDetected, pg.SerializationFailure} <= set(tries)
        assert there.differences() == []
