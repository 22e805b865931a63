"""Inserts shared SQL: a line `{name}` in a file of sql/views or sql/rollups is replaced by sql/parts/name.sql.

A part is inserted as text, with the indentation of the line. So common SQL is written once, and PostgreSQL sees no
difference: no function with rights of its own, no further view for the planner. A part names its columns without a
table, or says which table it needs.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PART = re.compile(r"^( *)\{([a-z_]+)\}$", re.MULTILINE)
HEADER = re.compile(r"\A(?:--.*\n)+")


def read(path: Path) -> str:
    """Return the SQL of a file with its parts inserted. The parts are in the folder `parts` beside
    the file's folder.
    """
    folder = path.parent.parent / "parts"

    def put(found: re.Match[str]) -> str:
        text = (folder / f"{found[2]}.sql").read_text(encoding="utf-8")
        return textwrap.indent(HEADER.sub("", text).rstrip("\n"), found[1])

    return PART.sub(put, path.read_text(encoding="utf-8"))


__all__ = ["PART", "read"]
