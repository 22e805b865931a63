"""Other names for our schemas: everything works under them, and every SQL text is one that the renaming door understands."""

from __future__ import annotations

import ast
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from replicator.budget.durable import Limits
from replicator.errors import ConfigurationError, ReportingUnusable
from replicator.export import question, running
from replicator.report import figures
from replicator.simulator.api import KEY
from replicator.source.client import Reader
from replicator.store import diagnosis, migrate, naming, rollups, schema_check, statistics, status
from replicator.store.database import Database
from replicator.sync import replay
from replicator.sync.content.calls import Policy
from replicator.verify.run import Verification
from tests.fix_catalog import described
from tests.fix_commands import run as command
from tests.fix_roles import members
from tests.sync.fix_source import source

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
OTHERS = naming.parse(
    "analytics=voice_analytics,billing=voice_bills,replicator=voice_books,rollup=voice_sums,truedy=voice_mirror"
)
LOOKS_LIKE_SQL = re.compile(
    r"\b(SELECT|INSERT INTO|UPDATE \w|DELETE FROM|CREATE|ALTER|DROP|GRANT|REVOKE|LOCK TABLE|COPY|TRUNCATE|COMMENT ON|FROM \w|JOIN)\b|regclass|nspname"
)
WORD = re.compile(rf"\b({'|'.join(naming.USUAL)})\b(?!%)")  # the name of a program begins with ours
NOT_SQL = re.compile(
    r"replicator (migrate|roles|status|sync|deletions|export|demo|quarantine)|`replicator |python -m replicator|[Tt]he replicator\b"
)
"""The program's name in a message that says what to do."""
EVERYTHING_IN = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND relkind = 'v' ORDER BY 1"
VOLATILE = re.compile(r"20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+[+\d:]*|\b\d+\.\d+\b")


def texts(path: Path) -> Iterator[str]:
    """Return the SQL texts of a file: an f-string with x for each of its values."""
    if path.suffix == ".sql":
        yield re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside | documentation:
            text = node.value
        else:
            continue
        if LOOKS_LIKE_SQL.search(text) and not text.startswith("^"):  # which is a pattern that reads our files
            yield re.sub(r"--.*", "", text)


FILES = [
    *(TOP / "sql").rglob("*.sql"),
    *(path for path in (TOP / "replicator" / "store").rglob("*.py") if path.name not in {"pages.py", "naming.py"}),
    *(path for room in ("sync", "report", "export", "reconcile") for path in (TOP / "replicator" / room).rglob("*.py")),
    *(TOP / "migrations").rglob("*.py"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TOP)))
def test_every_sql_text_is_renamed_as_a_whole(path: Path) -> None:
    """After renaming no name of a schema is left in any SQL text of ours, but in what people read."""
    for text in texts(path):
        renamed = NOT_SQL.sub("", OTHERS.renamed(text))
        # A sentence in quotes (a comment, a message) may speak of us.
        rest = re.sub(r"'(?:[^']|'')*?\s(?:[^']|'')*'", "''", renamed)
        assert not WORD.search(rest), WORD.search(rest)


def test_what_is_data_is_not_renamed(database_url: str) -> None:
    """Parameters, literals of composed queries and statements that are somebody else's stay as they are."""
    with psycopg.connect(database_url, cursor_factory=naming.cursor_class(OTHERS)) as connection:
        for query, parameters in (
            ("SELECT %s", ["rollup.facts"]),
            (sql.SQL("SELECT {}").format(sql.Literal("rollup.facts")), None),
            (naming.AS_IT_IS + "SELECT 'rollup.facts'", None),
        ):
            assert connection.execute(query, parameters).fetchone() == ("rollup.facts",)  # type: ignore[arg-type]
        assert connection.execute("SELECT 'rollup.facts', 'rollup', 'a rollup'").fetchone() == (
            "voice_sums.facts",
            "voice_sums",
            "a rollup",
        )
        composed = sql.SQL("SELECT * FROM {}").format(sql.Identifier("rollup", "facts"))
        with pytest.raises(psycopg.errors.UndefinedTable, match=r"voice_sums\.facts"):
            connection.execute(composed)


def test_a_word_of_sql_is_no_name(empty_database: str) -> None:
    """A name that PostgreSQL would read as something else is refused, and nothing is made."""
    with pytest.raises(ConfigurationError, match="REPLICATOR_SCHEMAS has the name current_user"):
        migrate.migrate(empty_database, schemas=naming.parse("rollup=current_user"))
    assert described(empty_database) == set()


def test_beside_a_schema_of_somebody_else(empty_database: str) -> None:
    """Where `analytics` has another's view and `rollup` another's table, other names are the way out, and touch nothing."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "CREATE SCHEMA rollup; CREATE TABLE rollup.funnel AS SELECT 1 AS x; CREATE SCHEMA analytics; CREATE VIEW analytics.calls AS SELECT 42 AS mine"
        )
    before = described(empty_database, schemas=("analytics", "rollup"), oids=True)
    names = naming.parse("analytics=voice_analytics,rollup=voice_rollup")
    assert migrate.migrate(empty_database, schemas=names).views
    assert list(migrate.migrate(empty_database, schemas=names).views) == []
    assert described(empty_database, schemas=("analytics", "rollup"), oids=True) == before


def test_other_names_than_the_database_has_are_refused(empty_database: str, database_url: str) -> None:
    """`migrate` and every other command with other names than the first migration had says which the database has."""
    migrate.migrate(empty_database, schemas=OTHERS)
    before = described(empty_database)
    for names in (naming.THE_USUAL, naming.parse(f"{OTHERS},analytics=x".replace("analytics=voice_analytics,", ""))):
        with pytest.raises(ConfigurationError, match="other names") as refused:
            migrate.migrate(empty_database, schemas=names)
        assert f"REPLICATOR_SCHEMAS={OTHERS}" in refused.value.hint
        with (
            closing(Database(empty_database, names=names)) as database,
            pytest.raises(ConfigurationError, match="other names"),
        ):
            schema_check.check(database)
    assert described(empty_database) == before
    with pytest.raises(ConfigurationError, match="other names") as refused:
        migrate.migrate(database_url, schemas=OTHERS)
    assert "unset" in refused.value.hint


def test_messages_have_the_names_of_the_database(empty_database: str) -> None:
    """What is in the way is named as it is called there."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA voice_analytics; CREATE VIEW voice_analytics.calls AS SELECT 42 AS mine")
    with pytest.raises(migrate.ForeignObjects, match=r"view voice_analytics\.calls"):
        migrate.migrate(empty_database, schemas=OTHERS)


def flow(url: str, names: naming.Names, prefix: str, folder: Path) -> dict[str, object]:
    """Do everything that the program does, and return what it shows."""
    shown: dict[str, object] = {}
    migrate.migrate(url, schemas=names, time_zone="Europe/Berlin")
    migrate.make_roles(url, prefix, schemas=names)
    logins = members(url, prefix)
    kept = rollups.kept(schema_check.bundled("sql"))
    with closing(Database(logins["writer"], names=names)) as database:
        schema_check.check(database)
        with source(database, calls=80, now=datetime(2026, 11, 20, 12, tzinfo=UTC)) as there:
            there.sync()
            there.world.update(there.world.live_ids()[3], cost_usd=7.5)
            there.sync()
            there.world.delete(there.world.live_ids()[5])
            for _ in range(2):
                there.sync(confirm_after=timedelta(0))
            shown["refreshed"] = rollups.refresh(database, kept) > 0
            statistics.refresh(database)
            shown["replayed"] = replay.replay(database, "default", Policy()).left
            with Reader(there.base_url, KEY, timeout_seconds=10) as reader:
                found = Verification(
                    database, [(KEY, reader)], account="default", base_url=there.base_url, limits=Limits(None), seed=1
                ).perform()
            shown["verified"] = found.is_equal
        facts = diagnosis.read(database, account="default", role_prefix=prefix, time_zone=None)
        shown["doctor"] = (
            diagnosis.foreign(facts), list(facts.unseen), facts.fits, facts.row("statistics")["is_missing"], facts.rows["schemas"][0]["name"], facts.row("rights"),
            facts.row("zone"), len(facts.rows["roles"]), sorted(row["name"] for row in facts.rows["relations"]),
        )  # fmt: skip
        shown["status"] = len(status.read(database, "default").recent)
        shown["report"] = len(figures.read(database, "default", 30).attempts)
    with closing(Database(logins["reader"], names=names)) as database:
        asked = question.Asked("status_funnel_daily", None, None, None, None)
        target = running.Target(str(folder / f"{prefix}.csv"), "csv", False)
        shown["exported"] = running.export(database, asked, target).rows
        full = question.Asked(f"{names.analytics}.calls", ("call_id", "status", "cost_usd"), None, None, "default")
        running.export(database, full, running.Target(str(folder / f"{prefix}2.csv"), "csv", False))
        # An export has the order of the table's pages, which depends on when the server cleans them.
        shown["exported too"] = sorted((folder / f"{prefix}2.csv").read_bytes().splitlines())
    with psycopg.connect(logins["auditor"], cursor_factory=naming.cursor_class(names)) as auditor:
        for (view,) in auditor.execute(EVERYTHING_IN, [names.analytics]).fetchall():
            rows = auditor.execute(
                sql.SQL("SELECT v::text FROM {} v").format(sql.Identifier("analytics", view))
            ).fetchall()
            shown[view] = (
                sorted(VOLATILE.sub("", row) for (row,) in rows)
                if view not in {"update_delay", "sync_runs"}
                else len(rows)
            )
    with psycopg.connect(url, cursor_factory=naming.cursor_class(names)) as connection:
        for path in sorted((TOP / "sql" / "checks").glob("*.sql")):
            shown[f"check {path.stem}"] = connection.execute(path.read_text(encoding="utf-8")).fetchall()
        connection.execute("UPDATE replicator.views SET sha256 = '' WHERE name IN ('(rollups)', 'calls')")
    shown["anew"] = sorted(migrate.migrate(logins["owner"], schemas=names, role_prefix=prefix).views)
    shown["roles again"] = migrate.make_roles(url, prefix, schemas=names)
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(f"UPDATE {names.replicator}.reporting SET time_zone = 'Mars'")
    with closing(Database(logins["writer"], names=names)) as database, pytest.raises(ReportingUnusable):
        rollups.refresh(database, kept)
    return shown


@pytest.mark.slow
def test_everything_is_the_same_under_other_names(
    empty_database: str, database_url: str, role_prefix: str, tmp_path: Path
) -> None:
    """Migrations, roles, syncs, roll-ups, verification, replay, status, report, exports, all views and all checks show the same in
    a database with four other names as in one with the usual ones, and that database has none of the usual schemas.
    """
    usual = flow(database_url, naming.THE_USUAL, f"{role_prefix}_usual", tmp_path)
    other = flow(empty_database, OTHERS, f"{role_prefix}_other", tmp_path)
    quality = "data_quality"  # which names the tables of the rules
    usual[quality] = sorted(map(OTHERS.renamed, usual[quality]))  # type: ignore[arg-type, call-overload]
    assert other[quality] == usual[quality]
    assert {name for name in usual if usual[name] != other[name]} == set()
    assert (usual["verified"], usual["roles again"]) == (True, [])
    assert other["doctor"][:4] == ([], ["folder"], None, False)  # type: ignore[index]
    assert described(empty_database) == set()
    same = {
        tuple(OTHERS.renamed(part).replace("_usual", "_other") for part in fact)
        for fact in described(database_url, rights=False)
    }
    there = described(empty_database, schemas=OTHERS.all, rights=False)
    plain = {fact for fact in same if fact[0] in {"column", "index", "trigger", "constraint"}}
    assert plain - {tuple(OTHERS.renamed(part) for part in fact) for fact in there} == set()


@pytest.mark.slow
def test_the_commands_take_the_setting(empty_database: str, tmp_path: Path) -> None:
    """The environment reaches every command: with it all is well, without it what is missing is said."""
    chosen = {"DATABASE_URL": empty_database, "REPLICATOR_SCHEMAS": str(OTHERS)}
    assert command("migrate", cwd=tmp_path, **chosen).returncode == 0
    assert command("status", cwd=tmp_path, **chosen).returncode == 0
    assert command("export", "calls", "--output", "-", cwd=tmp_path, **chosen).stdout.startswith("call_id")
    printed = command("roles", "--print", cwd=tmp_path, **chosen).stdout
    assert "voice_analytics.calls" in printed
    assert not WORD.search(
        re.sub(r"truedy_\w+", "", printed).replace(
            psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"] or "", ""
        )
    )
    refused = command("status", cwd=tmp_path, DATABASE_URL=empty_database)
    assert (refused.returncode, f"REPLICATOR_SCHEMAS={OTHERS}" in refused.stderr) == (2, True)
    wrong = command("status", cwd=tmp_path, DATABASE_URL=empty_database, REPLICATOR_SCHEMAS="rollup=Big")
    assert (wrong.returncode, "REPLICATOR_SCHEMAS" in wrong.stderr) == (2, True)
