"""The five roles: what each may do, found out by doing it, and how they come to be."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from replicator.errors import DatabaseError
from replicator.store import migrate, objects, pages, roles, schema_check, views
from replicator.store.database import Database
from tests.fix_commands import run
from tests.fix_roles import members

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = psycopg.errors.InsufficientPrivilege
SHOWN = (
    "SELECT format('%%I.%%I', n.nspname, c.relname), c.relkind::text, (SELECT quote_ident(a.attname) FROM pg_attribute a "
    "WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = '' ORDER BY a.attnum DESC LIMIT 1) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'v', 'm', 'p')"
)
ATTEMPTS = {
    "SELECT": "SELECT count(*) FROM (SELECT 1 FROM {name} LIMIT 1) t",
    "INSERT": "INSERT INTO {name} DEFAULT VALUES",
    "UPDATE": "UPDATE {name} SET {column} = NULL WHERE false",
    "DELETE": "DELETE FROM {name} WHERE false",
    "TRUNCATE": "TRUNCATE {name}",
}


def may(connection: psycopg.Connection, statement: str) -> bool:
    """Try it; whatever it did is undone. Whoever is refused has changed nothing, and any other error is behind the door."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except REFUSED:
        return False
    except psycopg.Error:
        return True
    return True


@pytest.mark.slow
def test_the_matrix_is_what_each_role_can_really_do(logins: dict[str, str], role_prefix: str) -> None:
    """docs/roles.md: every table and view, every verb, tried as a member of each role. One that is not there is a failure."""
    with psycopg.connect(logins["owner"]) as owner:
        items = owner.execute(SHOWN, [roles.schemas()]).fetchall()
    page = pages.rights_of(pages.ROLES.read_text(encoding="utf-8"))
    assert set(page) >= {name for name, _, _ in items}
    wrong = []
    for role in ("writer", "reader", "auditor", "archivist"):
        with psycopg.connect(logins[role], autocommit=True) as connection:
            for name, kind, column in items:
                for verb, attempt in ATTEMPTS.items():
                    statement = attempt.format(name=name, column=column)
                    if kind == "v" and verb != "SELECT":
                        # PostgreSQL says that a view cannot be written before it looks at rights: so ask for those.
                        # By its number: a name in a schema that is closed is refused before.
                        row = connection.execute(
                            "SELECT has_table_privilege(c.oid, %s) FROM pg_class c JOIN pg_namespace n "
                            "ON n.oid = c.relnamespace WHERE format('%%I.%%I', n.nspname, c.relname) = %s",
                            [verb, name],
                        ).fetchone()
                        assert row is not None
                        found = row[0]
                    else:
                        found = may(connection, statement)
                    if found is not (verb in page[name][role]):
                        wrong.append(f"{role} {verb} {name}: {found}")
    assert wrong == []


def test_the_page_is_what_the_catalog_says(logins: dict[str, str], role_prefix: str) -> None:
    """docs/roles.md says what the database says of itself, object by object."""
    with psycopg.connect(logins["owner"]) as connection:
        assert pages.ROLES.read_text(encoding="utf-8") == pages.roles(connection, role_prefix), "run: make docs"


def test_nothing_is_open_to_everybody(logins: dict[str, str], role_prefix: str) -> None:
    """PUBLIC may do nothing: not connect, not on a schema, table, view, sequence or function, today's and tomorrow's."""
    with psycopg.connect(logins["owner"], autocommit=True) as owner:
        owner.execute(f"SET ROLE {role_prefix}_owner")
        owner.execute("CREATE FUNCTION analytics.new_one() RETURNS integer LANGUAGE sql RETURN 1")
        owner.execute("CREATE TABLE truedy.new_one (a integer)")
        owner.execute("CREATE VIEW analytics.new_view AS SELECT * FROM truedy.new_one")
    with psycopg.connect(logins["reader"], autocommit=True) as reader:
        for attempt in (
            "SELECT analytics.new_one()",
            "SELECT * FROM truedy.new_one",
            "SELECT * FROM analytics.new_view",
        ):
            with pytest.raises(REFUSED):
                reader.execute(attempt)
    engine = sa.create_engine(sa.make_url(logins["owner"]).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        standing = objects.read(connection, ())
        items = roles.read(connection, roles.Names.of(role_prefix), standing).items
    engine.dispose()
    assert [item.name for item in items if any(role == "PUBLIC" for role, _ in item.grants)] == []


def test_a_stranger_cannot_even_connect(logins: dict[str, str], database_url: str) -> None:
    """A login that is a member of nothing is turned away by the database."""
    stranger = f"stranger_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {stranger} LOGIN PASSWORD 'pw'")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(re.sub(r"//[^@]*@", f"//{stranger}:pw@", database_url))


@pytest.mark.parametrize("role", ["writer", "reader", "auditor", "archivist"])
def test_only_the_owner_makes_anything(logins: dict[str, str], role: str) -> None:
    """No table, view, function or schema is made by anybody else, and no table of a session."""
    with psycopg.connect(logins[role], autocommit=True) as connection:
        for schema in ("analytics", "truedy", "replicator", "public"):
            assert not may(connection, f"CREATE TABLE {schema}.mine (a integer)"), schema
            leak = f"CREATE FUNCTION {schema}.leak(text) RETURNS boolean LANGUAGE sql COST 0.0001 RETURN true"
            assert not may(connection, leak), schema
        assert not may(connection, "CREATE SCHEMA mine")
        assert not may(connection, "DROP VIEW analytics.call_cost_daily")
        assert not may(connection, "ALTER VIEW analytics.calls RENAME TO others")
        assert not may(connection, "CREATE TEMP TABLE mine (a integer)")


def test_everything_belongs_to_the_owner(logins: dict[str, str], role_prefix: str) -> None:
    """Whoever migrated before: after `roles` no login and no superuser owns a view, a table or a schema."""
    with psycopg.connect(logins["owner"]) as connection:
        owners = connection.execute(
            "SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class WHERE relnamespace::regnamespace::text = ANY(%s) "
            "AND relkind <> 't' UNION SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = ANY(%s) "
            "UNION SELECT pg_get_userbyid(proowner)::text FROM pg_proc WHERE pronamespace::regnamespace::text = ANY(%s)",
            [roles.schemas()] * 3,
        ).fetchall()
    assert owners == [(f"{role_prefix}_owner",)]


def test_every_schema_of_ours_is_known(database_url: str) -> None:
    """A migration that makes a schema which store/schema.py does not know would leave it without rules."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')"
        ).fetchall()
    assert sorted(name for (name,) in rows) == roles.schemas()


def test_functions_have_a_fixed_search_path(database_url: str) -> None:
    """A function of ours means what it meant when it was made, whatever path its caller has."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE pronamespace::regnamespace::text = ANY(%s) "
            "AND prosqlbody IS NULL AND NOT coalesce(array_to_string(proconfig, ',') ~ 'search_path=', false)",
            [roles.schemas()],
        ).fetchall()
    assert rows == []


def test_making_them_again_does_nothing(logins: dict[str, str], database_url: str, role_prefix: str) -> None:
    """The second time there is nothing left to do, for an administrator and for a member of the owner."""
    assert migrate.make_roles(database_url, role_prefix) == []
    assert migrate.make_roles(logins["owner"], role_prefix) == []
    assert list(migrate.migrate(logins["owner"], role_prefix=role_prefix).views) == []


@pytest.mark.slow
def test_a_fresh_database_is_migrated_by_a_member_of_the_owner(empty_database: str) -> None:
    """Roles first, then `migrate` by an ordinary login: it needs nothing but its membership, and the rights are right."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    migrate.make_roles(empty_database, prefix)
    logins = members(empty_database, prefix)
    migrate.migrate(logins["owner"], role_prefix=prefix)
    assert migrate.make_roles(empty_database, prefix) == []
    with psycopg.connect(logins["reader"]) as reader:
        assert reader.execute("SELECT count(*) FROM analytics.calls").fetchone() == (0,)
    with pytest.raises(DatabaseError, match="is no member of it"):
        migrate.migrate(logins["writer"], role_prefix=prefix)


def test_a_superuser_who_migrates_owns_nothing(empty_database: str, role_prefix: str) -> None:
    """Where the roles are in use, the views of a superuser's migration are the owner's, not a superuser's."""
    migrate.make_roles(empty_database, role_prefix)
    migrate.migrate(empty_database, role_prefix=role_prefix)
    with psycopg.connect(empty_database) as connection:
        rows = connection.execute(
            "SELECT DISTINCT viewowner::text FROM pg_views WHERE schemaname = 'analytics'"
        ).fetchall()
    assert rows == [(f"{role_prefix}_owner",)]


@pytest.mark.slow
def test_what_is_printed_is_enough_for_an_administrator(database_url: str, empty_database: str) -> None:
    """A login without rights is told to print; what it prints, run by an administrator, lets it migrate and grant."""
    prefix, user = f"t{uuid.uuid4().hex[:8]}", f"deployer_{uuid.uuid4().hex[:8]}"
    for url in (empty_database, database_url):
        theirs = re.sub(r"//[^@]*@", f"//{user}:pw@", url)
        with psycopg.connect(url, autocommit=True) as admin:
            if url == empty_database:
                admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pw'")
            with pytest.raises(DatabaseError, match="may not make the roles") as failure:
                migrate.make_roles(theirs, prefix)
            assert "replicator roles --print" in failure.value.hint
            shown = migrate.make_roles(theirs, prefix, only_show=True)
            assert shown == migrate.make_roles(theirs, prefix, only_show=True)
            for statement in shown:
                admin.execute(statement)
        migrate.migrate(theirs, role_prefix=prefix)
        assert migrate.make_roles(theirs, prefix) == []


@pytest.mark.slow
def test_rights_are_right_after_views_are_made_anew(logins: dict[str, str], database_url: str, role_prefix: str, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """A view that becomes personal is closed to readers by `migrate`, one that was taken away comes back open."""
    shutil.copytree(schema_check.bundled("sql"), tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "views").glob("*.sql"):
        text = path.read_text(encoding="utf-8")
        if path.name.startswith("32_"):
            text = text.replace("-- Grain", "-- Grant: auditor\n-- Grain", 1)
        if path.name.startswith("31_"):
            text = text.replace(
                "edges.lower_seconds,\n    edges.upper_seconds,", "edges.upper_seconds,\n    edges.lower_seconds,", 1
            )
        path.write_text(text, encoding="utf-8")
    bundled = schema_check.bundled
    monkeypatch.setattr(schema_check, "bundled", lambda name: tmp_path if name == "sql" else bundled(name))
    assert migrate.migrate(logins["owner"], role_prefix=role_prefix).views
    with psycopg.connect(logins["reader"], autocommit=True) as reader:
        reader.execute("SELECT * FROM analytics.call_duration_histogram_daily")
        with pytest.raises(REFUSED):
            reader.execute("SELECT * FROM analytics.call_cost_daily")
    with psycopg.connect(logins["auditor"]) as auditor:
        auditor.execute("SELECT * FROM analytics.call_cost_daily")


def test_an_unknown_word_in_the_grant_line_is_an_error(tmp_path: Path) -> None:
    """A view file whose Grant line is misspelt is not applied as if it had none."""
    folder = tmp_path / "views"
    folder.mkdir()
    shutil.copy(schema_check.bundled("sql") / "columns.toml", tmp_path)
    (folder / "10_calls.sql").write_text("-- Grant: auditors\nSELECT 1", encoding="utf-8")
    with pytest.raises(ValueError, match="neither reader nor auditor"):
        views.load(folder)


def test_rights_that_others_gave_are_theirs(logins: dict[str, str], database_url: str, role_prefix: str) -> None:
    """What an administrator granted to a login of his own stays; what was granted to PUBLIC does not."""
    mine = f"mine_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {mine}")
        admin.execute(f"GRANT SELECT ON analytics.calls TO {mine}")
        admin.execute("GRANT SELECT ON analytics.calls, truedy.calls TO PUBLIC")
        migrate.migrate(database_url, role_prefix=role_prefix)
        rows = admin.execute(
            "SELECT has_table_privilege(%s, 'analytics.calls', 'SELECT'), has_table_privilege('public', 'truedy.calls', 'SELECT')",
            [mine],
        ).fetchall()
    assert rows == [(True, False)]


def test_without_the_roles_nothing_is_granted(database_url: str) -> None:
    """Where nobody made roles, `migrate` leaves the rights alone."""
    before = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace::regnamespace::text = ANY(%s) ORDER BY 1"
    with closing(Database(database_url)) as database, database.connection() as connection:
        assert {acl for _, acl in connection.execute(before, [roles.schemas()]).fetchall()} == {None}
        migrate.migrate(database_url)
        assert {acl for _, acl in connection.execute(before, [roles.schemas()]).fetchall()} == {None}


@pytest.mark.slow
def test_the_command_prints_or_does(database_url: str, tmp_path: Path) -> None:
    """`roles --print` prints SQL and does nothing, `roles` does it, again there is nothing to do, and a login that may not
    is told whom to ask with exit code 4.
    """
    prefix, user = f"t{uuid.uuid4().hex[:8]}", f"nobody_{uuid.uuid4().hex[:8]}"
    chosen = {"DATABASE_URL": database_url, "REPLICATOR_ROLE_PREFIX": prefix}
    printed = run("roles", "--print", cwd=tmp_path, **chosen)
    assert printed.stdout.startswith(f"CREATE ROLE {prefix}_owner NOLOGIN;\n")
    assert f"GRANT SELECT ON TABLE analytics.calls TO {prefix}_reader;\n" in printed.stdout
    with psycopg.connect(database_url, autocommit=True) as admin:
        assert admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [f"{prefix}_owner"]).fetchall() == []
        admin.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pw'")
    theirs = {**chosen, "DATABASE_URL": re.sub(r"//[^@]*@", f"//{user}:pw@", database_url)}
    refused = run("roles", cwd=tmp_path, **theirs)
    assert (refused.returncode, "roles --print" in refused.stderr) == (4, True)
    done = json.loads(run("roles", "--json", cwd=tmp_path, **chosen).stdout)
    assert done["is_done"]
    assert [f"{statement};" for statement in done["statements"]] == printed.stdout.splitlines()
    assert "0 statements" in run("roles", cwd=tmp_path, **chosen).stdout
    assert "0 views applied anew" in run("migrate", cwd=tmp_path, **chosen).stdout
