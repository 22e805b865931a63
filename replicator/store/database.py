"""The connection pool, the transactions and their settings, and psycopg's errors as ours. Every access goes through it.

Statements are plain SQL on psycopg connections, because COPY is one of them. pool.py keeps the connections.

The settings of a session can come from the role, from the database, or from the moment when it was opened; behind a
transaction pooler other programs use the same session in between. So no setting of a session is relied on. The
statement that begins each transaction states all settings that our SQL and our reading of its answers need. Nothing is
prepared, and no setting or lock belongs to a session.

A transaction cannot state everything (a session opened while the database was read-only, a role dropped since, a server
that became a standby). So no connection is used longer than ten minutes, and after any error of the database all are
opened anew.
"""

from __future__ import annotations

import re
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from replicator.errors import DatabaseError, DatabaseMisconfigured, DatabaseUnavailable, StatementDefect
from replicator.store import target
from replicator.store.connecting import connect, sql_name, unavailable
from replicator.store.naming import THE_USUAL, Names, cursor_class
from replicator.store.pool import Lent, NoneFreeError, Pool
from replicator.store.sqlstates import DEFECT, SHARED_MEMORY, meaning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCK_TIMEOUT_SECONDS: Final = 30
MOST_STATEMENT_SECONDS: Final = 600
MOST_AGE_SECONDS: Final = 600
"""The greatest age of a connection. Then it is opened anew, so that changed settings, rights and
passwords take effect.
"""
POOL_SIZE: Final = 4

TERMS: Final[Mapping[str, str]] = {
    # What our SQL needs: none of our names is looked up on a search path, and a backslash is a plain character.
    "search_path": "pg_catalog, pg_temp",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    # What psycopg can read: other styles are refused, or read wrongly.
    "client_encoding": "'UTF8'",
    "timezone": "'UTC'",
    "datestyle": "'ISO, YMD'",
    "intervalstyle": "'postgres'",
    "bytea_output": "'hex'",
    "extra_float_digits": "1",
    # Time limits, and no JIT compiler: the statements are many and short.
    "lock_timeout": f"'{LOCK_TIMEOUT_SECONDS}s'",
    "statement_timeout": f"'{MOST_STATEMENT_SECONDS}s'",
    "jit": "off",
}
"""What each transaction sets, whatever the role, the database or a pooled session has set."""

WARY_SECONDS: Final = 3600
"""A pooler keeps sessions, with the settings from their start, for up to an hour (PgBouncer's server_lifetime)."""
IS_ORDERED: Final = """
SELECT pg_catalog.pg_is_in_recovery() OR CASE
    WHEN now.source IN ('client', 'session') THEN now.setting = 'on'
    ELSE coalesce(
        (
            SELECT pg_catalog.split_part(c.setting, '=', 2)::boolean
            FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (setting)
            WHERE s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
                AND s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
                AND c.setting LIKE 'default_transaction_read_only=%'
            ORDER BY s.setrole = 0, s.setdatabase = 0
            LIMIT 1
        ),
        now.setting = 'on' AND now.source NOT IN ('global', 'database', 'user', 'database user')
    )
END
FROM pg_catalog.pg_settings AS now
WHERE now.name = 'default_transaction_read_only'
"""
"""Whether a session that begins now would be read-only. What a pooled session still has from its own start does not count;
of what is set for roles and databases, the most specific counts, as it does for PostgreSQL.
"""
REFUSED: Final = re.compile("permission denied for (schema|table|view|sequence|function) ([a-z_][a-z0-9_]{0,62})")
"""The server's words for a missing right, in English; in another language the object is not named."""


def terms(**others: str) -> str:
    """Return the statements that set our terms for the rest of a transaction."""
    return "; ".join(f"SET LOCAL {name} = {value}" for name, value in {**TERMS, **others}.items())


class Database:
    """A PostgreSQL database, as `target.read` reads its conninfo; libpq's own variables fill what that leaves out."""

    def __init__(self, conninfo: str, *, pool_size: int = POOL_SIZE, names: Names = THE_USUAL) -> None:
        self._target = target.read(conninfo)
        self.names = names
        """The names of our schemas in this database."""
        self._pool = Pool(
            lambda: connect(self._target, cursor_class(names)), size=pool_size, most_age_seconds=MOST_AGE_SECONDS
        )
        self._others: dict[str, str] = {}
        """Additional terms that this server needs."""
        self._wary_until = 0.0
        """Until then, a session that is read-only is checked: is the database still meant to be read-only?"""

    @property
    def place(self) -> str:
        """Where this database is, without secrets; for messages."""
        return self._target.place

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield a psycopg connection in one transaction: committed at the end, rolled back on any error."""
        lent = self._begun()
        connection, is_good = lent.connection, False
        try:
            yield connection
            _commit(connection)
            is_good = True
        except psycopg.Error as error:
            _give_up(connection)
            raise self._renewed(error) from error
        except Exception as error:
            is_good = _give_up(connection)
            if not isinstance(error, psycopg.Rollback):  # the caller's own wish, and no error
                raise
        finally:  # after a Ctrl-C, the connection is in an unknown state, and not used again
            self._pool.take_back(lent, is_good=is_good)

    connection = transaction
    """The same, for reading: a statement without a transaction could not set its terms."""

    def close(self) -> None:
        """Close the connections in the pool."""
        self._pool.close()

    def _begun(self) -> Lent:
        """Return a connection in a new transaction. If one has died in the pool, it and all others are replaced."""
        while True:
            lent, is_begun = self._lent(), False
            try:
                if lent.is_new:
                    self._look(lent.connection)
                mode = "READ COMMITTED" + self._mode(lent.connection)
                # One round trip for all: a text without parameters may hold several statements.
                lent.connection.execute(f"BEGIN ISOLATION LEVEL {mode}; {terms(**self._others)}".encode())
                is_begun = True
            except psycopg.Error as error:
                failed = self._renewed(error)
                if lent.is_new:
                    raise failed from error
            else:
                return lent
            finally:
                if not is_begun:  # after a Ctrl-C too: the connection may be in the middle of the statement
                    self._pool.take_back(lent, is_good=False)

    def _lent(self) -> Lent:
        try:
            return self._pool.lend()
        except psycopg.Error as error:
            raise unavailable(error, self.place) from None
        except NoneFreeError:
            raise DatabaseUnavailable(
                f"no connection to the database at {self.place} came free", advice="report it if it comes back"
            ) from None

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        """Read the properties of a new connection on which our terms depend. Raises DatabaseMisconfigured."""
        if connection.info.server_version >= 170000:  # noqa: PLR2004 - PostgreSQL 17
            self._others["transaction_timeout"] = "0"
        row = connection.execute("SELECT pg_catalog.current_setting('session_replication_role')").fetchone()
        if row is not None and row[0] == "replica":
            # With this role no trigger of ours runs, so roll-ups would be wrong without any error.
            if connection.info.parameter_status("is_superuser") != "on":
                base, user = sql_name(connection.info.dbname), sql_name(connection.info.user)
                raise DatabaseMisconfigured(
                    f"the database at {self.place} has triggers switched off (session_replication_role = replica)",
                    advice=f"have an administrator run: ALTER DATABASE {base} RESET session_replication_role; or, where it is "
                    f"set for the user: ALTER ROLE {user} RESET session_replication_role",
                )
            self._others["session_replication_role"] = "origin"

    def _mode(self, connection: psycopg.Connection[Any]) -> str:
        """Return what to add to BEGIN. In the hour after the database refused a write, a transaction is what a session that
        begins now would be, whichever of a pooler's sessions it meets.
        """
        if time.monotonic() >= self._wary_until:
            return ""
        row = connection.execute(IS_ORDERED.encode()).fetchone()
        return "" if row is None else ", READ ONLY" if row[0] else ", READ WRITE"

    def _renewed(self, error: psycopg.Error) -> DatabaseError:
        """Return our error for psycopg's, and have all connections opened anew."""
        self._pool.renew()
        if meaning(error.sqlstate or "", error.diag.source_function or "") is SHARED_MEMORY:
            self._others["max_parallel_workers_per_gather"] = "0"
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            self._wary_until = time.monotonic() + WARY_SECONDS
        return translate(error, self.place)


def _commit(connection: psycopg.Connection[Any]) -> None:
    """Commit. If a failed statement was ignored, PostgreSQL would roll back and report success; that raises an error
    here.
    """
    if connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR:
        raise psycopg.errors.InFailedSqlTransaction
    connection.commit()


def _give_up(connection: psycopg.Connection[Any]) -> bool:
    """Roll back; say whether the connection can still be used."""
    with suppress(psycopg.Error):
        connection.rollback()
    return not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def translate(error: psycopg.Error, place: str) -> DatabaseError:
    """Return our error for one of psycopg's. The server's text may quote a row, so only its code is kept, and the name of
    an object that the user has no right on.
    """
    code, name = error.sqlstate, type(error).__name__
    if code is None:
        if isinstance(error, psycopg.OperationalError):
            return DatabaseUnavailable(f"the connection to the database at {place} was lost")
        return StatementDefect(f"an answer of the database at {place} cannot be read ({name})")
    meant = meaning(code, error.diag.source_function or "")
    shown = f"{name} {code}" if meant is DEFECT else code
    closed = REFUSED.fullmatch(error.diag.message_primary or "") if code == "42501" else None
    what = f"{meant.what} the {closed[1]} {closed[2]}" if closed else meant.what
    return meant.kind(f"the database at {place} {what} ({shown})", advice=meant.advice)


__all__ = ["Database", "terms", "translate", "unavailable"]
