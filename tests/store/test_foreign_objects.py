"""Databases in which others live: what is not ours is never dropped, changed, granted or given an owner."""

from __future__ import annotations

import re
import shutil
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from replicator.errors import DatabaseError, ForeignObjects
from replicator.store import migrate, naming, objects, rollup_making, rollups, schema_check
from tests.fix_catalog import described

if TYPE_CHECKING:
    from pathlib import Path

IN_THE_WAY = {
    "view analytics.calls": "CREATE SCHEMA analytics; CREATE VIEW analytics.calls AS SELECT 42 AS mine",
    "materialized view analytics.call_numbers": "CREATE SCHEMA analytics; CREATE MATERIALIZED VIEW analytics.call_numbers AS SELECT 1 AS a",
    "table rollup.funnel": "CREATE SCHEMA rollup; CREATE TABLE rollup.funnel (a integer)",
    "partitioned table truedy.calls": "CREATE SCHEMA truedy; CREATE TABLE truedy.calls (a integer) PARTITION BY LIST (a)",
    "foreign table truedy.calls": "CREATE SCHEMA truedy; CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA "
    "WRAPPER nothing; CREATE FOREIGN TABLE truedy.calls (a integer) SERVER nowhere",
    "sequence replicator.runs": "CREATE SCHEMA replicator; CREATE SEQUENCE replicator.runs",
    "domain replicator.lease": "CREATE SCHEMA replicator; CREATE DOMAIN replicator.lease AS integer",
    "type replicator.views": "CREATE SCHEMA replicator; CREATE TYPE replicator.views AS ENUM ('a')",
    "type replicator.agents": "CREATE SCHEMA replicator; CREATE TYPE replicator.agents AS (a integer)",
    "index truedy.ix_calls_created_at": "CREATE SCHEMA truedy; CREATE TABLE truedy.others (a integer); "
    "CREATE INDEX ix_calls_created_at ON truedy.others (a)",
    "function rollup.touch_calls()": "CREATE SCHEMA rollup; CREATE FUNCTION rollup.touch_calls() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NULL; END'",
    "procedure rollup.touch_everything()": "CREATE SCHEMA rollup; CREATE PROCEDURE rollup.touch_everything() LANGUAGE sql AS ''",
    "table replicator.schema_version": "CREATE SCHEMA replicator; CREATE TABLE replicator.schema_version (version_num text)",
}
BESIDE = """
CREATE SCHEMA IF NOT EXISTS rollup; CREATE SCHEMA IF NOT EXISTS analytics; CREATE SCHEMA IF NOT EXISTS truedy; CREATE SCHEMA IF NOT EXISTS replicator;
CREATE TABLE rollup.revenue (month date PRIMARY KEY, usd numeric);
CREATE TABLE rollup.without_key AS SELECT 1 AS a;
CREATE VIEW rollup.revenue_plain AS SELECT * FROM rollup.revenue;
CREATE MATERIALIZED VIEW rollup.yearly AS SELECT date_trunc('year', month) AS year, sum(usd) FROM rollup.revenue GROUP BY 1;
CREATE VIEW analytics.revenue AS SELECT * FROM rollup.revenue;
CREATE SEQUENCE truedy.numbers;
CREATE DOMAIN truedy.percent AS numeric CHECK (value BETWEEN 0 AND 100);
CREATE TYPE replicator.colour AS ENUM ('red');
CREATE FUNCTION rollup.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION analytics.touch_calls(a integer) RETURNS integer LANGUAGE sql RETURN a;
CREATE PROCEDURE truedy.clean() LANGUAGE sql AS 'SELECT 1';
CREATE TABLE truedy.notes (call_id uuid, note text);
CREATE INDEX notes_by_call ON truedy.notes (call_id);
CREATE TRIGGER mine BEFORE INSERT ON truedy.notes FOR EACH ROW EXECUTE FUNCTION rollup.mine();
"""
"""One of everything, under names that are not ours."""


def run(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements)


def changed_rollups(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the program be a release with other roll-ups and other columns in a view, so that everything is made anew."""
    shutil.copytree(schema_check.bundled("sql"), folder, dirs_exist_ok=True)
    hours = folder / "rollups" / "35_hours.sql"
    hours.write_text(
        hours.read_text(encoding="utf-8").replace("-- Kept:", "-- Another release.\n-- Kept:"), encoding="utf-8"
    )
    bundled = schema_check.bundled
    monkeypatch.setattr(schema_check, "bundled", lambda name: folder if name == "sql" else bundled(name))


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_what_is_in_the_way_is_named_and_nothing_is_changed(empty_database: str, name: str) -> None:
    """Whatever kind of object stands where one of ours would be made: it is named before the first change."""
    run(empty_database, "CREATE SCHEMA IF NOT EXISTS rollup; CREATE TABLE rollup.revenue AS SELECT 1 AS x")
    run(empty_database, IN_THE_WAY[name].replace("CREATE SCHEMA rollup;", ""))
    before = described(empty_database, oids=True)
    with pytest.raises(ForeignObjects) as refused:
        migrate.migrate(empty_database)
    assert name in refused.value.message.partition("beside them")[0]
    assert "rollup.revenue" in refused.value.message.partition("beside them")[2]
    assert "REPLICATOR_SCHEMAS" in refused.value.hint
    assert described(empty_database, oids=True) == before


@pytest.mark.slow
def test_what_is_not_in_the_way_is_never_touched(
    empty_database: str, role_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects of others in our schemas keep everything, rights and owners too: by the first migration, by one that makes all
    roll-ups and views anew, and by `roles`.
    """
    run(empty_database, BESIDE)
    before = described(empty_database, oids=True)
    theirs = {fact for fact in before if fact[0] != "schema rights"}
    migrate.migrate(empty_database)
    assert theirs <= described(empty_database, oids=True)
    changed_rollups(monkeypatch, tmp_path)
    assert migrate.migrate(empty_database).views
    assert theirs <= described(empty_database, oids=True)
    migrate.make_roles(empty_database, role_prefix)
    assert theirs <= described(empty_database, oids=True)
    assert migrate.make_roles(empty_database, role_prefix) == []
    with psycopg.connect(empty_database) as connection:
        owners = connection.execute(
            "SELECT DISTINCT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'rollup'"
        ).fetchall()
        assert owners == [(connection.info.user,)], "a schema that was there keeps its owner"
        # The roles work all the same.
        connection.execute(f"SET ROLE {role_prefix}_reader")
        assert connection.execute("SELECT count(*) FROM analytics.calls").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM analytics.revenue")


def test_the_book_has_what_is_made_and_nothing_else(empty_database: str) -> None:
    """After a first migration everything in our schemas is in the book, and all that is looked out for was made."""
    migrate.migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        book = set(connection.execute("SELECT kind, schema, name FROM replicator.objects").fetchall())
    engine = sa.create_engine(sa.make_url(empty_database).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        standing = objects.read(connection, ())
    engine.dispose()
    assert standing.others() == []
    assert book == {tuple(one.thing) for one in standing.found if not one.part_of}
    kept = rollups.load(schema_check.bundled("sql") / "rollups")
    wanted = migrate._wanted(kept, migrate._views())
    indexes = {one.thing for one in standing.found if one.word == "index"}
    assert wanted == {thing for thing in standing.ours if thing.kind != "schema"} | indexes
    with psycopg.connect(empty_database) as connection:
        made = connection.execute(
            "SELECT format('%s.%s', n.nspname, c.relname), tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT tgisinternal"
        ).fetchall()
    of_rollups = {(table, name) for table, names in rollup_making.triggers(kept).items() for name in names}
    kept_tables = (
        "records", "blocks", "holds", "retention_classes", "erasures", "erasure_calls", "suppressions",
    )  # fmt: skip
    of_archive = {(f"archive.{table}", name) for table in kept_tables for name in ("kept_rows", "kept_whole")}
    assert of_rollups | of_archive == set(made)


def test_a_view_that_took_our_name_is_not_ours(database_url: str) -> None:
    """Somebody drops a view of ours and makes one of his own under its name: that one is not replaced, however ours change."""
    run(database_url, "DROP VIEW analytics.errors_daily; CREATE VIEW analytics.errors_daily AS SELECT 1 AS mine")
    with pytest.raises(ForeignObjects, match=r"view analytics\.errors_daily"):
        migrate.migrate(database_url)
    run(database_url, "DROP VIEW analytics.errors_daily")
    assert list(migrate.migrate(database_url).views) == ["errors_daily"], "what is missing is made again"


def test_the_book_survives_a_dump(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a restored database every object has another number: what is ours is known by name, and noted anew."""
    run(database_url, "UPDATE replicator.objects SET oid = oid + 1000000; CREATE TABLE rollup.revenue AS SELECT 1 AS x")
    changed_rollups(monkeypatch, tmp_path)
    assert migrate.migrate(database_url).views
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM replicator.objects o WHERE kind = 'relation' AND to_regclass(format('%I.%I', schema, name)) "
            "IS DISTINCT FROM oid::regclass"
        ).fetchone()
        assert row == (0,)
        assert connection.execute("SELECT x FROM rollup.revenue").fetchall() == [(1,)]


def test_a_trigger_under_our_name_is_named(database_url: str) -> None:
    """Our triggers are replaced by name, so a trigger of somebody else must not have one of these names."""
    run(
        database_url,
        "DROP TRIGGER calls_deleted ON truedy.calls; CREATE FUNCTION public.theirs() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RETURN NULL; END'; CREATE TRIGGER calls_deleted AFTER DELETE ON truedy.calls EXECUTE FUNCTION public.theirs()",
    )
    with pytest.raises(ForeignObjects, match=r"trigger calls_deleted on truedy\.calls"):
        migrate.migrate(database_url)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW public.theirs AS SELECT * FROM rollup.facts",
        "CREATE VIEW public.theirs AS SELECT * FROM rollup.funnel_current",
    ],
)
def test_what_stands_on_a_rollup_is_named(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Roll-ups that change are not taken from under a view of somebody else: it is named, and nothing is changed."""
    run(database_url, statement)
    before = described(database_url, oids=True)
    changed_rollups(monkeypatch, tmp_path)
    with pytest.raises(ForeignObjects, match=r"view (public\.)?theirs"):
        migrate.migrate(database_url)
    assert described(database_url, oids=True) == before


@pytest.fixture
def deployer(empty_database: str) -> str:
    """The URL of an empty database, as a login without any right of its own sees it."""
    user = f"deployer_{uuid.uuid4().hex[:8]}"
    run(empty_database, f"CREATE ROLE {user} LOGIN PASSWORD 'pw'")
    return re.sub(r"//[^@]*@", f"//{user}:pw@", empty_database)


def test_a_schema_of_somebody_else_needs_a_right(empty_database: str, deployer: str) -> None:
    """A schema of our name in which this user may not create, and a database in which it may make none: what is missing is
    said as a GRANT, and is enough.
    """
    user = psycopg.conninfo.conninfo_to_dict(deployer)["user"]
    with pytest.raises(
        DatabaseError, match="may not make the schemas analytics, archive, billing, replicator, rollup, truedy"
    ) as refused:
        migrate.migrate(deployer)
    assert f"TO {user}" in refused.value.hint
    run(
        empty_database,
        f"GRANT CREATE ON DATABASE {psycopg.conninfo.conninfo_to_dict(deployer)['dbname']} TO {user}; CREATE SCHEMA analytics",
    )
    with pytest.raises(DatabaseError, match=r"schema analytics \(it belongs to (replica|postgres)\)") as refused:
        migrate.migrate(deployer)
    grant = re.search(r"GRANT USAGE.*? TO \w+", refused.value.hint)
    assert grant is not None
    run(empty_database, grant[0])
    assert migrate.migrate(deployer).before is None


def test_schemas_that_an_administrator_made_are_enough(empty_database: str, deployer: str) -> None:
    """Where all five schemas are there, no right on the database is needed, for a first migration and for later ones."""
    user = psycopg.conninfo.conninfo_to_dict(deployer)["user"]
    run(empty_database, "; ".join(f"CREATE SCHEMA {name} AUTHORIZATION {user}" for name in naming.USUAL))
    assert migrate.migrate(deployer).before is None
    assert list(migrate.migrate(deployer).views) == []
