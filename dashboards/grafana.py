"""Grafana dashboards as JSON, to be imported (Dashboards, Import): the PostgreSQL data source is asked for then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.panels import COLOURS, places

if TYPE_CHECKING:
    from dashboards.panels import Dashboard, Panel, Unit

SOURCE = {"type": "grafana-postgresql-datasource", "uid": "${DS_TRUEDY}"}
TYPES = {
    "number": "stat",
    "lines": "timeseries",
    "bars": "timeseries",
    "columns": "barchart",
    "ranked": "barchart",
    "heat": "table",
    "table": "table",
}
UNITS: dict[Unit, str] = {
    "count": "short",
    "usd": "currencyUSD",
    "price": "currencyUSD",
    "share": "percentunit",
    "seconds": "s",
    "decimal": "none",
    "bytes": "decbytes",
    "text": "none",
}
DECIMALS: dict[Unit, int] = {"usd": 2, "price": 4, "share": 1, "decimal": 2}
ACCOUNTS = "SELECT DISTINCT account FROM analytics.replication_freshness ORDER BY account"
CELL = 2
"""Grafana's page is 24 wide."""


def sql(panel: Panel) -> str:
    """Return a panel's query, with Grafana's macros for the time range and the accounts."""
    is_series = panel.kind in {"lines", "bars"}
    shown = [f'{measure.sql} AS "{measure.label}"' for measure in panel.measures]
    if is_series:
        shown = [
            f'{panel.time}::timestamp AS "time"',
            *(f"{column.sql}::text AS metric" for column in panel.by),
            *shown,
        ]
    else:
        shown = [*(f'{column.sql} AS "{column.label}"' for column in panel.by), *shown]
    conditions = ["account IN (${account:sqlstring})"] if panel.of_accounts else ["true"]
    if panel.time:
        conditions.append(f"$__timeFilter({panel.time})")
    if panel.where:
        conditions.append(panel.where)
    lines = [f"SELECT {', '.join(shown)}", f"FROM analytics.{panel.view}", f"WHERE {' AND '.join(conditions)}"]
    groups = len(panel.by) + is_series
    if groups:
        numbers = ", ".join(str(number + 1) for number in range(groups))
        is_sorted = panel.kind in {"ranked", "table"}
        lines += [f"GROUP BY {numbers}", _order(panel) if is_sorted else f"ORDER BY {numbers}"]
    return "\n".join(lines)


def _order(panel: Panel) -> str:
    """What there is most of, or the latest, or in its own order; never without an end."""
    by = {
        "most": f"{len(panel.by) + 1} DESC NULLS LAST, 1",
        "latest": "1 DESC NULLS LAST, 2 DESC NULLS LAST",
        "itself": "1, 2",
    }
    return f"ORDER BY {by[panel.order]} LIMIT 100"


def render(dashboard: Dashboard) -> dict[str, Any]:
    """Return the JSON of a dashboard."""
    panels, top = [], 0
    for row in places(dashboard.panels):
        left = 0
        for panel in row:
            place = {"x": left, "y": top, "w": panel.width * CELL, "h": panel.height * CELL}
            panels.append(_panel(len(panels) + 1, panel, place))
            left += place["w"]
        top += max(panel.height for panel in row) * CELL
    return {
        "__inputs": [
            {
                "name": "DS_TRUEDY",
                "label": "Truedy replica",
                "description": "A PostgreSQL data source whose user is a member of the readers.",
                "type": "datasource",
                "pluginId": SOURCE["type"],
                "pluginName": "PostgreSQL",
            }
        ],
        "__requires": [{"type": "datasource", "id": SOURCE["type"], "name": "PostgreSQL", "version": "1.0.0"}],
        "uid": f"truedy-{dashboard.name}",
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["truedy"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "5m",
        "time": {"from": "now-29d/d", "to": "now"},
        "timezone": "utc",
        "templating": {
            "list": [
                {
                    "name": "account",
                    "label": "Account",
                    "type": "query",
                    "datasource": SOURCE,
                    "query": ACCOUNTS,
                    "definition": ACCOUNTS,
                    "multi": True,
                    "includeAll": True,
                    "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
                    "refresh": 1,
                    "sort": 0,
                }
            ]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def _unit(unit: Unit) -> dict[str, Any]:
    return {"unit": UNITS[unit]} | ({"decimals": DECIMALS[unit]} if unit in DECIMALS else {})


def _options(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case "number":
            return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        case "columns" | "ranked":
            orientation = "horizontal" if panel.kind == "ranked" else "vertical"
            return {"orientation": orientation, "xField": panel.by[0].label, "legend": {"showLegend": False}}
    return {}


def _custom(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case "lines":
            return {"drawStyle": "line", "lineWidth": 2, "showPoints": "auto"}
        case "bars":
            stacked = {"fillOpacity": 80, "stacking": {"mode": "normal", "group": "A"}}
            return {"drawStyle": "bars", "lineWidth": 1, "showPoints": "never", **stacked}
        case "heat":
            return {"cellOptions": {"type": "color-background"}}
    return {}


def _transformed(panel: Panel) -> list[dict[str, Any]]:
    """A heat map is a table with a row and a column for each value of its two columns."""
    if panel.kind != "heat":
        return []
    across, down = panel.by
    options = {"columnField": across.label, "rowField": down.label, "valueField": panel.measures[0].label}
    return [{"id": "groupingToMatrix", "options": options}]


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    is_series = panel.kind in {"lines", "bars"}
    defaults = {**_unit(panel.measures[0].unit if panel.kind != "table" else "text"), "custom": _custom(panel)}
    if panel.is_to_one:
        defaults |= {"min": 0, "max": 1}
    if panel.kind == "heat":
        defaults["color"] = {"mode": "continuous-blues"}
    units = [
        {
            "matcher": {"id": "byName", "options": measure.label},
            "properties": [{"id": name, "value": value} for name, value in _unit(measure.unit).items()],
        }
        for measure in panel.measures
        if panel.kind == "table" and measure.unit != "text"
    ]
    colours = [
        {
            "matcher": {"id": "byName", "options": measure.label},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": COLOURS[measure.label]}}],
        }
        for measure in panel.measures
        if is_series and not panel.by and measure.label in COLOURS
    ]
    return {
        "id": number,
        "type": TYPES[panel.kind],
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": [*units, *colours]},
        "options": _options(panel),
        "transformations": _transformed(panel),
        "targets": [
            {
                "refId": "A",
                "datasource": SOURCE,
                "editorMode": "code",
                "rawQuery": True,
                "format": "time_series" if is_series else "table",
                "rawSql": sql(panel),
            }
        ],
    }
