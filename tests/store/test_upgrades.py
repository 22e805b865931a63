"""A database of every earlier release is migrated, and is then the same as a new one, with everything that was in it.

The databases are in `releases`; its README says how they were made.
"""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from replicator.budget.durable import Limits
from replicator.errors import ForeignObjects
from replicator.source.client import Reader
from replicator.store import migrate, rollups, schema_check
from replicator.store.database import Database
from replicator.sync.content.calls import Policy
from replicator.sync.run import Options, Run
from tests.fix_catalog import described

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
RELEASES = sorted((HERE / "releases").glob("*.sql.gz"))
DERIVED = {"replicator.views", "replicator.schema_version", "replicator.objects", "replicator.lease"}
TABLES = (
    "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE relkind = 'r' AND nspname IN ('billing', 'replicator', 'truedy')"
)


def restore(path: Path, url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(gzip.decompress(path.read_bytes()))


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of the mirror and the books."""
    with psycopg.connect(url) as connection:
        names = [name for (name,) in connection.execute(TABLES).fetchall()]
        return {
            name: [
                row for (row,) in connection.execute(f"SELECT to_jsonb(t) FROM {name} t ORDER BY t::text").fetchall()
            ]
            for name in names
            if name not in DERIVED
        }


@contextmanager
def shown_again(url: str) -> Iterator[str]:
    """Give the address of a source that shows the calls as the replica has received them, and nothing else."""
    with psycopg.connect(url) as connection:
        rows = [
            row for (row,) in connection.execute("SELECT raw FROM truedy.calls ORDER BY created_at DESC, id").fetchall()
        ]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(where.query).items()}
            found = [
                row
                for row in rows
                if all(row.get(name) == query[name] for name in ("status", "direction", "agent_id") if name in query)
            ]
            limit, offset = int(query.get("limit", 50)), int(query.get("offset", 0))
            body: dict[str, Any] = {"meta": {"request_id": "r", "ts": "2026-12-31T00:00:00Z"}}
            if where.path.endswith("/calls"):
                page = {"total": len(found), "limit": limit, "offset": offset, "has_more": offset + limit < len(found)}
                body |= {"data": found[offset : offset + limit], "pagination": page}
            else:
                body["data"] = next(row for row in rows if row["id"] == where.path.rpartition("/")[2])
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/api/public/v1"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.name.partition(".")[0])
def test_an_earlier_release_becomes_the_present_one(path: Path, empty_database: str, database_url: str) -> None:
    """Restored and migrated, it has the catalog of a new database and every row that it had; a sync is quiet, every check is
    fine, and a second migration has nothing to do.
    """
    restore(path, empty_database)
    with psycopg.connect(empty_database) as connection:
        # A dump spells views otherwise than they were made, and so does another version of the server: all are made anew.
        connection.execute("UPDATE replicator.views SET sha256 = ''")
    before = contents(empty_database)
    done = migrate.migrate(empty_database)
    assert done.before == path.name.partition(".")[0]
    new, old = described(database_url), described(empty_database)
    assert sorted(new - old) == []
    assert sorted(old - new) == []
    after = contents(empty_database)
    for name, rows in before.items():
        assert len(after[name]) >= len(rows), name
        kept = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else []
        # What was believed to be absent after one look, or to be an empty transcript, is asked for again.
        doubted = [
            row["call_id"] for row in rows if row.get("state") == "absent_final" or row.get("segment_count") == 0
        ]
        assert [row for row in rows if row not in kept and row.get("call_id") not in doubted] == [], name
    assert len(before["truedy.calls"]) == 40
    assert list(migrate.migrate(empty_database).views) == []
    with closing(Database(empty_database)) as database, shown_again(empty_database) as base_url:
        schema_check.check(database)
        with Reader(base_url, "key", timeout_seconds=10) as reader:
            options = Options(base_url=base_url, limits=Limits(None, 60, 0.0), details=Policy(()))
            report = Run(database, [("key", reader)], options).perform()
        counters = report.counters
        assert (counters.calls_inserted, counters.calls_changed, counters.rows_quarantined, report.suspected) == (
            0,
            0,
            0,
            0,
        )
        assert rollups.refresh(database, rollups.kept(schema_check.bundled("sql"))) > 0
        with database.connection() as connection:
            assert connection.execute("SELECT count(*) FROM rollup.stale").fetchone() == (0,)
            assert connection.execute("SELECT sum(calls) FROM analytics.status_funnel_daily").fetchone() == (40,)
            for check in sorted((schema_check.bundled("sql") / "checks").glob("*.sql")):
                assert connection.execute(check.read_text(encoding="utf-8")).fetchall() == [], check.stem


@pytest.mark.parametrize(
    ("name", "theirs", "said"),
    [
        ("0003", "CREATE SCHEMA rollup; CREATE TABLE rollup.funnel (a integer)", "table rollup.funnel"),
        ("0003", "CREATE TABLE replicator.agents (a integer)", "table replicator.agents"),
        ("0001", "CREATE VIEW analytics.call_attempts AS SELECT 1 AS a", "view analytics.call_attempts"),
        ("0002", "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER "
         "calls_deleted AFTER DELETE ON truedy.calls EXECUTE FUNCTION public.f()", "trigger calls_deleted"),
        ("0003", "CREATE INDEX ix_calls_created_day ON truedy.calls (created_at)", "ix_calls_created_day"),
        ("0003", "ALTER TABLE replicator.reporting ADD COLUMN attempt_days integer", "attempt_days"),
    ],
)  # fmt: skip
def test_what_came_in_the_way_since_is_named(empty_database: str, name: str, theirs: str, said: str) -> None:
    """What somebody made in the database of an earlier release under a name that a later one uses is his: it is named, and
    nothing is changed.
    """
    restore(HERE / "releases" / f"{name}.sql.gz", empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(theirs)
    before = described(empty_database, oids=True)
    with pytest.raises(ForeignObjects, match=said):
        migrate.migrate(empty_database)
    assert described(empty_database, oids=True) == before


@pytest.mark.parametrize("name", ["0003", "0005"])
def test_what_stood_beside_ours_stays(empty_database: str, name: str) -> None:
    """In the schemas of an earlier release, too: tables, views and functions of somebody else are his."""
    restore(HERE / "releases" / f"{name}.sql.gz", empty_database)
    before = described(empty_database, oids=True)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA IF NOT EXISTS rollup; CREATE TABLE rollup.revenue AS SELECT 1 AS x; CREATE VIEW rollup.mine AS TABLE rollup.revenue; "
            "CREATE FUNCTION rollup.mine() RETURNS integer LANGUAGE sql RETURN 1; CREATE VIEW analytics.mine AS TABLE rollup.mine"
        )
    theirs = {fact for fact in described(empty_database, oids=True) - before if fact[0] != "schema rights"}
    migrate.migrate(empty_database)
    assert theirs <= described(empty_database, oids=True)


def test_there_is_a_database_of_every_release() -> None:
    """Whoever adds a migration adds the database of the release before it. One release may have several migrations."""
    assert [path.name.partition(".")[0] for path in RELEASES] == schema_check.revisions()[: len(RELEASES)]
    assert len(schema_check.revisions()) - len(RELEASES) <= 7, "run tests/store/releases/make.py for the release before"
