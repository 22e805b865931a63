"""What an administrator set on views of ours survives their being made anew: rights with who gave them, options, comments and more."""

from __future__ import annotations

import shutil
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.errors import ForeignObjects
from replicator.store import migrate, schema_check
from tests.fix_catalog import described

if TYPE_CHECKING:
    from pathlib import Path

BUNDLED = schema_check.bundled
VIEW = "analytics.call_duration_histogram_daily"
SET_BY_HAND = f"""
GRANT SELECT ON {VIEW} TO @a;
GRANT SELECT, INSERT ON analytics.call_cost_daily TO @b WITH GRANT OPTION;
GRANT SELECT (day, calls) ON {VIEW} TO @b;
GRANT SELECT (call_id, status) ON analytics.calls TO @a WITH GRANT OPTION;
GRANT SELECT ON rollup.facts TO @a; GRANT USAGE ON SCHEMA rollup TO @a;
GRANT EXECUTE ON FUNCTION rollup.zone() TO @a; GRANT SELECT ON truedy.calls TO @a; GRANT SELECT (id) ON truedy.calls TO @b;
GRANT USAGE ON SEQUENCE replicator.runs_id_seq TO @b; GRANT USAGE ON SCHEMA analytics TO @a WITH GRANT OPTION;
SET ROLE @b; GRANT SELECT ON analytics.call_cost_daily TO @c WITH GRANT OPTION; RESET ROLE;
SET ROLE @c; GRANT SELECT ON analytics.call_cost_daily TO @a; RESET ROLE;
SET ROLE @a; GRANT SELECT (status) ON analytics.calls TO @c; RESET ROLE;
REVOKE ALL ON analytics.call_numbers FROM CURRENT_USER;
ALTER VIEW {VIEW} SET (security_barrier = true); ALTER VIEW analytics.calls SET (security_barrier, security_invoker = false);
COMMENT ON VIEW {VIEW} IS 'theirs: 100 %% of it'; COMMENT ON COLUMN {VIEW}.day IS 'it''s theirs'; COMMENT ON COLUMN {VIEW}.calls IS NULL;
COMMENT ON VIEW rollup.facts IS 'theirs';
CREATE TRIGGER "it's theirs" INSTEAD OF INSERT ON {VIEW} FOR EACH ROW EXECUTE FUNCTION public.theirs();
CREATE RULE "their rule" AS ON DELETE TO analytics.calls DO INSTEAD NOTHING;
ALTER VIEW analytics.calls ALTER COLUMN status SET DEFAULT 'open';
ALTER VIEW analytics.errors_daily OWNER TO @c;
ALTER TABLE truedy.calls DISABLE TRIGGER calls_deleted; ALTER TABLE truedy.calls ENABLE REPLICA TRIGGER calls_updated;
"""


@pytest.fixture
def people(database_url: str) -> dict[str, str]:
    """Three roles with names that need quotes, as SQL writes them; they may use our schemas."""
    tag = uuid.uuid4().hex[:6]
    names = {"@a": f'"a b {tag}"', "@b": f'"A""x%{tag}"', "@c": f'"Ünï\'{tag}"'}
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in names.values():
            connection.execute(f"CREATE ROLE {name}".encode())
            connection.execute(f"GRANT USAGE ON SCHEMA analytics TO {name}".encode())
        connection.execute(f"GRANT CREATE ON SCHEMA analytics TO {names['@c']}".encode())
        connection.execute(
            "CREATE FUNCTION public.theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
    return names


def release(monkeypatch: pytest.MonkeyPatch, folder: Path, kind: str) -> None:
    """Let the program be another release: with a view that is replaced in place, one whose columns moved, or other roll-ups."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(BUNDLED("sql"), folder)
    if kind == "roll-ups":
        file, old, new = folder / "rollups" / "35_hours.sql", "-- Kept:", "-- Other.\n-- Kept:"
    else:
        file = folder / "views" / "31_call_duration_histogram_daily.sql"
        old, new = "-- Grain", "-- Other.\n-- Grain"
        if kind == "other columns":
            old, new = "d.lower_seconds,\n    d.upper_seconds,", "d.upper_seconds,\n    d.lower_seconds,"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    if kind != "other columns":
        for path in (folder / "views").glob("*.sql"):
            path.write_text("-- Other.\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(schema_check, "bundled", lambda name: folder if name == "sql" else BUNDLED(name))


def set_by_hand(url: str, people: dict[str, str], statements: str = SET_BY_HAND) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        text = statements.replace("%%", "%")
        for mark, name in people.items():
            text = text.replace(mark, name)
        for statement in text.split(";\n"):
            connection.execute(statement.encode())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["in place", "other columns", "roll-ups"])
def test_what_was_set_on_our_objects_stays(
    database_url: str, people: dict[str, str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rights on views, tables, columns, sequences, schemas and functions, with the option and with who gave them; options, owner,
    comments, triggers, rules, defaults of views; how our triggers fire: the same after a migration, and after a second one.
    """
    untouched = described(database_url)
    set_by_hand(database_url, people)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("COMMENT ON COLUMN analytics.calls.account IS 'theirs'")
    theirs = described(database_url) - untouched
    assert len(theirs) >= 25
    for _ in range(2):
        release(monkeypatch, tmp_path / "sql", kind)
        assert migrate.migrate(database_url).views
        assert sorted(theirs - described(database_url)) == []
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE replicator.views SET sha256 = ''")


def test_a_comment_of_ours_is_brought_up_to_date(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody changed it, a view's comment is what the present release says."""
    release(monkeypatch, tmp_path / "sql", "other columns")
    file = tmp_path / "sql" / "views" / "31_call_duration_histogram_daily.sql"
    file.write_text(
        file.read_text(encoding="utf-8").replace("Grain: one row per ", "Grain: one new row per "), encoding="utf-8"
    )
    migrate.migrate(database_url)
    assert any(fact[:1] == ("comment",) and "one new row per" in fact[2] for fact in described(database_url))


def test_default_privileges_give_nothing_back(
    database_url: str, people: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Default privileges open new views; one that was closed by hand stays closed when it is made anew."""
    set_by_hand(
        database_url,
        people,
        f"GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO @a;\nREVOKE SELECT ON {VIEW} FROM @a;\n"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA analytics GRANT SELECT ON TABLES TO @a",
    )
    before = described(database_url)
    release(monkeypatch, tmp_path / "sql", "roll-ups")
    assert migrate.migrate(database_url).views
    assert described(database_url) == before


def test_a_grantor_that_cannot_be_acted_for_costs_nobody_his_right(
    logins: dict[str, str],
    role_prefix: str,
    database_url: str,
    people: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the migrating user may not work as who had granted, whoever had the right keeps it, given by the owner."""
    set_by_hand(
        database_url,
        people,
        f"GRANT SELECT ON {VIEW} TO @b WITH GRANT OPTION;\nSET ROLE @b; GRANT SELECT ON {VIEW} TO @c; RESET ROLE",
    )
    release(monkeypatch, tmp_path / "sql", "other columns")
    assert migrate.migrate(logins["owner"], role_prefix=role_prefix).views
    with psycopg.connect(database_url) as connection:
        for name in ("@b", "@c"):
            row = connection.execute("SELECT has_table_privilege(r.oid, %s, 'SELECT') FROM pg_roles r WHERE quote_ident(rolname) = %s",
                                     [VIEW, people[name]]).fetchone()  # fmt: skip
            assert row == (True,)
    assert migrate.make_roles(database_url, role_prefix) == []


def test_a_trigger_on_a_view_that_goes_is_named(
    database_url: str, people: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that this release no longer has is not dropped with somebody's trigger on it."""
    assert people
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE TRIGGER theirs INSTEAD OF INSERT ON {VIEW} FOR EACH ROW EXECUTE FUNCTION public.theirs()"
        )
    before = described(database_url, oids=True)
    release(monkeypatch, tmp_path / "sql", "in place")
    (tmp_path / "sql" / "views" / "31_call_duration_histogram_daily.sql").unlink()
    with pytest.raises(ForeignObjects, match="theirs of somebody else"):
        migrate.migrate(database_url)
    assert described(database_url, oids=True) == before
