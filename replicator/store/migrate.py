"""Brings a database's tables and views up to date.

Tables are versioned (migrations/); roll-ups and views are repeatable (sql/rollups, sql/views). All is done in one
transaction, so it may be killed at any moment. Before the first change it checks which objects in our schemas are ours
(objects.py). Two migrations at once are safe: the transaction locks the table of the version, which readers may not do,
and the database decides which of two first migrations makes that table.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from replicator.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseUnavailable,
    ForeignObjects,
    ReplicatorError,
)
from replicator.store import (
    admin_settings,
    jit,
    naming,
    objects,
    roles,
    rollup_making,
    rollups,
    schema_check,
    target,
    view_making,
    views,
    waiting,
)
from replicator.store.database import LOCK_TIMEOUT_SECONDS, translate, unavailable
from replicator.store.engine import begin_migration, make_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROLE_PREFIX = "truedy"
EARLIER_LOCK = 7_235_401_101
"""The advisory lock of releases up to 0005. Any user may take it and keep it, so it is tried without waiting. If it is
free, a `migrate` of such a release waits for this one.
"""
MOST_TRIES = 5
FIRST_TABLE = (
    "CREATE TABLE replicator.schema_version (version_num varchar(32) NOT NULL, "
    "CONSTRAINT schema_version_pkc PRIMARY KEY (version_num))"
)
"""The table as Alembic makes it. It is made here, so that the database decides which of two first
migrations goes on.
"""
RACED = (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateSchema, psycopg.errors.DuplicateTable)
TAKEN = (
    psycopg.errors.DuplicateTable, psycopg.errors.DuplicateObject, psycopg.errors.DuplicateFunction,
    psycopg.errors.DuplicateColumn, psycopg.errors.WrongObjectType,
)  # fmt: skip
"""The errors of a migration where a user made one of our objects by hand, on a table of ours."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did: the revisions before and after, and the views that were applied anew."""

    before: str | None
    after: str
    views: Sequence[str]
    is_jit_turned_off: bool = False
    """For this database, by this migration (jit.py)."""


def migrate(
    url: str,
    *,
    time_zone: str | None = None,
    cost_give_up_days: int | None = None,
    is_asked_for: bool = True,
    role_prefix: str = ROLE_PREFIX,
    schemas: naming.Names = naming.THE_USUAL,
    on_step: Callable[[str], None] = lambda _step: None,
) -> Migrated:
    """Bring tables and views up to date. `time_zone` and `cost_give_up_days` become the reports' settings; None
    leaves one unchanged.

    Where nobody asked for a migration (`is_asked_for`), a database that was migrated before keeps all its settings, and
    JIT is left as it is. `on_step` is told each step as it begins. If the roles with this prefix are in use, the migration
    works as their owner and updates their rights. Raises ForeignObjects, with nothing changed, where an object of another
    user is in the way.
    """
    for _ in range(MOST_TRIES):
        with suppress(_RacedError):
            chosen = {"time_zone": time_zone, "cost_give_up_days": cost_give_up_days}
            names = roles.Names.of(role_prefix)
            done = _migrate(url, schemas, chosen, names, on_step, is_asked_for=is_asked_for)
            return replace(done, is_jit_turned_off=jit.turn_off(url, schemas)) if is_asked_for else done
    raise DatabaseUnavailable("others migrate this database at the same time", advice="run: replicator migrate")


class _RacedError(Exception):
    """Another session made the first table at the same time."""


def _migrate(
    url: str,
    schemas: naming.Names,
    chosen: Mapping[str, Any],
    names: roles.Names,
    on_step: Callable[[str], None],
    *,
    is_asked_for: bool,
) -> Migrated:
    kept, shown = rollups.load(schema_check.bundled("sql") / "rollups"), _views()
    wanted = _wanted(kept, shown)
    on_step("waiting for the database, and for sessions that hold locks")
    with alone(url, schemas) as connection:
        has_roles = roles.assume(connection, names)
        standing = objects.read(connection, wanted)
        if not standing.is_new:
            _lock(connection)
            standing = objects.read(connection, wanted)
        before, known = standing.version, schema_check.revisions()
        if before is not None and before not in known:
            raise schema_check.too_new(before)
        objects.refuse(standing, wanted)
        objects.refuse_triggers(connection, standing, rollup_making.triggers(kept))
        if before != known[-1]:
            objects.refuse_without_rights(connection, standing)
            _make_first(connection, standing)
            on_step(f"bringing the tables from {before or 'nothing'} to {known[-1]}")
            _upgrade(connection, schemas)
        if is_asked_for or before is None:
            _set_reporting(connection, **chosen)
        had = admin_settings.taken(connection, standing)
        on_step("making roll-ups, conversations and views")
        applied = view_making.apply(connection, schema_check.bundled("sql"), standing)
        on_step("recording what was made, and giving rights")
        objects.record(connection, standing, wanted, applied)
        admin_settings.give_back(connection, had, standing)
        rollup_making.identify(connection)
        if has_roles:
            roles.settle(connection, names, shown, objects.read(connection, wanted))
        return Migrated(before, known[-1], applied)


def _upgrade(connection: sa.Connection, schemas: naming.Names) -> None:
    """Run the table migrations that the database lacks."""
    from alembic import command  # noqa: PLC0415 - where nothing is to be migrated, it is not loaded
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(schema_check.bundled("migrations")))
    config.attributes.update(connection=connection, books=schemas.replicator)
    command.upgrade(config, "head")


def _wanted(kept: Sequence[rollups.Rollup], shown: Mapping[str, views.View]) -> frozenset[objects.Thing]:
    """Return everything that this program makes, as the catalog names it."""
    made = {objects.Thing("relation", "analytics", name) for name in shown}
    return objects.tables() | rollup_making.things(kept) | made


def _make_first(connection: sa.Connection, standing: objects.Standing) -> None:
    """Make the schemas and, in a new database, the table of the version, which only one session can make."""
    try:
        objects.make_schemas(connection, standing)
        if standing.is_new:
            connection.exec_driver_sql(FIRST_TABLE)
            _lock(connection)
    except DBAPIError as error:
        if isinstance(error.orig, RACED):
            raise _RacedError from None
        raise


def _lock(connection: sa.Connection) -> None:
    """Lock out other migrations. Readers and auditors may not take this lock, nor one that conflicts with it."""
    connection.execute(sa.text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": EARLIER_LOCK})
    connection.exec_driver_sql("LOCK TABLE replicator.schema_version IN SHARE ROW EXCLUSIVE MODE")


def make_roles(
    url: str,
    role_prefix: str = ROLE_PREFIX,
    *,
    only_show: bool = False,
    schemas: naming.Names = naming.THE_USUAL,
) -> list[str]:
    """Make the roles and grant their rights, in one transaction; return the statements. `only_show` changes nothing.

    Raises DatabaseError where this user may not do it: then an administrator runs the statements.
    """
    names = roles.Names.of(role_prefix)
    try:
        with alone(url, schemas) as connection:
            with roles.as_owner(connection, names):
                kept = rollups.load(schema_check.bundled("sql") / "rollups")
                standing = objects.read(connection, _wanted(kept, _views()))
                if not standing.is_new and not only_show:
                    _lock(connection)
            if only_show:
                return list(chain(*roles.missing(connection, names, _views(), standing)))
            return roles.make(connection, names, _views(), standing)
    except DatabaseError as error:
        if isinstance(getattr(error.__cause__, "orig", None), psycopg.errors.InsufficientPrivilege):
            raise DatabaseError(
                "this user may not make the roles",
                advice="give the output of `replicator roles --print` to the database's administrator",
            ) from None
        raise


@contextmanager
def alone(url: str, schemas: naming.Names = naming.THE_USUAL) -> Iterator[sa.Connection]:
    """Yield a connection in one transaction. Raises our errors, which name the session for whose lock it waited in
    vain.
    """
    engine = make_engine(url, names=schemas).execution_options(isolation_level="READ COMMITTED")
    place = target.read(url).place
    holders = waiting.Holders()
    try:
        with engine.begin() as connection:
            # No name is looked up where others can create objects: their functions would run with the owner's rights.
            begin_migration(connection)
            pid = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            naming.refuse_other_names(cast("psycopg.Connection[Any]", connection.connection.driver_connection))
            with waiting.watched(engine, pid) as holders:
                yield connection
    except ReplicatorError as error:
        error.message, error.hint = schemas.renamed(error.message), schemas.renamed(error.hint)
        error.args = (error.message,)
        raise
    except DBAPIError as error:
        origin = error.orig
        if isinstance(origin, psycopg.OperationalError) and not origin.sqlstate:
            raise unavailable(error, place) from None
        if isinstance(origin, psycopg.errors.LockNotAvailable):
            raise DatabaseUnavailable(
                f"the database at {place} is kept from being migrated: {holders} holds a lock for more than "
                f"{LOCK_TIMEOUT_SECONDS:g} s",
                advice="nothing was changed. Wait for it, or end it: SELECT pg_terminate_backend(its process)",
            ) from error
        if isinstance(origin, TAKEN):
            raise ForeignObjects(
                f"something of somebody else is where the replicator would make its own: {origin.diag.message_primary}",
                advice="nothing was changed. Rename or drop it",
            ) from error
        if isinstance(origin, psycopg.Error):
            raise translate(origin, place) from error
        raise
    finally:
        engine.dispose()


def _views() -> dict[str, views.View]:
    return {view.name: view for view in views.load(schema_check.bundled("sql") / "views")}


def _set_reporting(connection: sa.Connection, *, time_zone: str | None, cost_give_up_days: int | None) -> None:
    """Write the settings of the reports that are not None."""
    if time_zone is not None:
        _set_time_zone(connection, time_zone)
    if cost_give_up_days is not None:
        connection.execute(
            sa.text("UPDATE replicator.reporting SET cost_give_up_days = :days WHERE cost_give_up_days <> :days"),
            {"days": cost_give_up_days},
        )


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


__all__ = ["EARLIER_LOCK", "ROLE_PREFIX", "Migrated", "alone", "make_roles", "migrate"]
