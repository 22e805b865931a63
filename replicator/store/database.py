"""The one door to PostgreSQL: an engine, its connections, and the translation of its errors into ours.

SQLAlchemy gives the pool and the URL; statements are plain SQL on psycopg connections, because COPY is one of them.
Everything works behind a transaction pooler: no prepared statements, no session settings, no session locks.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import OperationalError as PoolOperationalError

from replicator.errors import ConfigurationError, DatabaseError, DatabaseUnavailable, ReportingUnusable
from replicator.store.naming import THE_USUAL, Names, cursor_class

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK_TIMEOUT_SECONDS = 30
CONNECT_TIMEOUT_SECONDS = 10


class Database:
    """A PostgreSQL database. `url` is a libpq URL; libpq's own environment variables fill what it leaves out."""

    def __init__(self, url: str, *, pool_size: int = 4, names: Names = THE_USUAL) -> None:
        self._engine = make_engine(url, pool_size=pool_size, names=names)
        self.names = names
        """What our schemas are called there."""

    @property
    def place(self) -> str:
        """Where this database is, without the password."""
        url = self._engine.url
        host = url.host or url.query.get("host") or "libpq's default host"
        return f"{host}:{url.port or 5432}/{url.database or ''}"

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a psycopg connection inside one transaction: committed at the end, rolled back on any error."""
        with self.connection() as connection, connection.transaction():
            timeout = f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"
            connection.execute(timeout)
            yield connection

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Give a psycopg connection without a transaction of ours: each statement commits by itself."""
        try:
            pooled = self._engine.raw_connection()
        except (DBAPIError, psycopg.Error) as error:
            raise unavailable(error, self.place) from None
        connection = cast("psycopg.Connection[Any]", pooled.driver_connection)
        try:
            yield connection
        except psycopg.Error as error:
            if connection.closed or connection.broken:
                pooled.invalidate()
            raise translate(error, self.place) from error
        except BaseException:  # a Ctrl-C, too: a connection in the middle of something is lent to nobody else
            if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                pooled.invalidate()
            raise
        finally:
            pooled.close()

    def close(self) -> None:
        self._engine.dispose()


def make_engine(url: str, *, pool_size: int = 4, names: Names = THE_USUAL) -> sa.Engine:
    """Return an engine for a libpq URL."""
    try:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() not in {"postgresql", "postgres"}:
            raise ConfigurationError(
                "DATABASE_URL is not a PostgreSQL URL", advice="expected postgresql://user:password@host:5432/database"
            )
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
            connect_args={
                "prepare_threshold": None,
                "application_name": "truedy-replicator",
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "cursor_factory": cursor_class(names),
            },
        )
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URL cannot be read as a URL", advice="expected postgresql://user:password@host:5432/database"
        ) from None


def unavailable(error: Exception, place: str) -> DatabaseUnavailable:
    """Say why no connection could be made, without the password."""
    origin = error.orig if isinstance(error, PoolOperationalError | DBAPIError) else error
    lines = [line.strip() for line in str(origin).splitlines() if line.strip()]
    reason = lines[-1] if lines else type(origin).__name__
    return DatabaseUnavailable(f"the database at {place} cannot be reached: {reason}")


def translate(error: psycopg.Error, place: str) -> DatabaseError:
    """Return our error for one of psycopg's. The server's text may quote a row, so only its class is kept."""
    state = error.sqlstate or ""
    name = type(error).__name__
    if isinstance(error, psycopg.OperationalError) and not state:
        return DatabaseUnavailable(f"the connection to the database at {place} was lost")
    if state == "57014":
        return DatabaseUnavailable(
            f"the database at {place} cancelled a statement",
            advice="raise this user's statement_timeout, if it has one; else an administrator cancelled it",
        )
    if state[:2] in {"08", "57"}:
        return DatabaseUnavailable(f"the database at {place} ended the connection ({name})")
    if state == "53100":
        return DatabaseUnavailable(
            f"the server of the database at {place} has no disk space left ({name})",
            advice="free space where the server keeps its data and its log; nothing is lost, and syncing goes on from there",
        )
    if state[:2] == "53":
        return DatabaseUnavailable(
            f"the database at {place} is out of resources ({name})", advice="free disk or memory"
        )
    if state == "55P03":
        return DatabaseUnavailable(
            f"the database at {place} kept a lock for more than {LOCK_TIMEOUT_SECONDS} s",
            advice="end the session that holds the lock, or wait for it",
        )
    if state == "22023":  # of all that is sent, only a setting that people make can have a value that is not valid
        return ReportingUnusable(
            f"a setting of the reports cannot be used by the server of the database at {place}: replicator.reporting.time_zone "
            "is, most likely, a zone that it does not know"
        )
    if state == "42501":
        return DatabaseError(
            f"the database at {place} refuses this user ({name})",
            advice="grant the rights that docs/operations.md lists",
        )
    return DatabaseError(
        f"the database at {place} refused a statement ({name} {state})",
        advice="report this with the code; the server's log has the details",
    )
