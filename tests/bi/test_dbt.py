"""dbt's sources: as the dictionary says, in the form that dbt reads; and dbt itself reads them where it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import __main__ as dashboards
from dashboards import dbt_sources
from replicator.store import pages

if TYPE_CHECKING:
    from tests.fix_roles import Shown

TOP = Path(__file__).resolve().parents[2]


def tables() -> list[dict[str, Any]]:
    content = json.loads(dashboards.DBT.read_text(encoding="utf-8"))
    assert content["version"] == 2
    (source,) = content["sources"]
    assert set(source) == {"name", "description", "schema", "tables"}
    return list(source["tables"])


@pytest.mark.pure
def test_every_view_and_column_is_described() -> None:
    """The file is what `make docs` writes; each view of the dictionary is in it, with its columns in their order."""
    page = pages.DICTIONARY.read_text(encoding="utf-8")
    columns = pages.columns_of(page)
    assert json.loads(dashboards.DBT.read_text(encoding="utf-8")) == dbt_sources.render(page, columns)
    assert [table["name"] for table in tables()] == list(columns)
    for table in tables():
        assert [one["name"] for one in table["columns"]] == [name for name, _, _ in columns[table["name"]]]
        assert all(one["description"] for one in (table, *table["columns"]))


@pytest.mark.pure
def test_only_what_dbt_knows_by_itself_is_asked_for() -> None:
    """Properties and tests are those of dbt 1.10 and later; keys of one column are unique; personal views have a tag."""
    for table in tables():
        assert set(table) <= {"name", "description", "columns", "config"}
        assert set(table.get("config", {})) <= {"tags", "loaded_at_field", "freshness"}
        for column in table["columns"]:
            assert set(column) <= {"name", "description", "data_type", "data_tests"}
            for test in column.get("data_tests", []):
                assert test in {"unique", "not_null"} if isinstance(test, str) else list(test) == ["accepted_values"]
    by_name = {table["name"]: table for table in tables()}
    assert by_name["calls"]["columns"][0]["data_tests"] == ["unique", "not_null"]
    assert by_name["call_numbers"]["config"]["tags"] == ["personal_data"]


def program() -> str:
    """Return dbt, which .ci/dbt puts into build/; skip where it is not installed."""
    own = TOP / "build" / "dbt" / "bin" / "dbt"
    found = str(own) if own.exists() else shutil.which("dbt")
    return found or pytest.skip("dbt is not installed (.ci/dbt installs it)")


@pytest.fixture
def project(tmp_path: Path, shown: Shown) -> Path:
    """The project as it is, with the profile of a reader of the small world."""
    folder = tmp_path / "dbt"
    shutil.copytree(dashboards.DBT.parents[2], folder)
    at = shown.parts("reader")
    profile = {
        "type": "postgres", "host": at["host"], "port": int(at["port"]), "user": at["user"], "password": at["password"],
        "dbname": at["dbname"], "schema": "public", "threads": 2,
    }  # fmt: skip
    # JSON is YAML.
    (folder / "profiles.yml").write_text(json.dumps({"truedy": {"target": "dev", "outputs": {"dev": profile}}}))
    return folder


def dbt(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        [program(), *words, "--profiles-dir", "."], cwd=project, capture_output=True, text=True, check=False, timeout=300,
        env={**kept, "HOME": str(project), "DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
    )  # fmt: skip


@pytest.mark.slow
def test_dbt_parses_it(project: Path) -> None:
    """`dbt parse` takes the project as it is, and warns of nothing."""
    done = dbt(project, "--warn-error", "parse", "--no-partial-parse")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_its_tests_hold_for_a_reader(project: Path) -> None:
    """`dbt test` as the README of dbt/ says, by a member of the reader on the views of the small world."""
    done = dbt(project, "test", "--select", "source:truedy", "--exclude", "tag:personal_data")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"PASS=(\d+) WARN=0 ERROR=0 SKIP=0", done.stdout)
    assert counts is not None, done.stdout
    expected = sum(
        len(column.get("data_tests", [])) for table in tables() if "config" not in table or "tags" not in table["config"]
        for column in table["columns"]
    )  # fmt: skip
    assert int(counts[1]) == expected > 50
