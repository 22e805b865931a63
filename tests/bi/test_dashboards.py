"""The dashboards' files: every query that Grafana and Superset would make of them runs, as a reader, and answers."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dashboards import __main__ as making
from dashboards import grafana, superset
from dashboards.boards import DASHBOARDS
from dashboards.panels import Column, Measure, Panel, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dashboards.panels import Dashboard, Order
    from tests.fix_roles import Shown

SINCE, UNTIL = "2025-01-01T00:00:00Z", "2026-12-31T23:59:59.999Z"
FOLDER = Path(making.__file__).parent
BOARDS = sorted((FOLDER / "grafana").glob("*.json"))
CHARTS = sorted((FOLDER / "superset" / "charts").glob("*.yaml"))
OF_NOW = {"agent_scorecard"}
"""Views of the last days, of which the small world, whose calls are old, has none."""
UNTOLD = {"Transcribed in time", "Priced in time"}
"""Numbers that cannot be told of calls that were all read long after."""
NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}


def expanded(query: str) -> str:
    """Do to a query what Grafana's PostgreSQL data source does: variables first, then its macros; none may be left."""
    query = query.replace("${account:sqlstring}", "'main','another''s'").replace("$__interval", "1d")

    def macro(match: re.Match[str]) -> str:
        name, given = match[1], [one.strip() for one in match[2].split(",")]
        seconds = {"1d": 86400, "1h": 3600}
        made = {
            "timeFilter": lambda: f"{given[0]} BETWEEN '{SINCE}' AND '{UNTIL}'",
            "timeFrom": lambda: f"'{SINCE}'",
            "timeTo": lambda: f"'{UNTIL}'",
            "time": lambda: f'{given[0]} AS "time"',
            "timeGroup": lambda: f"floor(extract(epoch from {given[0]})/{seconds[given[1]]})*{seconds[given[1]]}",
            "timeGroupAlias": lambda: (
                f'floor(extract(epoch from {given[0]})/{seconds[given[1]]})*{seconds[given[1]]} AS "time"'
            ),
        }
        return made[name]()

    query = re.sub(r"\$__(\w+)\(([^)]*)\)", macro, query)
    assert "$" not in query
    return query


def is_of_now(query: str) -> bool:
    return any(f"analytics.{view}" in query for view in OF_NOW)


@pytest.fixture
def reader(shown: Shown) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shown.logins["reader"], autocommit=True) as connection:
        yield connection


def test_the_files_are_those_of_the_description() -> None:
    """What lies in dashboards/ is what boards/ says, and nothing else lies there."""
    made = making.files()
    assert making.written() == sorted(made)
    assert [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text] == [], (
        "run: make docs"
    )


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_every_grafana_query_answers(path: Path, reader: psycopg.Connection[Any]) -> None:
    """A number is one value, a series has a time and numbers, a table has rows or is right to be empty."""
    board = json.loads(path.read_text(encoding="utf-8"))
    assert board["__inputs"][0]["name"] == "DS_TRUEDY"
    (variable,) = board["templating"]["list"]
    assert reader.execute(variable["query"]).fetchall() == [("main",), ("new",)]
    for panel in board["panels"]:
        (target,) = panel["targets"]
        assert target["datasource"]["uid"] == "${DS_TRUEDY}"
        cursor = reader.execute(expanded(target["rawSql"]))
        rows = cursor.fetchall()
        kinds = {column.name: reader.adapters.types[column.type_code].name for column in cursor.description or ()}
        assert rows or is_of_now(target["rawSql"]), panel["title"]
        if panel["type"] == "stat":
            assert len(rows) == 1
            assert set(kinds.values()) <= NUMBERS
            assert rows[0][0] is not None or panel["title"] in UNTOLD
        if panel["type"] == "timeseries":
            assert target["format"] == "time_series"
            assert next(iter(kinds)) == "time"
            assert kinds.pop("time") == "timestamp"
            assert kinds.pop("metric", "text") == "text"
            assert set(kinds.values()) <= NUMBERS
            assert [row[0] for row in rows] == sorted(row[0] for row in rows)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_lie_beside_each_other(path: Path) -> None:
    """No panel covers another or leaves the page, and each has a number of its own."""
    panels = json.loads(path.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = set()
    for panel in panels:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not own & cells
        cells |= own
    assert all(sum(panel.width for panel in row) == 12 for board in DASHBOARDS for row in places(board.panels))


def datasets() -> dict[str, dict[str, Any]]:
    files = (FOLDER / "superset" / "datasets").rglob("*.yaml")
    return {one["uuid"]: one for one in (json.loads(path.read_text(encoding="utf-8")) for path in files)}


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.stem)
def test_every_superset_chart_answers(path: Path, reader: psycopg.Connection[Any]) -> None:
    """What Superset makes of a chart (its metrics by its columns, by day where it has a time axis) runs and has rows."""
    chart = json.loads(path.read_text(encoding="utf-8"))
    data, params = datasets()[chart["dataset_uuid"]], chart["params"]
    columns = params.get("groupby", [])
    columns = list(columns) if isinstance(columns, list) else [columns]
    axis = params.get("x_axis")
    if isinstance(axis, str):
        time = {"sqlExpression": f"DATE_TRUNC('day', \"{axis}\")", "label": axis}
        assert axis in {column["column_name"] for column in data["columns"] if column["is_dttm"]}
        columns.insert(0, time)
    elif axis:
        columns.insert(0, axis)
    by = [str(number + 1) for number in range(len(columns))]
    metrics = params.get("metrics") or [params["metric"]]
    conditions = ["true"]
    for condition in params["adhoc_filters"]:
        if condition["expressionType"] == "SQL":
            conditions.append(f"({condition['sqlExpression']})")
        else:
            assert condition["subject"] in {column["column_name"] for column in data["columns"] if column["is_dttm"]}
            conditions.append(f"\"{condition['subject']}\" >= TO_TIMESTAMP('{SINCE[:10]}', 'YYYY-MM-DD')")
    shown = [f'{one["sqlExpression"]} AS "{one["label"]}"' for one in [*columns, *metrics]]
    query = f"SELECT {', '.join(shown)} FROM {data['schema']}.{data['table_name']} WHERE {' AND '.join(conditions)}"
    query += f" GROUP BY {', '.join(by)}" if by else ""
    if order := params.get("timeseries_limit_metric"):
        query += f" ORDER BY {order['sqlExpression']}"
    assert reader.execute(f"{query} LIMIT 100").fetchall() or is_of_now(query)


def test_superset_datasets_are_the_views(reader: psycopg.Connection[Any]) -> None:
    """Each dataset has the columns of its view, with their types; each dashboard shows charts that are there."""
    for data in datasets().values():
        columns = reader.execute(
            "SELECT attname, upper(format_type(atttypid, atttypmod)) FROM pg_attribute WHERE attrelid = %s::regclass "
            "AND attnum > 0 ORDER BY attnum",
            [f"{data['schema']}.{data['table_name']}"],
        ).fetchall()
        assert [(column["column_name"], column["type"]) for column in data["columns"]] == columns
    charts = {json.loads(path.read_text(encoding="utf-8"))["uuid"] for path in CHARTS}
    shown = [
        item["meta"]["uuid"]
        for path in (FOLDER / "superset" / "dashboards").glob("*.yaml")
        for item in json.loads(path.read_text(encoding="utf-8"))["position"].values()
        if isinstance(item, dict) and item["type"] == "CHART"
    ]
    assert sorted(shown) == sorted(charts)


def test_no_password_and_no_personal_view_is_in_the_files() -> None:
    """The export's address has Superset's place holder for a password, and nothing asks for what readers may not see."""
    # What describes all views for dbt (sources.yml) asks for nothing.
    text = "".join(path.read_text(encoding="utf-8") for path in making.written() if path.suffix != ".yml")
    assert superset.URI in text
    assert "XXXXXXXXXX" in superset.URI
    assert not re.search(r"call_numbers|call_texts|transcript_segments|truedy\.", text)


def test_a_query_that_no_reader_may_ask_is_found(reader: psycopg.Connection[Any]) -> None:
    """The test above would see it: a panel of a personal view is refused."""
    panel = replace(DASHBOARDS[0].panels[0], view="call_numbers", measures=(Measure("calls", "count(*)"),), time=None)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(expanded(grafana.sql(panel)))


def test_superset_sorts_a_table_by_all_of_its_columns(reader: psycopg.Connection[Any]) -> None:
    """Superset sorts by one measure: the steps of one account's bridge must not lie between those of another's."""
    panel = Panel(
        "t", "table", "t", (Measure("n", "count(*)"),), by=(Column("a", "a"), Column("b", "b")), order="itself"
    )
    expected: dict[Order, list[str]] = {"itself": ["-", "1 1", "1 2", "2 1"], "latest": ["2 1", "1 2", "1 1", "-"]}
    for order, rows in expected.items():
        params = superset._params(replace(panel, order=order))
        query = (
            "SELECT coalesce(a || ' ' || b, '-') FROM (VALUES ('1', '2'), ('2', '1'), ('1', '1'), (NULL, NULL)) t (a, b) "
            f"GROUP BY a, b ORDER BY {params['timeseries_limit_metric']['sqlExpression']} {'DESC' * params['order_desc']}"
        )
        assert [row[0] for row in reader.execute(query)] == rows


def test_a_choice_of_days_is_offered_where_a_chart_has_days() -> None:
    for board in DASHBOARDS:
        path = FOLDER / "superset" / "dashboards" / f"{board.name}.yaml"
        filters = json.loads(path.read_text(encoding="utf-8"))["metadata"]["native_filter_configuration"]
        offered = {one["name"] for one in filters}
        assert offered == {"Account"} | ({"Days"} if any(panel.time for panel in board.panels) else set())


def test_shares_of_all_end_at_all() -> None:
    """An axis that is left alone goes to 120 %."""
    panels = [panel for board in DASHBOARDS for panel in board.panels if panel.is_to_one]
    assert panels
    for panel in panels:
        assert {measure.unit for measure in panel.measures} == {"share"}
        assert superset._params(panel)["y_axis_bounds"] == [0, 1]


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
def test_every_dashboard_has_a_page_with_a_picture(board: Dashboard) -> None:
    """The page names exactly the views that are shown; the picture is there, and small."""
    pages = FOLDER.parent / "docs" / "dashboards"
    text = (pages / f"{board.name}.md").read_text(encoding="utf-8")
    named = re.search(r"\*\*Views\*\*: ([^.]*)\.", text)
    assert named
    assert set(re.findall(r"`(\w+)`", named[1])) == {panel.view for panel in board.panels}
    assert f"]({board.name}.md)" in (pages / "README.md").read_text(encoding="utf-8")
    assert f"]({board.name}.png)" in text
    assert 20_000 < (pages / f"{board.name}.png").stat().st_size < 300_000
