"""A Superset export: database, one dataset a view, charts and dashboards. JSON is YAML, so nothing else is needed to write it.

`make dashboards` packs the folder into a zip that Superset imports (Dashboards, Import, or its REST interface).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from dashboards.panels import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboards.panels import Dashboard, Panel

OURS = uuid.UUID("7b1f7c39-8f0e-4f0e-9c55-0d6f2f3a9a01")
DATABASE = "truedy"
URI = "postgresql+psycopg2://bi:XXXXXXXXXX@localhost:5432/truedy"
"""Superset asks for the password when it imports; the rest is edited there."""
TYPES = {
    "number": "big_number_total",
    "lines": "echarts_timeseries_line",
    "bars": "echarts_timeseries_bar",
    "table": "table",
}
FORMATS = {"count": ",d", "usd": "$,.2f", "share": ".1%", "seconds": ",.0f", "": "SMART_NUMBER"}
TIMES = {"date", "timestamp with time zone"}
RANGE = "Last 30 days"
VERSION = "1.0.0"

Columns = "Mapping[str, Sequence[tuple[str, str, str]]]"


def named(kind: str, name: str) -> str:
    """Return the identifier of a thing: the same each time, so that an import replaces and does not double."""
    return str(uuid.uuid5(OURS, f"{kind}/{name}"))


def render(dashboards: Sequence[Dashboard], columns: Columns) -> dict[str, dict[str, Any]]:
    """Return the files by path. `columns` are (name, type, meaning) by view."""
    files: dict[str, dict[str, Any]] = {
        "metadata.yaml": {"version": VERSION, "type": "Dashboard", "timestamp": "2026-01-01T00:00:00+00:00"},
        f"databases/{DATABASE}.yaml": {
            "database_name": DATABASE,
            "sqlalchemy_uri": URI,
            "cache_timeout": None,
            "expose_in_sqllab": True,
            "allow_run_async": False,
            "allow_ctas": False,
            "allow_cvas": False,
            "allow_dml": False,
            "allow_file_upload": False,
            "extra": {"allows_virtual_table_explore": True},
            "uuid": named("database", DATABASE),
            "version": VERSION,
        },
    }
    for view in sorted({panel.view for dashboard in dashboards for panel in dashboard.panels}):
        files[f"datasets/{DATABASE}/{view}.yaml"] = _dataset(view, columns[view])
    for dashboard in dashboards:
        for panel in dashboard.panels:
            files[f"charts/{_file(dashboard, panel)}.yaml"] = _chart(dashboard, panel)
        files[f"dashboards/{dashboard.name}.yaml"] = _dashboard(dashboard)
    return files


def _file(dashboard: Dashboard, panel: Panel) -> str:
    return f"{dashboard.name}_{'_'.join(panel.title.lower().split())}"


def _dataset(view: str, columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    names = [name for name, _, _ in columns]
    return {
        "table_name": view,
        "schema": "analytics",
        "catalog": None,
        "main_dttm_col": "day" if "day" in names else None,
        "description": None,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "sql": None,
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "uuid": named("dataset", view),
        "metrics": [
            {"metric_name": "count", "verbose_name": "rows", "metric_type": "count", "expression": "count(*)",
             "description": None, "d3format": None, "extra": {}, "warning_text": None}
        ],
        "columns": [
            {"column_name": name, "verbose_name": None, "is_dttm": kind in TIMES, "is_active": True, "type": kind.upper(),
             "groupby": True, "filterable": True, "expression": None, "description": meaning, "python_date_format": None,
             "extra": {}}
            for name, kind, meaning in columns
        ],
        "version": VERSION,
        "database_uuid": named("database", DATABASE),
    }  # fmt: skip


def _metric(label: str, expression: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": expression, "label": label, "hasCustomLabel": True}


def _chart(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    filters: list[dict[str, Any]] = []
    if panel.time:
        range_ = {"clause": "WHERE", "expressionType": "SIMPLE", "subject": panel.time, "operator": "TEMPORAL_RANGE"}
        filters.append({**range_, "comparator": RANGE})
    if panel.where:
        filters.append({"clause": "WHERE", "expressionType": "SQL", "sqlExpression": panel.where})
    metrics = [_metric(label, expression) for label, expression in panel.measures]
    params: dict[str, Any] = {"viz_type": TYPES[panel.kind], "adhoc_filters": filters}
    if panel.kind == "number":
        params |= {"metric": metrics[0], "y_axis_format": FORMATS[panel.unit], "subheader": ""}
    elif panel.kind == "table":
        params |= {"query_mode": "aggregate", "groupby": list(panel.by), "metrics": metrics, "row_limit": 100}
        params |= {"order_desc": True, "table_timestamp_format": "smart_date"}
    else:
        params |= {"x_axis": panel.time, "time_grain_sqla": "P1D", "metrics": metrics, "groupby": list(panel.by)}
        params |= {"row_limit": 10000, "y_axis_format": FORMATS[panel.unit], "show_legend": True}
        params |= {"stack": "Stack"} if panel.kind == "bars" else {}
    return {
        "slice_name": panel.title,
        "description": panel.about or None,
        "certified_by": None,
        "certification_details": None,
        "viz_type": TYPES[panel.kind],
        "params": params,
        "query_context": None,
        "cache_timeout": None,
        "uuid": named("chart", _file(dashboard, panel)),
        "version": VERSION,
        "dataset_uuid": named("dataset", panel.view),
    }


def _dashboard(dashboard: Dashboard) -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title}},
    }
    number = 0
    for count, row in enumerate(places(dashboard.panels), start=1):
        name = f"ROW-{count}"
        position["GRID_ID"]["children"].append(name)
        meta: dict[str, Any] = {"background": "BACKGROUND_TRANSPARENT"}
        above = ["ROOT_ID", "GRID_ID"]
        position[name] = {"type": "ROW", "id": name, "children": [], "parents": above, "meta": meta}
        for panel in row:
            number += 1
            chart = f"CHART-{number}"
            position[name]["children"].append(chart)
            meta = {"chartId": number, "uuid": named("chart", _file(dashboard, panel)), "sliceName": panel.title}
            meta |= {"width": panel.width, "height": panel.height * 12}
            position[chart] = {"type": "CHART", "id": chart, "children": [], "parents": [*above, name], "meta": meta}
    return {
        "dashboard_title": dashboard.title,
        "description": dashboard.about,
        "css": "",
        "slug": f"truedy-{dashboard.name}",
        "certified_by": "",
        "certification_details": "",
        "published": True,
        "uuid": named("dashboard", dashboard.name),
        "position": position,
        "metadata": {"cross_filters_enabled": True, "refresh_frequency": 300},
        "version": VERSION,
    }
