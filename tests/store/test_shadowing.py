"""Shadowing by attack: what others make under the names that our SQL uses is never run, neither in `public` nor in a
temporary schema, whatever the search path says.
"""

from __future__ import annotations

import re
import uuid
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from replicator.report import figures
from replicator.store import migrate, roles, rollups, schema_check, status
from replicator.store.database import Database
from tests.sql import fix_small_world
from tests.store import fix_shadows
from tests.sync.fix_source import source

CALL = (
    "INSERT INTO truedy.calls (id, account, status, created_at, cost_usd, raw, fingerprint, version, observed_at, first_seen_at, "
    "changed_at) VALUES (%s, 'main', 'completed', '2025-03-01 10:00Z', 1, '{}', '', 1, now(), now(), now())"
)
FOREIGN = """
SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
FROM pg_depend d
CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) mine
CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) theirs
WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_class'::regclass, 'pg_collation'::regclass)
AND (mine.schema = ANY(%(ours)s) OR mine.identity ~ %(pattern)s)
AND theirs.schema IS NOT NULL AND NOT theirs.schema = ANY(%(ours)s) AND theirs.schema NOT IN ('pg_catalog', 'pg_toast')
"""


def foreign(connection: psycopg.Connection[Any]) -> list[Any]:
    """Return what of ours stands on a function, operator, type, table or collation that is not ours or PostgreSQL's."""
    ours = roles.schemas()
    return connection.execute(FOREIGN, {"ours": ours, "pattern": rf"\m({'|'.join(ours)})\."}).fetchall()


def test_nothing_of_ours_stands_on_what_is_not_ours(database_url: str) -> None:
    """Views, defaults, indexes, checks and triggers are bound to pg_catalog and to our own schemas; the watch works."""
    with psycopg.connect(database_url) as connection:
        assert foreign(connection) == []
        connection.execute("CREATE FUNCTION public.theirs(text) RETURNS text LANGUAGE sql RETURN $1")
        connection.execute("CREATE VIEW analytics.probe AS SELECT public.theirs('x') AS a")
        assert len(foreign(connection)) == 1


def lend_temporary(url: str, role: str) -> None:
    """Let a role make temporary objects, as a database does where PUBLIC still may: a fresh one, or a careless one."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(
                sql.Identifier(admin.info.dbname), sql.Identifier(role)
            )
        )


@pytest.fixture
def open_public(empty_database: str) -> str:
    """A database in which everybody may create in `public`, as in those that come from PostgreSQL 14 and before, and in
    which somebody did.
    """
    with psycopg.connect(empty_database, autocommit=True) as admin:
        admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        assert fix_shadows.plant(admin, "public") > 5000
        with pytest.raises(psycopg.errors.RaiseException, match=fix_shadows.MARK):
            admin.execute("SELECT concat('a'::text, 'b'::text)")
    return empty_database


@pytest.mark.slow
def test_whoever_migrates_runs_nothing_of_a_stranger(open_public: str) -> None:
    """`migrate` and `roles` as a superuser, from nothing and again: no view and no index is bound to a stranger's function,
    and none is run with the rights of whoever migrates.
    """
    prefix = f"t{uuid.uuid4().hex[:8]}"
    migrate.migrate(open_public)
    migrate.make_roles(open_public, prefix)
    migrate.migrate(open_public, role_prefix=prefix, time_zone="Europe/Berlin")
    with psycopg.connect(open_public) as connection:
        assert foreign(connection) == []


@pytest.mark.slow
def test_the_writer_and_the_reports_run_nothing_of_a_stranger(open_public: str) -> None:
    """A sync that sees changes and deletions, the roll-ups, the status and the figures, where `public` is full of traps."""
    migrate.migrate(open_public)
    with closing(Database(open_public)) as database, source(database, calls=60) as there:
        there.sync()
        there.world.update(there.world.live_ids()[3], context={"a": 1})
        there.world.delete(there.world.live_ids()[5])
        for _ in range(3):
            there.sync(confirm_after=timedelta(0))
        assert there.differences() == []
        rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))
        assert status.read(database, "default").calls["deleted"] == 1
        assert figures.read(database, "default", 30)


TABLES = {
    "truedy": ("calls", "transcript_segments", "call_versions"),
    "replicator": ("reporting", "cost_changes", "coverage", "status_stages"),
    "rollup": (
        "touched",
        "days",
        "call_conversations_touched",
        "call_conversations",
        "call_conversations_plain",
        "facts",
    ),
}


def shadow(connection: psycopg.Connection[Any]) -> None:
    """Make temporary tables, types, functions and operators under every name that our triggers and views use."""
    for schema, tables in TABLES.items():
        for name in tables:
            connection.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM {schema}.{name} WITH NO DATA")
    for name in ("old_rows", "new_rows"):
        connection.execute(f"CREATE TEMP TABLE {name} (id uuid, call_id uuid, account text, cost_usd numeric)")
    for name in ("date", "numeric", "uuid", "text", "timestamptz"):
        connection.execute(f"CREATE DOMAIN pg_temp.{name} AS integer CHECK (VALUE = 424242)")
    for name, takes, gives in (
        ("lower", "pg_catalog.text", "pg_catalog.text"), ("now", "", "pg_catalog.timestamptz"),
        ("generate_series", "integer, integer", "SETOF integer"), ("timezone", "pg_catalog.text, pg_catalog.timestamptz", "timestamp"),
        ("concat", "pg_catalog.text, pg_catalog.text", "pg_catalog.text"), ("jsonb_typeof", "jsonb", "pg_catalog.text"),
    ):  # fmt: skip
        connection.execute(
            f"CREATE FUNCTION pg_temp.{name}({takes}) RETURNS {gives} LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{fix_shadows.MARK}'; END $$"
        )
    connection.execute(
        "CREATE FUNCTION pg_temp.differs(pg_catalog.numeric, pg_catalog.numeric) RETURNS boolean LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{fix_shadows.MARK}'; END $$"
    )
    connection.execute(
        "CREATE OPERATOR pg_temp.= (LEFTARG = pg_catalog.numeric, RIGHTARG = pg_catalog.numeric, FUNCTION = pg_temp.differs)"
    )


PATHS = (
    "pg_temp, pg_catalog",
    "pg_temp, truedy, replicator, rollup, pg_catalog",
    "public",
    "pg_catalog, pg_temp",
    "''",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_writer_cannot_blind_the_triggers(
    logins: dict[str, str], database_url: str, role_prefix: str, path: str
) -> None:
    """With shadows of every table and type in its temporary schema and that schema first: what is written is noted in the
    real books, and nothing in the shadows.
    """
    call_id = uuid.uuid4()
    lend_temporary(database_url, f"{role_prefix}_writer")
    with psycopg.connect(logins["writer"], autocommit=True) as writer:
        shadow(writer)
        writer.execute(f"SET search_path = {path}")
        writer.execute(CALL, [call_id])
        writer.execute("UPDATE truedy.calls SET cost_usd = 2 WHERE id = %s", [call_id])
        writer.execute(
            "INSERT INTO truedy.transcript_segments (call_id, position, speaker, text, raw) VALUES (%s, 0, 'agent', 'a b', '{}')", [call_id]
        )  # fmt: skip
        row = writer.execute(
            "SELECT (SELECT pg_catalog.count(*) FROM rollup.touched), (SELECT pg_catalog.count(*) FROM replicator.cost_changes), "
            "(SELECT agent_words FROM rollup.call_conversations_current), (SELECT pg_catalog.count(*) FROM pg_temp.touched) + "
            "(SELECT pg_catalog.count(*) FROM pg_temp.cost_changes) + (SELECT pg_catalog.count(*) FROM pg_temp.call_conversations_touched)"
        ).fetchone()
        assert row is not None
        assert row[0] >= 3
        assert row[1:] == (1, 2, 0)


@pytest.mark.parametrize("path", PATHS)
def test_views_do_not_read_shadows(logins: dict[str, str], database_url: str, role_prefix: str, path: str) -> None:
    """A reader who was given temporary objects sees in every view what everybody sees."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(CALL, [uuid.uuid4()])
        fix_small_world.analyze(admin)
    lend_temporary(database_url, f"{role_prefix}_reader")
    names = [view for view, found in migrate._views().items() if found.audience == "reader"]
    with (
        psycopg.connect(logins["reader"], autocommit=True) as plain,
        psycopg.connect(logins["reader"], autocommit=True) as other,
    ):
        for schema in ("calls", "touched", "days", "facts", "reporting", "coverage", "call_versions", "status_stages"):
            other.execute(f"CREATE TEMP TABLE {schema} (id uuid, account text, day date, time_zone text)")
            other.execute(f"INSERT INTO pg_temp.{schema} (account) VALUES ('shadow')")
        for kind in ("date", "numeric"):
            other.execute(f"CREATE DOMAIN pg_temp.{kind} AS integer CHECK (VALUE = 424242)")
        other.execute(f"SET search_path = {path}")
        for view in names:
            statement = f"SELECT pg_catalog.count(*) FROM analytics.{view}"
            assert other.execute(statement).fetchone() == plain.execute(statement).fetchone(), view


def test_a_writer_cannot_lend_its_functions_to_the_owner(
    logins: dict[str, str], database_url: str, role_prefix: str
) -> None:
    """No trigger, rule, policy, default, cast, operator class, event trigger or view of the writer's gets onto our tables."""
    lend_temporary(database_url, f"{role_prefix}_writer")
    with psycopg.connect(logins["writer"], autocommit=True) as writer:
        writer.execute(
            "CREATE FUNCTION pg_temp.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'mine'; END $$"
        )
        for attempt in (
            "CREATE TRIGGER mine BEFORE INSERT ON truedy.calls FOR EACH ROW EXECUTE FUNCTION pg_temp.mine()",
            "CREATE RULE mine AS ON INSERT TO truedy.calls DO INSTEAD NOTHING",
            "CREATE POLICY mine ON truedy.calls USING (true)",
            "ALTER TABLE truedy.calls ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE truedy.calls ALTER COLUMN account SET DEFAULT pg_temp.mine()",
            "ALTER TABLE truedy.calls DISABLE TRIGGER ALL",
            "ALTER TABLE truedy.calls DISABLE TRIGGER calls_updated",
            "ALTER TABLE truedy.calls REPLICA IDENTITY NOTHING",
            "SET session_replication_role = replica",
            "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION pg_temp.mine()",
            "CREATE CAST (text AS uuid) WITH INOUT AS IMPLICIT",
            "CREATE OR REPLACE FUNCTION rollup.touch_calls() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "ALTER FUNCTION rollup.touch_calls() RESET search_path",
            "ALTER FUNCTION rollup.touch_calls() SECURITY DEFINER",
            "DROP TRIGGER calls_updated ON truedy.calls",
            "CREATE INDEX ON truedy.calls ((pg_temp.mine()))",
            "CREATE STATISTICS mine ON account, status FROM truedy.calls",
            "CREATE EXTENSION citext",
            "ALTER VIEW analytics.calls SET (security_invoker = true)",
            "CREATE TABLE mine PARTITION OF truedy.calls DEFAULT",
            "CREATE TEMP TABLE mine () INHERITS (truedy.calls)",
            "ALTER DATABASE postgres SET search_path = public",
        ):
            with pytest.raises(psycopg.Error) as refused:
                writer.execute(attempt)
            assert refused.value.sqlstate in {"42501", "42P16", "42809", "42P17", "42601", "0A000"}, (
                attempt,
                refused.value,
            )


def test_every_function_of_ours_works_as_its_caller(database_url: str) -> None:
    """But for those that roles.py names. Each has pg_catalog first and the temporary schema last, and only those that need
    their owner's rights build SQL, of quoted names alone.
    """
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT format('%%s.%%s(%%s)', pronamespace::regnamespace, proname, pg_get_function_identity_arguments(p.oid)), "
            "prosecdef, proconfig, prosrc FROM pg_proc p WHERE pronamespace::regnamespace::text = ANY(%s) AND prosqlbody IS NULL",
            [roles.schemas()],
        ).fetchall()
    assert len(rows) >= 3
    assert {name.split("(")[0] for name, is_definer, _, _ in rows if is_definer} == roles.DEFINERS_FOR_WRITER
    for name, is_definer, chosen, text in rows:
        assert chosen == ["search_path=pg_catalog, pg_temp"], name
        builds_sql = re.search(r"\bEXECUTE\b", text)
        assert is_definer or not builds_sql, name
        assert not builds_sql or not re.search(r"%s|%L", text), name


def test_new_statistics_run_nothing_of_a_stranger(logins: dict[str, str], database_url: str, role_prefix: str) -> None:
    """The writer's way to ANALYZE, which works with the owner's rights, takes tables of ours only: not one with an index on a
    stranger's function, not a temporary one under our table's name, not a catalog; and readers have no way to it.
    """
    name = 'a"; DROP TABLE truedy.calls; --'
    lend_temporary(database_url, f"{role_prefix}_writer")
    with (
        psycopg.connect(database_url, autocommit=True) as admin,
        psycopg.connect(logins["writer"], autocommit=True) as writer,
    ):
        user = f'"{writer.info.user}"'
        admin.execute(f"CREATE SCHEMA theirs AUTHORIZATION {user}")
        writer.execute(
            f"CREATE FUNCTION theirs.trap(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS "
            f"$$ BEGIN IF current_user <> '{writer.info.user}' THEN RAISE EXCEPTION '{fix_shadows.MARK}'; END IF; RETURN $1; END $$"
        )
        writer.execute("CREATE TABLE theirs.calls (a integer)")
        writer.execute("CREATE INDEX ON theirs.calls (theirs.trap(a))")
        writer.execute("INSERT INTO theirs.calls SELECT generate_series(1, 100)")
        writer.execute("CREATE TEMP TABLE calls (a integer)")
        writer.execute("INSERT INTO pg_temp.calls SELECT generate_series(1, 100)")
        writer.execute(sql.SQL("CREATE TABLE theirs.{} (a integer)").format(sql.Identifier(name)))
        seen = "SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM pg_stats WHERE schemaname = 'theirs' OR schemaname ~ '^pg_temp') x"
        for (oid,) in writer.execute(
            "SELECT c.oid::bigint FROM pg_class c WHERE relnamespace IN ('theirs'::regnamespace, pg_my_temp_schema()) OR relname = 'pg_authid'"
        ).fetchall():
            for path in PATHS:
                writer.execute(f"SET search_path = {path}")
                writer.execute(
                    "SELECT rollup.analyze_table(%s::pg_catalog.int8::pg_catalog.oid::pg_catalog.regclass)", [oid]
                )
        assert admin.execute(seen).fetchone() == (0,)
        writer.execute("SELECT rollup.analyze_table('truedy.calls'::pg_catalog.regclass)")
        assert admin.execute("SELECT count(*) FROM truedy.calls").fetchone() == (0,)
    for role in ("reader", "auditor"):
        with psycopg.connect(logins[role], autocommit=True) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT rollup.analyze_table('pg_class'::regclass)")
