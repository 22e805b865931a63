"""psqlodbc under unixODBC, the driver family of Excel, Power BI and Tableau: every view is listed, typed and read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from replicator.store import schema_check, views
from tests.bi.fix_needs import missing

if TYPE_CHECKING:
    from tests.fix_roles import Shown

VIEWS = views.load(schema_check.bundled("sql") / "views")
DRIVER = "PostgreSQL Unicode"
TYPES = {
    "bool": {"12", "-7"},
    "date": {"91", "9"},
    "float8": {"8", "6"},
    "int4": {"4"},
    "int8": {"-5"},
    "numeric": {"2"},
    "text": {"-1", "-10"},
    "timestamptz": {"93", "11"},
    "uuid": {"-11"},
}
"""What ODBC calls a type; booleans arrive as 1 and 0."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def _client() -> None:
    if shutil.which("isql") is None:
        missing("unixodbc")
    drivers = Path("/etc/odbcinst.ini")
    if not drivers.exists() or f"[{DRIVER}]" not in drivers.read_text(encoding="utf-8"):
        missing("odbc-postgresql")


def ask(shown: Shown, role: str, question: str) -> list[list[str]] | None:
    """Return the head and the rows that isql prints for a statement, or None where it was refused."""
    login = shown.parts(role)
    source = (
        f"Driver={{{DRIVER}}};Server={login['host']};Port={login['port']};Database={login['dbname']};"
        f"UID={login['user']};PWD={login['password']};Debug=0;CommLog=0;ConnSettings=SET search_path TO analytics"
    )
    done = subprocess.run(
        ["isql", "-k", source, "-b", "-d|", "-c"],
        input=f"{question}\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Could not SQLDriverConnect" not in done.stdout + done.stderr, done.stderr
    if "ERROR" in done.stdout + done.stderr:
        return None
    return [line.split("|") for line in done.stdout.splitlines() if line.strip()]


@pytest.mark.usefixtures("_client")
def test_every_view_is_listed(shown: Shown) -> None:
    """SQLTables shows our views in schema analytics, as views."""
    rows = ask(shown, "reader", "help")
    assert rows is not None
    listed = {(row[2], row[3]) for row in rows if row[1] == "analytics"}
    assert listed == {(view.name, "VIEW") for view in VIEWS}


@pytest.mark.usefixtures("_client")
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_column_has_a_type_and_every_row_is_read(shown: Shown, view: views.View) -> None:
    """SQLColumns knows each column by a type of its own, amounts with their scale; all rows arrive, or the view is refused
    to a reader as personal and read by an auditor.
    """
    head, *columns = ask(shown, "reader", f"help {view.name}") or []
    at = {name: head.index(name) for name in ("COLUMN_NAME", "DATA_TYPE", "TYPE_NAME", "PRECISION", "SCALE")}
    for row in columns:
        kind = row[at["TYPE_NAME"]]
        assert row[at["DATA_TYPE"]] in TYPES[kind], row
        assert kind != "numeric" or (row[at["PRECISION"]], row[at["SCALE"]]) == ("18", "6"), row
    with psycopg.connect(shown.url) as connection:
        expected = connection.execute(f"SELECT * FROM analytics.{view.name}")
        names = [column.name for column in expected.description or ()]
        count = len(expected.fetchall())
    assert [row[at["COLUMN_NAME"]] for row in columns] == names
    found = ask(shown, "reader", f"SELECT * FROM analytics.{view.name}")
    if view.audience == "auditor":
        assert found is None
        found = ask(shown, "auditor", f"SELECT * FROM analytics.{view.name}")
    assert found is not None
    assert found[0] == names
    assert len(found) - 1 >= count > 0
