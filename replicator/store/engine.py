"""Opens a database for migrations, whose statements are SQLAlchemy's. The rooms that sync load none of SQLAlchemy."""

from __future__ import annotations

import sqlalchemy as sa

from replicator.errors import DatabaseMisconfigured
from replicator.store import target
from replicator.store.connecting import connect
from replicator.store.database import terms
from replicator.store.naming import THE_USUAL, Names, cursor_class
from replicator.store.sqlstates import NEW_DATABASE


def make_engine(conninfo: str, *, names: Names = THE_USUAL) -> sa.Engine:
    """Return an engine for migrations."""
    where = target.read(conninfo)
    return sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(where, cursor_class(names)),
        isolation_level="AUTOCOMMIT",
        use_native_hstore=False,
    )


def begin_migration(connection: sa.Connection) -> None:
    """Set our terms for a migration. Raises DatabaseMisconfigured where the database cannot store every text."""
    connection.exec_driver_sql(terms(statement_timeout="0"))
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise DatabaseMisconfigured(
            f"the database has the encoding {encoding}, in which not every text can be stored; it must be UTF8",
            advice=NEW_DATABASE,
        )


__all__ = ["begin_migration", "make_engine"]
