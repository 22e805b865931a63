"""Applies the views of schema `analytics`: one file per view in sql/views, re-applied after the table migrations.

A file NN_name.sql makes the view analytics.name; NN gives the order (1x base, 2x per call, 3x reports, 4x operations).
Its header states the grain, the key, and in `-- Time:` which instants a report's rows are of: this is the view's
comment. The columns are explained in sql/columns.toml (columns.py). A line `-- Grant: auditor` hides a view from
ordinary readers (roles.py).

The views read the roll-ups of sql/rollups (rollups.py). Only changed or missing views are applied; a changed text
counts too. If a view's columns changed so that it cannot be replaced in place, our views are dropped, newest first, and
made again. This never uses CASCADE: if a user's view depends on one of ours, it is named and nothing is changed.
admin_settings.py keeps what others have set on our views.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from replicator.errors import ForeignObjects
from replicator.store import columns, parts, rollup_making, rollups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from replicator.store.objects import Standing

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


def apply(connection: sa.Connection, folder: Path, standing: Standing) -> Sequence[str]:
    """Bring roll-ups and views up to date in the caller's transaction; return the names of the views applied anew.

    `folder` is sql: its roll-ups come first, because the views read them. If the definition of a roll-up changed, all
    are made anew, and the next refresh computes each day again. `standing` says which existing objects are ours: no
    other is dropped.
    """
    wanted, kept = load(folder / "views"), rollups.load(folder / "rollups")
    rows = connection.execute(sa.text("SELECT name, sha256 FROM replicator.views")).all()
    applied = {row.name: bytes(row.sha256) for row in rows if _is_there(row.name, standing, kept)}
    gone = sorted({row.name for row in rows} - {view.name for view in wanted} - {ROLLUPS})
    changed = [view for view in wanted if applied.get(view.name) != view.sha256]
    is_below_changed = applied.get(ROLLUPS) != rollup_making.sha256(kept)
    if not changed and not gone and not is_below_changed:
        return []
    if gone or is_below_changed or not _replace(connection, changed):
        _drop(connection, [*wanted, *(View(name, "", b"") for name in gone)], standing)
        if is_below_changed:
            rollup_making.make(connection, kept, standing)
        for view in wanted:
            _put(connection, view)
        changed = wanted
    hashes = {view.name: view.sha256 for view in changed} | {ROLLUPS: rollup_making.sha256(kept)}
    for name, sha256 in hashes.items():
        connection.execute(
            sa.text(
                "INSERT INTO replicator.views (name, sha256) VALUES (:name, :sha256) ON CONFLICT (name) "
                "DO UPDATE SET sha256 = excluded.sha256, applied_at = clock_timestamp()"
            ),
            {"name": name, "sha256": sha256},
        )
    for name in gone:
        connection.execute(sa.text("DELETE FROM replicator.views WHERE name = :name"), {"name": name})
    return [view.name for view in changed]


def stale(folder: Path, applied: Mapping[str, bytes]) -> list[str]:
    """Return the names whose hash in `applied` (as replicator.views holds it) differs from that of the files in
    `folder`.
    """
    wanted = {view.name: view.sha256 for view in load(folder / "views")}
    wanted[ROLLUPS] = rollup_making.sha256(rollups.load(folder / "rollups"))
    return sorted(name for name, sha256 in wanted.items() if applied.get(name) != sha256)


def _is_there(name: str, standing: Standing, kept: Sequence[rollups.Rollup]) -> bool:
    """Say whether an applied view still exists; for ROLLUPS, whether all roll-ups do."""
    if name != ROLLUPS:
        return standing.has("analytics", name)
    indexes = {index for indexes in rollup_making.tables(kept).values() for index in indexes}
    return all(thing in standing.ours or thing.name in indexes for thing in rollup_making.things(kept))


def _replace(connection: sa.Connection, changed: Sequence[View]) -> bool:
    """Replace the changed views in place; False, with nothing done, where PostgreSQL cannot do it."""
    savepoint = connection.begin_nested()
    try:
        for view in changed:
            _put(connection, view)
    except DBAPIError as error:
        savepoint.rollback()
        if isinstance(error.orig, psycopg.errors.InvalidTableDefinition):
            return False
        raise
    savepoint.commit()
    return True


def _put(connection: sa.Connection, view: View) -> None:
    """Make or replace a view, and write its comments. A column without a text gets none."""
    rollups.run(connection, view.text)
    names = connection.exec_driver_sql(
        f"SELECT attname FROM pg_attribute WHERE attrelid = 'analytics.{view.name}'::regclass AND attnum > 0"
    ).scalars()
    texts = {f'COLUMN analytics.{view.name}."{name}"': view.columns.get(name) for name in names}
    comments = {f"VIEW analytics.{view.name}": view.comment or None, **texts}
    rollups.run(connection, ";\n".join(f"COMMENT ON {thing} IS {_literal(text)}" for thing, text in comments.items()))


def _literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def _drop(connection: sa.Connection, all_views: Sequence[View], standing: Standing) -> None:
    """Drop our views, the last first."""
    for view in reversed(all_views):
        if not standing.has("analytics", view.name):
            continue
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f'DROP VIEW analytics."{view.name}"')
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.DependentObjectsStillExist):
                raise
            detail = error.orig.diag.message_detail or ""
            raise ForeignObjects(
                f"the view analytics.{view.name} changed its columns, and something of yours stands on it: {detail}",
                advice="drop your view, run replicator migrate, and make it again; nothing was changed",
            ) from None
