"""Reads what the columns of the views mean from sql/columns.toml: one text for each name, and exceptions with a reason.

Applying the views writes the texts into the database as comments (view_making.py), and docs/dictionary.md is written from
there.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIME = "{time}"
"""In a text, this is replaced by what the view's line `-- Time:` says: which instants its rows are of."""
WORD = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Texts:
    """The text of each column name, and the exceptions by view and column name."""

    columns: Mapping[str, str] = field(default_factory=dict)
    exceptions: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of(self, view: str, time: str, words: str) -> dict[str, str]:
        """Return {name: text} for all columns that can occur in `words`, the SQL of a view. `time` is the view's."""
        names = sorted(set(WORD.findall(words)) & self.columns.keys())
        texts = {name: self.exceptions.get((view, name), self.columns[name]) for name in names}
        return {name: text.replace(TIME, time) for name, text in texts.items() if time or TIME not in text}


def load(path: Path) -> Texts:
    """Read the file. Raises ValueError where an exception has no reason, occurs twice, or its column has no general
    text.
    """
    read = tomllib.loads(path.read_text(encoding="utf-8"))
    exceptions: dict[tuple[str, str], str] = {}
    for one in read["exceptions"]:
        if not one["why"] or one["column"] not in read["columns"]:
            raise ValueError(f"{path.name}: the exception for {one['column']} needs a reason, and a text in [columns]")
        for view in one["views"]:
            if (view, one["column"]) in exceptions:
                raise ValueError(f"{path.name}: {view}.{one['column']} has two exceptions")
            exceptions[view, one["column"]] = one["text"]
    return Texts(read["columns"], exceptions)


__all__ = ["Texts", "load"]
