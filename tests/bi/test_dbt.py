"""dbt's sources: as the dictionary says, in the form that dbt reads; and dbt itself reads them where it is installed."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from dashboards import __main__ as dashboards
from dashboards import dbt_sources
from replicator.store import pages

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = """truedy:
  target: dev
  outputs:
    dev: {type: postgres, host: 127.0.0.1, port: 1, user: x, password: x, dbname: x, schema: public, threads: 1}
"""


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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("dbt") is None, reason="dbt is not installed (pip install dbt-core dbt-postgres)")
def test_dbt_parses_it(tmp_path: Path) -> None:
    """`dbt parse` takes the project as it is."""
    project = tmp_path / "dbt"
    shutil.copytree(dashboards.DBT.parents[2], project)
    (project / "profiles.yml").write_text(PROFILE)
    done = subprocess.run(
        ["dbt", "parse", "--profiles-dir", ".", "--no-partial-parse"], cwd=project, capture_output=True, text=True, check=False, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
