"""Brings a database's tables and views up to date, and says whether it is.

Tables are versioned (migrations/), roll-ups and views are repeatable (sql/rollups, sql/views): all in one transaction, under an
advisory lock of that transaction, so that it is safe to run twice, at once, and to be killed in the middle.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from replicator.errors import ConfigurationError, DatabaseError, SchemaTooNew, SchemaTooOld
from replicator.store import roles, target, views
from replicator.store.database import Database, begin_migration, make_engine, translate, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKAGE = Path(__file__).resolve().parents[1]
ROLE_PREFIX = "truedy"
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


def migrate(url: str, *, time_zone: str | None = None, role_prefix: str = ROLE_PREFIX) -> Migrated:
    """Bring tables and views up to date. `time_zone`, where given, becomes the reporting time zone of the views.

    Where the roles with this prefix are in use, their owner does it, and their rights are brought up to date.
    """
    names = roles.Names.of(role_prefix)
    with alone(url) as connection:
        before = _current(connection)
        known = revisions()
        if before is not None and before not in known:
            raise _too_new(before)
        has_roles = roles.assume(connection, names)
        connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS replicator"))
        config = Config()
        config.set_main_option("script_location", str(bundled("migrations")))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if time_zone is not None:
            _set_time_zone(connection, time_zone)
        applied = views.apply(connection, bundled("sql"))
        if has_roles:
            roles.settle(connection, names, _views())
        return Migrated(before, known[-1], applied)


def make_roles(url: str, role_prefix: str = ROLE_PREFIX, *, only_show: bool = False) -> list[str]:
    """Make the roles and give them their rights, in one transaction; return the statements. `only_show` changes nothing.

    Raises DatabaseError where this user may not do it: an administrator runs the statements that are shown.
    """
    names = roles.Names.of(role_prefix)
    try:
        with alone(url) as connection:
            if only_show:
                return list(chain(*roles.missing(connection, names, _views())))
            return roles.make(connection, names, _views())
    except DatabaseError as error:
        if isinstance(getattr(error.__cause__, "orig", None), psycopg.errors.InsufficientPrivilege):
            raise DatabaseError(
                "this user may not make the roles",
                advice="give the output of `replicator roles --print` to the database's administrator",
            ) from None
        raise


@contextmanager
def alone(url: str) -> Iterator[sa.Connection]:
    """Give a connection in one transaction, in which nobody else migrates; say our errors for the database's."""
    engine = make_engine(url).execution_options(isolation_level="READ COMMITTED")
    place = target.read(url).place
    try:
        with engine.begin() as connection:
            # In it no name is looked up where others can make things: their function would be run with the owner's rights.
            begin_migration(connection)
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection
    except DBAPIError as error:
        origin = error.orig
        if isinstance(origin, psycopg.OperationalError) and not origin.sqlstate:
            raise unavailable(error, place) from None
        if isinstance(origin, psycopg.Error):
            raise translate(origin, place) from error
        raise
    finally:
        engine.dispose()


def _views() -> dict[str, views.View]:
    return {view.name: view for view in views.load(bundled("sql") / "views")}


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
