"""Reads the views of schema `analytics`: one file per view in sql/views, re-applied after the table migrations.

A file NN_name.sql makes the view analytics.name; NN gives the order (1x base, 2x per call, 3x reports, 4x operations).
Its header states the grain, the key, and in `-- Time:` which instants a report's rows are of: this is the view's
comment. The columns are explained in sql/columns.toml (columns.py). A line `-- Grant: auditor` hides a view from
ordinary readers (roles.py). view_making.py applies them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

from replicator.store import columns, parts, rollups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLLUPS = "(rollups)"
"""The name under which replicator.views records sql/rollups."""
FILE_NAME = re.compile(r"^(\d\d)_([a-z][a-z0-9_]*)\.sql$")
GRAIN_LINES = re.compile(r"^-- Grain: ((?:.|\n)*?)\n-- Key: (.*)$(?:\n-- Time: (.*)\.$)?", re.MULTILINE)
GRANT_LINE = re.compile(r"^-- Grant:(.*)$", re.MULTILINE)

Audience = Literal["reader", "auditor"]


@dataclass(frozen=True, slots=True)
class View:
    """One view file. `sha256` is the hash of its text and of its columns' texts."""

    name: str
    text: str
    sha256: bytes
    audience: Audience = "reader"
    """Who may read it: all readers, or auditors only because it holds personal data."""
    comment: str = ""
    """What a row is, its key, and which instants it is of."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The texts of all names in its SQL that are columns of a view: its own, and some that it only reads."""


def load(folder: Path) -> list[View]:
    """Read the view files in their order, and the texts of their columns from columns.toml in the parent folder."""
    found, texts = [], columns.load(folder.parent / "columns.toml")
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.match(path.name)
        if not match:
            raise ValueError(f"{path.name}: a view file is named NN_name.sql")
        text = parts.read(path)
        comment, time = _header(text)
        meant = texts.of(match[2], time, text)
        sha256 = hashlib.sha256(text.encode() + json.dumps(meant).encode()).digest()
        found.append(View(match[2], text, sha256, _audience(path.name, text), comment, meant))
    return found


def _header(text: str) -> tuple[str, str]:
    """Return (comment, time) of a view from its lines Grain, Key and Time; `time` says which
    instants its rows are of.
    """
    head = text.partition("CREATE ")[0]
    match = GRAIN_LINES.search(head)
    if not match:
        return "", ""
    grain, key, time = match[1].replace("\n-- ", " "), match[2], match[3] or ""
    return " ".join([f"Grain: {grain}", *([f"Time: {time}."] if time else []), f"Key: {key}"]), time


def _audience(file: str, text: str) -> Audience:
    """Read the line `-- Grant: auditor` of a view with personal data; without one the view is for every reader."""
    words = {word.strip() for word in GRANT_LINE.findall(text)} or {"reader"}
    if words - {"reader", "auditor"} or len(words) > 1:
        raise ValueError(f"{file}: its line `-- Grant:` says neither reader nor auditor")
    return cast("Audience", words.pop())


def stale(folder: Path, applied: Mapping[str, bytes]) -> list[str]:
    """Return the names whose hash in `applied` (as replicator.views holds it) differs from that of the files in
    `folder`.
    """
    wanted = {view.name: view.sha256 for view in load(folder / "views")}
    wanted[ROLLUPS] = rollups.sha256(rollups.load(folder / "rollups"))
    return sorted(name for name, sha256 in wanted.items() if applied.get(name) != sha256)
