"""SQL that several files share: a line `{name}` in a file of sql/views or sql/rollups stands for sql/parts/name.sql.

A part is text, indented as the line is. So what is the same stays the same, and PostgreSQL sees no difference: no function
that has rights of its own, no view more for its planner. A part names its columns without a table, or says which it needs.
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
    """Return the SQL of a file with its parts put in. They lie in the folder `parts` beside the file's folder."""
    folder = path.parent.parent / "parts"

    def put(found: re.Match[str]) -> str:
        text = (folder / f"{found[2]}.sql").read_text(encoding="utf-8")
        return textwrap.indent(HEADER.sub("", text).rstrip("\n"), found[1])

    return PART.sub(put, path.read_text(encoding="utf-8"))


__all__ = ["PART", "read"]
