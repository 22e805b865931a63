"""Databases that are replicated logically, and tables that an administrator looks after."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from replicator.errors import ForeignObjects
from replicator.store import embedded, migrate, rollups, schema_check
from replicator.store.database import Database
from tests.fix_catalog import described
from tests.fix_servers import QUICK
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from pathlib import Path

BUNDLED = schema_check.bundled
TABLES = (
    "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE relkind = 'r' AND nspname IN ('billing', 'replicator', 'rollup', 'truedy') ORDER BY 1"
)
SET_BY_HAND = """
ALTER TABLE rollup.costs REPLICA IDENTITY NOTHING;
ALTER TABLE rollup.funnel SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE rollup.funnel ALTER COLUMN campaign_id SET STATISTICS 500;
ALTER TABLE rollup.funnel ADD COLUMN note text; ALTER TABLE rollup.costs ADD COLUMN twice numeric GENERATED ALWAYS AS (calls * 2) STORED;
CREATE INDEX theirs ON rollup.funnel (campaign_id, day);
CREATE STATISTICS public.theirs ON direction, campaign_id FROM rollup.funnel;
COMMENT ON TABLE rollup.funnel IS 'ours, watched by them';
COMMENT ON COLUMN rollup.funnel.calls IS 'theirs';
GRANT SELECT ON rollup.funnel TO PUBLIC; GRANT SELECT (month, calls) ON rollup.funnel_months TO PUBLIC;
ALTER TABLE rollup.numbers ENABLE ROW LEVEL SECURITY; CREATE POLICY theirs ON rollup.numbers USING (true);
CREATE FUNCTION public.theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER theirs AFTER INSERT ON rollup.hours EXECUTE FUNCTION public.theirs();
CREATE UNIQUE INDEX theirs_too ON rollup.call_conversations (call_id); ALTER TABLE rollup.call_conversations REPLICA IDENTITY
    USING INDEX theirs_too;
ALTER TABLE truedy.calls REPLICA IDENTITY FULL; ALTER TABLE truedy.calls SET (fillfactor = 50); CREATE INDEX mine ON truedy.calls (status);
ALTER TABLE truedy.calls ENABLE ALWAYS TRIGGER calls_inserted;
CREATE PUBLICATION theirs FOR TABLE rollup.funnel, rollup.hours, truedy.calls (id, account), rollup.funnel_agents;
"""
ALSO = (
    "SELECT schemaname, tablename, attnames::text FROM pg_publication_tables ORDER BY 1, 2",
    "SELECT polrelid::regclass::text, polname FROM pg_policy",
    "SELECT stxrelid::regclass::text, stxname FROM pg_statistic_ext",
)


def other_rollups(monkeypatch: pytest.MonkeyPatch, folder: Path, **changes: tuple[str, str]) -> None:
    """Let the program be a release in which these files of sql/rollups have another text."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(BUNDLED("sql"), folder)
    for name, (old, new) in changes.items():
        (file,) = (folder / "rollups").glob(f"*_{name}.sql")
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr(schema_check, "bundled", lambda name: folder if name == "sql" else BUNDLED(name))


def refresh(database: Database) -> int:
    return rollups.refresh(database, rollups.kept(schema_check.bundled("sql")))


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_every_table_says_which_row_is_meant(database_url: str) -> None:
    """A table has a primary key, or the full row identifies it: without, a published table can be inserted into and no more."""
    found = rows(
        database_url,
        "SELECT c.oid::regclass::text, c.relreplident::text, EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname IN ('billing', 'replicator', 'rollup', 'truedy')",
    )
    assert len(found) > 40
    assert [name for name, identity, has_key in found if identity != "f" and not (identity == "d" and has_key)] == []


@pytest.mark.slow
def test_a_publication_of_all_tables_is_no_obstacle(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one, syncs, refreshes and a migration that makes the roll-ups anew work as ever."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
    with closing(Database(database_url)) as database, source(database, calls=60) as there:
        there.sync()
        assert refresh(database)
        there.world.update(there.world.live_ids()[3], cost_usd=7.5)
        there.world.delete(there.world.live_ids()[9])
        there.sync()
        assert refresh(database)
        other_rollups(monkeypatch, tmp_path / "sql", hours=("-- Kept:", "-- Other.\n-- Kept:"))
        assert migrate.migrate(database_url).views
        assert refresh(database)
        there.world.update(there.world.live_ids()[5], cost_usd=8.5)
        there.sync()
        assert refresh(database)
        assert there.differences() == []


@pytest.mark.slow
def test_what_an_administrator_set_on_tables_stays(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Identity, storage, statistics, columns, indexes, rights, policies, triggers, comments and publications stay, through
    migrations that add, take away and change columns of roll-ups; numbers are right, and his columns are his.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = described(database_url, oids=True)
        for statement in SET_BY_HAND.split(";\n"):
            connection.execute(statement)
    also = [rows(database_url, query) for query in ALSO]
    theirs = described(database_url, oids=True) - before
    assert len(theirs) >= 20
    with closing(Database(database_url)) as database, source(database, calls=60) as there:
        there.sync()
        kept = "count(f.error_class) AS error_calls,"
        for extra in ("max(f.created_at) AS extra,", "sum(1.5) AS extra,", "-- as before"):
            other_rollups(monkeypatch, tmp_path / "sql", funnel=(kept, f"{kept}\n    {extra}"))
            assert migrate.migrate(database_url).views
            assert theirs <= described(database_url, oids=True)
            assert refresh(database)
            assert rows(database_url, "SELECT sum(calls), count(note) FROM rollup.funnel") == [(60, 0)]
            assert rows(database_url, "SELECT sum(twice) FROM rollup.costs") == [(120,)]
    assert [rows(database_url, query) for query in ALSO] == also


def test_an_index_on_a_column_that_goes_is_named(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL would drop somebody's index silently with our column: it is named, and nothing is changed."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE INDEX theirs ON rollup.hours (conversations)")
    before = described(database_url, oids=True)
    other_rollups(
        monkeypatch,
        tmp_path / "sql",
        hours=(
            "    {stage_counts}\n    count(*) FILTER (WHERE f.is_conversation) AS conversations\n",
            "    {stage_counts}\n    0 AS none\n",
        ),
    )
    with pytest.raises(ForeignObjects, match=r"index rollup\.theirs"):
        migrate.migrate(database_url)
    assert described(database_url, oids=True) == before


@pytest.mark.slow
def test_a_subscriber_has_what_we_have(reachable_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real logical replication of all tables: after syncs, refreshes and a migration every table there equals ours."""
    with embedded.running(reachable_folder / "logical", settings={**QUICK, "wal_level": "logical"}) as server:
        other = server.url_of("other")
        migrate.migrate(server.url)
        with psycopg.connect(server.url, autocommit=True) as here:
            here.execute("CREATE DATABASE other TEMPLATE template0")
            here.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        migrate.migrate(other)
        names = [name for (name,) in rows(other, TABLES)]
        with psycopg.connect(other, autocommit=True) as there:
            there.execute(f"TRUNCATE {', '.join(names)}")
        with psycopg.connect(server.url, autocommit=True) as here:
            here.execute("SELECT pg_create_logical_replication_slot('ours', 'pgoutput')")
        with psycopg.connect(other, autocommit=True) as there:
            conninfo = psycopg.conninfo.make_conninfo(server.url)
            there.execute(
                psycopg.sql.SQL("CREATE SUBSCRIPTION theirs CONNECTION {} PUBLICATION everything WITH (create_slot = false, slot_name = 'ours')").format(psycopg.sql.Literal(conninfo))
            )  # fmt: skip

        def differing() -> list[str]:
            query = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')), count(*) FROM {} t"
            return [name for name in names if rows(server.url, query.format(name)) != rows(other, query.format(name))]

        def settle() -> None:
            until = time.monotonic() + 90
            while differing():
                assert time.monotonic() < until, differing()
                time.sleep(0.5)

        try:
            with closing(Database(server.url)) as database, source(database, calls=80) as there_is:
                there_is.sync()
                assert refresh(database)
                settle()
                there_is.world.update(there_is.world.live_ids()[3], cost_usd=7.5)
                there_is.sync()
                assert refresh(database)
                settle()
                other_rollups(monkeypatch, tmp_path / "sql", hours=("-- Kept:", "-- Other.\n-- Kept:"))
                assert migrate.migrate(server.url).views
                assert refresh(database)
                settle()
            assert rows(other, "SELECT sum(calls) FROM rollup.funnel") == [(80,)]
        finally:
            with psycopg.connect(other, autocommit=True) as there:
                there.execute("ALTER SUBSCRIPTION theirs DISABLE")
                there.execute("ALTER SUBSCRIPTION theirs SET (slot_name = NONE)")
                there.execute("DROP SUBSCRIPTION theirs")
