"""Applies the views of schema `analytics` in the transaction of a migration.

The views read the roll-ups of sql/rollups (rollups.py). Only changed or missing views are applied; a changed text
counts too. If a view's columns changed so that it cannot be replaced in place, our views are dropped, newest first, and
made again. This never uses CASCADE: if a user's view depends on one of ours, it is named and nothing is changed.
admin_settings.py keeps what others have set on our views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from replicator.errors import ForeignObjects
from replicator.store import rollup_making, rollups
from replicator.store.views import ROLLUPS, View, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from replicator.store.objects import Standing


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
    is_below_changed = applied.get(ROLLUPS) != rollups.sha256(kept)
    if not changed and not gone and not is_below_changed:
        return []
    if gone or is_below_changed or not _replace(connection, changed):
        _drop(connection, [*wanted, *(View(name, "", b"") for name in gone)], standing)
        if is_below_changed:
            rollup_making.make(connection, kept, standing)
        for view in wanted:
            _put(connection, view)
        changed = wanted
    hashes = {view.name: view.sha256 for view in changed} | {ROLLUPS: rollups.sha256(kept)}
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
