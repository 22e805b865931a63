"""Turns the JIT compiler off for the sessions of a database that holds only this replica.

What our own statements say (database.TERMS), an analyst's tool does not. Debian's server compiles each query whose cost it
estimates as high, and compiling a report takes seconds where running it takes milliseconds. The
setting is the database's: each user and each session may set another, and it is never changed once somebody has set it.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from replicator.errors import DatabaseError
from replicator.store import naming
from replicator.store.database import Database

if TYPE_CHECKING:
    from replicator.store.naming import Names

MOST_TRIES = 5
RACED = (psycopg.errors.UniqueViolation, psycopg.errors.InternalError_)
"""The errors where another session changes the settings of the same database: of the first one, and of one that is changed
("tuple concurrently updated").
"""

_STATE = """
SELECT d.datname,
    coalesce((SELECT reset_val = 'on' FROM pg_settings WHERE name = 'jit') AND pg_jit_available(), false),
    pg_has_role(d.datdba, 'USAGE'),
    EXISTS (SELECT FROM pg_db_role_setting s, unnest(s.setconfig) one WHERE s.setdatabase = d.oid AND s.setrole = 0 AND one LIKE 'jit=%%'),
    EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> ALL (%s) AND n.nspname !~ '^pg_'
            AND n.nspname <> 'information_schema'
            AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
    )
FROM pg_database d WHERE d.datname = current_database()
"""


class State(NamedTuple):
    """What a database says: `is_on` for new sessions, `may_change` this user, `is_set` by somebody for this database,
    `has_others`: tables or views outside our schemas that no extension brought.
    """

    database: str
    is_on: bool
    may_change: bool
    is_set: bool
    has_others: bool


def is_ours_to_turn_off(state: State) -> bool:
    """Say whether the setting may be changed without asking: only where nobody else has tables, and nobody has chosen."""
    return state.is_on and state.may_change and not state.is_set and not state.has_others


def turn_off(url: str, names: Names = naming.THE_USUAL) -> bool:
    """Turn JIT off for new sessions of a database that is ours alone; say whether it was done."""
    with closing(Database(url, names=names)) as database:
        for left in reversed(range(MOST_TRIES)):
            try:
                with database.transaction() as tx:
                    tx.execute("SET LOCAL jit = on")  # off, pg_jit_available() is false
                    row = tx.execute(_STATE, [list(names.all)]).fetchone()
                    if row is None or not is_ours_to_turn_off(state := State(*row)):
                        return False
                    tx.execute(sql.SQL("ALTER DATABASE {} SET jit = off").format(sql.Identifier(state.database)))
            except DatabaseError as error:
                if not (isinstance(error.__cause__, RACED) and left):
                    raise
            else:
                return True
    return False


__all__ = ["State", "is_ours_to_turn_off", "turn_off"]
