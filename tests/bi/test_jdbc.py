"""pgJDBC, which DBeaver, DataGrip, Metabase, Tableau and Spark use: every view is listed, described, typed and read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.store import schema_check, views
from tests.bi.fix_needs import missing

if TYPE_CHECKING:
    from tests.fix_roles import Shown

DRIVER = Path("/usr/share/java/postgresql.jar")
PROGRAM = Path(__file__).with_name("Catalogue.java")
VIEWS = views.load(schema_check.bundled("sql") / "views")
TYPES = {
    "bool": ("-7", "java.lang.Boolean"),
    "date": ("91", "java.sql.Date"),
    "float8": ("8", "java.lang.Double"),
    "int4": ("4", "java.lang.Integer"),
    "int8": ("-5", "java.lang.Long"),
    "numeric": ("2", "java.math.BigDecimal"),
    "text": ("12", "java.lang.String"),
    "timestamptz": ("93", "java.sql.Timestamp"),
    "uuid": ("1111", "java.util.UUID"),
}
"""What JDBC calls a type (java.sql.Types), and what a value of it arrives as."""

pytestmark = pytest.mark.slow
Facts = dict[str, list[list[str]]]


@pytest.fixture(scope="session")
def seen(shown: Shown) -> dict[str, Facts]:
    """By role, what the Java program reads, by kind of line."""
    if not DRIVER.exists():
        missing("libpostgresql-jdbc-java")
    if shutil.which("javac") is None:  # a program in one source file needs the compiler
        missing("default-jdk-headless")
    return {role: run(shown.parts(role)) for role in ("reader", "auditor")}


def run(login: dict[str, str]) -> Facts:
    url = f"jdbc:postgresql://{login['host']}:{login['port']}/{login['dbname']}"
    done = subprocess.run(
        ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", str(DRIVER), str(PROGRAM), url, login["user"]],
        env={**os.environ, "PASSWORD": login["password"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts: Facts = defaultdict(list)
    for line in done.stdout.splitlines():
        kind, *fields = line.split("\t")
        facts[kind].append(fields)
    return facts


def test_every_view_is_listed_with_its_comment(seen: dict[str, Facts], shown: Shown) -> None:
    """Schema analytics shows our views, as views and nothing else, and the comment of each arrives as its REMARKS."""
    with psycopg.connect(shown.url) as connection:
        comments = connection.execute(
            "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class WHERE relnamespace = 'analytics'::regnamespace"
        ).fetchall()
    assert len(comments) == len(VIEWS)
    assert {tuple(row) for row in seen["reader"]["TABLE"]} == {
        ("analytics", name, "VIEW", comment) for name, comment in comments
    }


def test_every_column_has_a_type_and_a_comment(seen: dict[str, Facts], shown: Shown) -> None:
    """Each column is of a type that JDBC has a word for, amounts with their scale, and its comment arrives too."""
    described: dict[tuple[str, str], str] = {}
    for view, column, _, kind, name, size, digits, remarks in seen["reader"]["COLUMN"]:
        assert TYPES[name][0] == kind, (view, column, name)
        assert name != "numeric" or (size, digits) == ("18", "6"), (view, column)
        described[view, column] = remarks
    with psycopg.connect(shown.url) as connection:
        comments = connection.execute(
            "SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a ON "
            "a.attrelid = c.oid WHERE c.relnamespace = 'analytics'::regnamespace AND a.attnum > 0"
        ).fetchall()
    assert described == {(view, column): comment for view, column, comment in comments}


@pytest.mark.parametrize("role", ["reader", "auditor"])
def test_rows_are_read_as_what_they_are(seen: dict[str, Facts], role: str) -> None:
    """A reader reads every value of every view that is not personal, each as the class of its type, and is refused the
    others; an auditor reads all.
    """
    facts = seen[role]
    types = {(view, column): name for view, column, _, _, name, *_ in facts["COLUMN"]}
    for view, column, kind in facts["VALUE"]:
        assert TYPES[types[view, column]][1] == kind, (view, column)
    open_views = {view.name for view in VIEWS if role == "auditor" or view.audience == "reader"}
    assert {view for view, count, _ in facts["ROWS"] if int(count) > 0} == open_views
    assert {(view, state) for view, state in facts["REFUSED"]} == {
        (view.name, "42501") for view in VIEWS if view.name not in open_views
    }
