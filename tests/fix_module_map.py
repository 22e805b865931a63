"""The map of the modules in docs/architecture.md, made of the first sentence of each module: `make docs` writes it."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
PACKAGE = TOP / "replicator"
PAGE = TOP / "docs" / "architecture.md"
BEGIN, END = "<!-- modules: written by `make docs` -->\n", "<!-- end of modules -->\n"
ROOMS = (
    ".", "cli", "source", "budget", "sync", "sync/protocol", "sync/coverage", "sync/content", "sync/deletions", "sync/engine",
    "verify", "archive", "archive/verification", "archive/heads", "archive/recordings", "archive/governance",
    "archive/payment", "archive/production", "store", "store/tables", "store/server", "reconcile", "service", "report", "export", "doctor",
    "simulator",
)  # fmt: skip
"""In the order in which a newcomer meets them."""


def first_sentence(path: Path) -> str:
    """Return what a module says of itself in its first sentence."""
    text = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=[a-z0-9`)\"])\. (?=[A-Z`])", text)[0].rstrip(".")


def render() -> str:
    """Return the map: a table for each room, a line for each module."""
    lines = []
    for room in ROOMS:
        folder = PACKAGE / room
        own = folder / "__init__.py"
        name = "`replicator/`" if room == "." else f"`replicator/{room}/`"
        lines += [f"### {name}", "", f"{first_sentence(own)}.", "", "| module | what it is |", "| --- | --- |"]
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                lines.append(f"| `{path.name}` | {first_sentence(path).replace('|', chr(92) + '|')} |")
        lines.append("")
    return "\n".join(lines)


def page() -> str:
    """Return docs/architecture.md with the map as it is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
