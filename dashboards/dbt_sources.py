"""dbt's description of the views: one source with each view, its columns, their meaning, and tests. JSON is YAML, so
nothing else is needed to write it.

It is made from docs/dictionary.md, which is what the database itself says. Only tests that dbt has by itself are used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

VALUES = {
    "stage": ("open", "answered", "machine", "not_answered", "busy", "not_placed", "cancelled", "unmapped"),
    "cost_state": ("known", "pending", "given_up", "not_expected", "implausible"),
    "weekday": (1, 2, 3, 4, 5, 6, 7),
}
"""Columns with few values: dbt checks that there are no others."""
STALE_HOURS = {"warn_after": {"count": 1, "period": "hour"}, "error_after": {"count": 24, "period": "hour"}}

Columns = "Mapping[str, Sequence[tuple[str, str, str]]]"


def render(page: str, columns: Columns) -> dict[str, Any]:
    """Return the file's content. `page` is the dictionary, `columns` what it says of each view."""
    return {
        "version": 2,
        "sources": [
            {
                "name": "truedy",
                "description": "The views of the Truedy replicator. Each row's meaning and key is in the view's description.",
                "schema": "{{ var('truedy_schema', 'analytics') }}",
                "tables": [_table(name, page, found) for name, found in columns.items()],
            }
        ],
    }


def _table(name: str, page: str, columns: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    section = re.split(rf"^## {name}$", page, flags=re.MULTILINE)[1].partition("\n## ")[0]
    description, _, rest = section.strip().partition("\n\nMay be read by: ")
    key = (re.search(r"Key: ([a-z_, ]+)\.", description) or [None, ""])[1]
    keys = [one.strip() for one in (key or "").split(",") if one.strip()]
    table: dict[str, Any] = {"name": name, "description": _literal(description)}
    if rest.startswith("auditors only"):
        table["config"] = {"tags": ["personal_data"]}
    if name == "replication_freshness":
        table["config"] = {"loaded_at_field": "head_at", "freshness": STALE_HOURS}
    table["columns"] = [_column(one, kind, meaning, keys) for one, kind, meaning in columns]
    return table


def _column(name: str, kind: str, meaning: str, keys: Sequence[str]) -> dict[str, Any]:
    tests: list[Any] = ["unique", "not_null"] if [name] == list(keys) else []
    if name == "account":
        tests = tests or ["not_null"]
    if name in VALUES:
        quote = isinstance(VALUES[name][0], str)
        # Groups without a value have null, which this test takes as one of them.
        tests.append({"accepted_values": {"arguments": {"values": list(VALUES[name]), "quote": quote}}})
    column: dict[str, Any] = {"name": name, "description": _literal(meaning), "data_type": kind}
    return column | ({"data_tests": tests} if tests else {})


def _literal(text: str) -> str:
    """Return a text in which dbt finds no expression of its own."""
    return text.replace("{{", "{ {").replace("{%", "{ %")


__all__ = ["render"]
