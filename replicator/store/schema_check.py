"""Checks whether a database's tables and views are those of this program. Every run does it, so it loads little.

migrate.py brings them up to date.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from replicator.errors import SchemaTooNew, SchemaTooOld
from replicator.store import naming, views

if TYPE_CHECKING:
    from replicator.store.database import Database

PACKAGE = Path(__file__).resolve().parents[1]


def bundled(name: str) -> Path:
    """Return the folder `name` (sql, migrations): inside an installed package, or at the top of a checkout."""
    inside = PACKAGE / "_bundled" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def revisions() -> list[str]:
    """Return all revisions, oldest first: the numbers with which the file names begin (a test compares them with
    Alembic's).

    So `check` need not load Alembic and the migrations.
    """
    files = (bundled("migrations") / "versions").glob("[0-9][0-9][0-9][0-9]_*.py")
    return sorted(path.name.partition("_")[0] for path in files)


def check(database: Database) -> None:
    """Raise SchemaTooOld or SchemaTooNew where the database does not fit this program."""
    with database.connection() as connection:
        naming.refuse_other_names(connection)
        row = connection.execute("SELECT to_regclass('replicator.schema_version')").fetchone()
        if row is None or row[0] is None:
            raise SchemaTooOld(f"the database at {database.place} has no replicator schema yet")
        row = connection.execute("SELECT version_num FROM replicator.schema_version").fetchone()
        applied = dict(connection.execute("SELECT name, sha256 FROM replicator.views").fetchall())
    current, known = (row[0] if row else None), revisions()
    if current is not None and current not in known:
        raise too_new(current)
    if current != known[-1]:
        raise SchemaTooOld(
            f"the database at {database.place} has schema {current or 'none'}, this program needs {known[-1]}"
        )
    stale = views.stale(bundled("sql"), {name: bytes(sha256) for name, sha256 in applied.items()})
    if stale:
        raise SchemaTooOld(f"the database at {database.place} has other views than this program: {', '.join(stale)}")


def too_new(revision: str) -> SchemaTooNew:
    """Return the error for a database that a later release migrated."""
    return SchemaTooNew(f"the database has schema {revision}, which this program does not know")


__all__ = ["bundled", "check", "revisions", "too_new"]
