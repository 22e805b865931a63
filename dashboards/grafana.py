"""Grafana dashboards as JSON, to be imported (Dashboards, Import): the PostgreSQL data source is asked for then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dashboards.panels import places

if TYPE_CHECKING:
    from dashboards.panels import Dashboard, Panel

SOURCE = {"type": "grafana-postgresql-datasource", "uid": "${DS_TRUEDY}"}
TYPES = {"number": "stat", "lines": "timeseries", "bars": "timeseries", "table": "table"}
UNITS = {"count": "short", "usd": "currencyUSD", "share": "percentunit", "seconds": "s", "": "none"}
ACCOUNTS = "SELECT DISTINCT account FROM analytics.replication_freshness ORDER BY account"
CELL = 2
"""Grafana's page is 24 wide."""


def sql(panel: Panel) -> str:
    """Return a panel's query, with Grafana's macros for the time range and the accounts."""
    is_series = panel.kind in {"lines", "bars"}
    shown = [f'{expression} AS "{label}"' for label, expression in panel.measures]
    if is_series:
        shown = [
            f'{panel.time}::timestamp AS "time"',
            *(f"coalesce({name}::text, 'none') AS metric" for name in panel.by),
            *shown,
        ]
    else:
        shown = [*panel.by, *shown]
    conditions = ["account IN (${account:sqlstring})"]
    if panel.time:
        conditions.append(f"$__timeFilter({panel.time})")
    if panel.where:
        conditions.append(panel.where)
    lines = [f"SELECT {', '.join(shown)}", f"FROM analytics.{panel.view}", f"WHERE {' AND '.join(conditions)}"]
    groups = len(panel.by) + is_series
    if groups:
        numbers = ", ".join(str(number + 1) for number in range(groups))
        lines += [f"GROUP BY {numbers}", f"ORDER BY {numbers}" if is_series else _order(panel)]
    return "\n".join(lines)


def _order(panel: Panel) -> str:
    """The latest day first, else what there is most of."""
    first = 1 if "day" in panel.by else len(panel.by) + 1
    return f"ORDER BY {first} DESC NULLS LAST, 1 LIMIT 100"


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
        "time": {"from": "now-30d", "to": "now"},
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


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    is_series = panel.kind in {"lines", "bars"}
    custom: dict[str, Any] = {}
    if is_series:
        custom = {"drawStyle": "line" if panel.kind == "lines" else "bars", "lineWidth": 2, "showPoints": "auto"}
        custom |= {"fillOpacity": 80, "stacking": {"mode": "normal", "group": "A"}} if panel.kind == "bars" else {}
    rate = {"matcher": {"id": "byRegexp", "options": "/rate$/"}, "properties": [{"id": "unit", "value": "percentunit"}]}
    return {
        "id": number,
        "type": TYPES[panel.kind],
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {"unit": UNITS[panel.unit], "custom": custom},
            "overrides": [rate] if panel.kind == "table" else [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        if panel.kind == "number"
        else {},
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
