"""A Superset export: database, one dataset a view, charts and dashboards. JSON is YAML, so nothing else is needed to write it.

`make dashboards` packs the folder into a zip that Superset imports (Dashboards, Import, or its REST interface).
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from dashboards.panels import COLOURS, Measure, places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboards.panels import Column, Dashboard, Panel, Unit

OURS = uuid.UUID("7b1f7c39-8f0e-4f0e-9c55-0d6f2f3a9a01")
DATABASE = "truedy"
URI = "postgresql+psycopg2://bi:XXXXXXXXXX@localhost:5432/truedy"
"""Superset asks for the password when it imports; the rest is edited there."""
TYPES = {
    "number": "big_number_total",
    "lines": "echarts_timeseries_line",
    "bars": "echarts_timeseries_bar",
    "columns": "echarts_timeseries_bar",
    "ranked": "echarts_timeseries_bar",
    "heat": "heatmap_v2",
    "table": "table",
}
FORMATS: dict[Unit, str] = {
    "count": ",.2~f",
    "usd": "$,.2f",
    "price": "$,.4f",
    "share": ".1%",
    "seconds": ",.0f",
    "decimal": ",.2f",
    "bytes": "MEMORY_DECIMAL",
    "text": "SMART_NUMBER",
}
"""Counts have digits after the point where an axis is ticked between them: without, it would say 0, 0, 1, 1, 1."""
AXES: dict[Unit, str] = {**FORMATS, "usd": "$,.0f", "price": "$,.2f", "share": ".0%"}
"""Axes are ticked with fewer digits than values are shown with."""
TIMES = {"date", "timestamp with time zone"}
RANGE = 'DATEADD(DATETIME("today"), -29, day) : tomorrow'
"""The last 30 days, today included, which Superset's own "Last 30 days" leaves out."""
ACCOUNTS = "replication_freshness"
"""The view that has a row for each account."""
CELL = 12
"""Superset's rows are eight pixels high."""
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
    for view in sorted({ACCOUNTS} | {panel.view for dashboard in dashboards for panel in dashboard.panels}):
        files[f"datasets/{DATABASE}/{view}.yaml"] = _dataset(view, columns[view])
    for dashboard in dashboards:
        for panel in dashboard.panels:
            files[f"charts/{_file(dashboard, panel)}.yaml"] = _chart(dashboard, panel)
        files[f"dashboards/{dashboard.name}.yaml"] = _dashboard(dashboard)
    return files


def _file(dashboard: Dashboard, panel: Panel) -> str:
    return f"{dashboard.name}_{'_'.join(re.findall('[a-z0-9]+', panel.title.lower()))}"


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


def _metric(measure: Measure) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": measure.sql, "label": measure.label, "hasCustomLabel": True}


def _column(column: Column) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": column.sql, "label": column.label}


def _params(panel: Panel) -> dict[str, Any]:
    """What a kind of panel is made of; measures of one picture have one unit."""
    metrics, by = [_metric(measure) for measure in panel.measures], [_column(column) for column in panel.by]
    unit = panel.measures[0].unit
    match panel.kind:
        case "number":
            return {"metric": metrics[0], "y_axis_format": FORMATS[unit]} | {
                "subtitle": panel.about,
                "header_font_size": 0.3,
                "subtitle_font_size": 0.125,
            }
        case "table":
            order: dict[str, Any] = {"order_desc": panel.order != "itself"}
            if panel.order != "most":
                # One text of all columns: Superset sorts by one measure. Nulls are empty, so they come last of what is latest.
                texts = ", ".join(f"coalesce({column.sql}, '')" for column in panel.by)
                of = "min" if panel.order == "itself" else "max"
                order["timeseries_limit_metric"] = _metric(Measure("order", f"{of}(concat_ws(' ', {texts}))"))
            formats = {measure.label: {"d3NumberFormat": FORMATS[measure.unit]} for measure in panel.measures}
            return {"query_mode": "aggregate", "groupby": by, "metrics": metrics, "row_limit": 100, **order} | {
                "column_config": formats,
                "table_timestamp_format": "smart_date",
                "show_cell_bars": False,
            }
        case "heat":
            return {"x_axis": by[0], "groupby": by[1], "metric": metrics[0], "row_limit": 10000} | {
                "sort_x_axis": "alpha_asc",
                "sort_y_axis": "alpha_desc",
                "normalize_across": "heatmap",
                "legend_type": "continuous",
                "linear_color_scheme": "schemeBlues",
                "show_legend": True,
                "show_percentage": False,
                "value_bounds": [None, None],
                "y_axis_format": FORMATS[unit],
                "xscale_interval": 1,
                "yscale_interval": 1,
                "left_margin": 15,
                "bottom_margin": 15,
            }
    drawn = {"metrics": metrics, "row_limit": 10000, "y_axis_format": AXES[unit], "tooltipTimeFormat": "smart_date"}
    drawn |= {"truncate_metric": True, "rich_tooltip": True, "truncateYAxis": False, "color_scheme": "supersetColors"}
    if panel.kind in {"columns", "ranked"}:
        is_ranked = panel.kind == "ranked"
        drawn["y_axis_format"] = FORMATS[unit]
        return (
            drawn
            | {"x_axis": by[0], "groupby": [], "show_legend": False, "show_value": True}
            | {
                "xAxisForceCategorical": True,
                "x_axis_sort_asc": True,
                "x_axis_sort": metrics[0]["label"] if is_ranked else by[0]["label"],
                "orientation": "horizontal" if is_ranked else "vertical",
            }
        )
    drawn |= {"x_axis": panel.time, "time_grain_sqla": "P1D", "groupby": by, "x_axis_time_format": "%d %b"}
    drawn |= {"show_legend": len(metrics) > 1 or bool(by), "legendOrientation": "top", "legendType": "scroll"}
    if panel.is_to_one:
        drawn |= {"truncateYAxis": True, "y_axis_bounds": [0, 1]}
    if panel.kind == "lines":
        return drawn | {"markerEnabled": False}
    return drawn | {"stack": "Stack"}


def _chart(dashboard: Dashboard, panel: Panel) -> dict[str, Any]:
    filters: list[dict[str, Any]] = []
    if panel.time:
        range_ = {"clause": "WHERE", "expressionType": "SIMPLE", "subject": panel.time, "operator": "TEMPORAL_RANGE"}
        filters.append({**range_, "comparator": RANGE})
    if panel.where:
        filters.append({"clause": "WHERE", "expressionType": "SQL", "sqlExpression": panel.where})
    return {
        "slice_name": panel.title,
        "description": panel.about or None,
        "certified_by": None,
        "certification_details": None,
        "viz_type": TYPES[panel.kind],
        "params": {"viz_type": TYPES[panel.kind], "adhoc_filters": filters, **_params(panel)},
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
            meta |= {"width": panel.width, "height": panel.height * CELL}
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
        "metadata": {
            "cross_filters_enabled": True,
            "refresh_frequency": 300,
            "label_colors": COLOURS,
            "filter_bar_orientation": "HORIZONTAL",
            "native_filter_configuration": _filters(dashboard),
        },
        "version": VERSION,
    }


def _filters(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The reader's choice of days and accounts. Without one, charts have the range that is theirs, and all accounts.

    Where no chart has days, there is nothing to choose.
    """
    account = {"datasetUuid": named("dataset", ACCOUNTS), "column": {"name": "account"}}
    kinds: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
        ("Days", "filter_time", {}, {}),
        ("Account", "filter_select", account, {"multiSelect": True, "enableEmptyFilter": False}),
    )
    return [
        {
            "id": f"NATIVE_FILTER-{named('filter', f'{dashboard.name}/{name}')}",
            "name": name,
            "filterType": kind,
            "type": "NATIVE_FILTER",
            "targets": [target],
            "controlValues": controls,
            "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
            "cascadeParentIds": [],
            "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
            "description": "",
        }
        for name, kind, target, controls in kinds
        if name != "Days" or any(panel.time for panel in dashboard.panels)
    ]
