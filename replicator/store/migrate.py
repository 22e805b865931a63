"""Brings a database's tables and views up to date, and says whether it is.

Tables are versioned (migrations/), roll-ups and views are repeatable (sql/rollups, sql/views): all in one transaction, under an
advisory lock of that transaction, so that it is safe to run twice, at once, and to be killed in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from replicator.errors import ConfigurationError, SchemaTooNew, SchemaTooOld
from replicator.store import views
from replicator.store.database import Database, make_engine, translate, unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = Path(__file__).resolve().parents[1]
LOCK = 7_235_401_101  # an arbitrary number that only our migrations take


def bundled(name: str) -> Path:
    """Return the folder `name` (sql, migrations): inside an installed package, or at the top of a checkout."""
    inside = PACKAGE / "_bundled" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did: the revisions before and after, and the views that were applied anew."""

    before: str | None
    after: str
    views: Sequence[str]


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    script = ScriptDirectory(str(bundled("migrations")))
    return [revision.revision for revision in reversed(list(script.walk_revisions()))]


def migrate(url: str, *, time_zone: str | None = None) -> Migrated:
    """Bring tables and views up to date. `time_zone`, where given, becomes the reporting time zone of the views."""
    engine = make_engine(url).execution_options(isolation_level="READ COMMITTED")
    place = f"{engine.url.host}:{engine.url.port or 5432}/{engine.url.database}"
    try:
        with engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            before = _current(connection)
            known = revisions()
            if before is not None and before not in known:
                raise _too_new(before)
            connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS replicator"))
            config = Config()
            config.set_main_option("script_location", str(bundled("migrations")))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if time_zone is not None:
                _set_time_zone(connection, time_zone)
            applied = views.apply(connection, bundled("sql"))
            return Migrated(before, known[-1], applied)
    except DBAPIError as error:
        origin = error.orig
        if isinstance(origin, psycopg.OperationalError) and not origin.sqlstate:
            raise unavailable(error, place) from None
        if isinstance(origin, psycopg.Error):
            raise translate(origin, place) from error
        raise
    finally:
        engine.dispose()


def check(database: Database) -> None:
    """Raise SchemaTooOld or SchemaTooNew where the database does not fit this program."""
    with database.connection() as connection:
        row = connection.execute("SELECT to_regclass('replicator.schema_version')").fetchone()
        if row is None or row[0] is None:
            raise SchemaTooOld(f"the database at {database.place} has no replicator schema yet")
        row = connection.execute("SELECT version_num FROM replicator.schema_version").fetchone()
        applied = dict(connection.execute("SELECT name, sha256 FROM replicator.views").fetchall())
    current, known = (row[0] if row else None), revisions()
    if current is not None and current not in known:
        raise _too_new(current)
    if current != known[-1]:
        raise SchemaTooOld(
            f"the database at {database.place} has schema {current or 'none'}, this program needs {known[-1]}"
        )
    stale = views.stale(bundled("sql"), {name: bytes(sha256) for name, sha256 in applied.items()})
    if stale:
        raise SchemaTooOld(f"the database at {database.place} has other views than this program: {', '.join(stale)}")


def _current(connection: sa.Connection) -> str | None:
    exists = connection.execute(sa.text("SELECT to_regclass('replicator.schema_version')")).scalar()
    if exists is None:
        return None
    return connection.execute(sa.text("SELECT version_num FROM replicator.schema_version")).scalar()


def _set_time_zone(connection: sa.Connection, time_zone: str) -> None:
    known = connection.execute(
        sa.text("SELECT 1 FROM pg_timezone_names WHERE name = :zone"), {"zone": time_zone}
    ).scalar()
    if not known:
        raise ConfigurationError(
            "REPLICATOR_REPORTING_TIME_ZONE is not a time zone that the database knows",
            advice="use a name such as Europe/Berlin; SELECT name FROM pg_timezone_names lists them",
        )
    connection.execute(
        sa.text("UPDATE replicator.reporting SET time_zone = :zone WHERE time_zone <> :zone"), {"zone": time_zone}
    )


def _too_new(revision: str) -> SchemaTooNew:
    return SchemaTooNew(f"the database has schema {revision}, which this program does not know")
