"""The accounts of a database: lists them, checks which account uses a key, renames one.

An account is a name under which the rows of one source are stored. It is in all tables of the schemas truedy and
replicator that have a column `account`; the roll-ups follow by their triggers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from psycopg.rows import dict_row

from replicator.errors import AnotherAccount, ConfigurationError
from replicator.store import migrate, naming, roles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from replicator.store.database import Database

LONGEST = 200
"""The most characters of an account's name."""

_LISTED = """
SELECT
    a.account,
    s.base_url,
    coalesce(s.live_calls, (SELECT count(*) FROM truedy.calls c WHERE c.account = a.account AND c.deleted_at IS NULL)) AS live_calls,
    s.total AS source_total,
    s.head_at,
    extract(epoch FROM now() - s.head_at)::float8 AS lag_seconds,
    s.requests_per_minute,
    (SELECT l.holder FROM replicator.lease l WHERE l.account = a.account AND l.expires_at > clock_timestamp()) AS writer
FROM (SELECT account FROM replicator.source_state UNION SELECT account FROM replicator.runs) a
LEFT JOIN replicator.source_state s ON s.account = a.account
ORDER BY a.account
"""


USED_BY_ANOTHER = """
SELECT s.account FROM replicator.budgets b JOIN replicator.source_state s ON s.account = b.account
WHERE b.key_id = ANY(%(keys)s) AND b.used_at IS NOT NULL AND b.account <> %(account)s AND s.base_url = %(base_url)s AND (
    EXISTS (SELECT FROM truedy.calls c WHERE c.account = b.account)
    OR EXISTS (SELECT FROM replicator.lease l WHERE l.account = b.account AND l.expires_at > clock_timestamp()))
ORDER BY s.account LIMIT 1
"""
"""An account that uses one of these keys at the same address, and that holds calls or is being copied now. An account
that was only named once, by a mistake in the settings, does not count.
"""


def claim_keys(
    tx: psycopg.Connection[Any],
    account: str,
    base_url: str,
    key_ids: Sequence[str],
    window_seconds: float,
    now: datetime,
) -> None:
    """Record that an account uses these keys from now on. Called before the first request.

    Raises AnotherAccount where another account uses one of them: a key, with its budget, belongs to one account. The
    same key at another address counts as another key.
    """
    given = {"keys": list(key_ids), "account": account, "base_url": base_url}
    row = tx.execute(USED_BY_ANOTHER, given).fetchone()
    if row is not None:
        raise AnotherAccount(row[0], account)
    tx.execute(
        "INSERT INTO replicator.budgets (account, key_id, window_seconds, used_at) SELECT %s, unnest(%s::text[]), %s, %s "
        "ON CONFLICT (account, key_id) DO UPDATE SET used_at = excluded.used_at",
        [account, sorted(set(key_ids)), window_seconds, now],
    )


def listed(database: Database) -> list[dict[str, Any]]:
    """Return each account with source, calls, freshness (seconds), budget (requests a minute) and present writer."""
    with database.connection() as connection:
        return connection.cursor(row_factory=dict_row).execute(_LISTED).fetchall()


def rename(url: str, old: str, new: str, *, role_prefix: str, schemas: naming.Names) -> int:
    """Give an account another name, in one transaction; return how many calls it has.

    This needs the rights to migrate. No process may be writing for either name: the caller holds the leases of both.
    The pseudonyms depend on the account's name, so the next sync makes them anew. Raises ConfigurationError where no
    account has the old name, or where calls are stored under the new one, because two accounts are never merged.
    """
    if not new.strip() or len(new) > LONGEST or old == new:
        raise ConfigurationError(f"the new name must be another one, of 1 to {LONGEST} characters")
    with migrate.alone(url, schemas) as connection:
        roles.assume(connection, roles.Names.of(role_prefix))
        tables = _tables()
        if not any(_holds(connection, table, old) for table in tables):
            raise ConfigurationError(
                f"there is no account {old} in this database", advice="list them: replicator accounts list"
            )
        if _holds(connection, "truedy.calls", new):
            raise ConfigurationError(
                f"calls are stored under the account {new} already; two accounts cannot be made one",
                advice="choose another name, or keep the two apart",
            )
        connection.execute(sa.text(_ADD_CHARGES), {"old": old, "new": new})
        for table in tables:
            # Rows that a refused or empty first run left under the new name are removed.
            if table not in HISTORY:
                connection.execute(sa.text(f"DELETE FROM {table} WHERE account = :new"), {"new": new})
            connection.execute(
                sa.text(f"UPDATE {table} SET account = :new WHERE account = :old"), {"old": old, "new": new}
            )
        connection.execute(sa.text("DELETE FROM replicator.parties WHERE account = :new"), {"new": new})
        connection.execute(
            sa.text("UPDATE replicator.source_state SET party_key_id = NULL WHERE account = :new"), {"new": new}
        )
        count = connection.execute(sa.text("SELECT count(*) FROM truedy.calls WHERE account = :new"), {"new": new})
        return int(count.scalar_one())


HISTORY = frozenset({"replicator.runs", "replicator.verifications", "truedy.calls"})
"""Tables in which rows of both names may be kept."""
STAY = frozenset({"replicator.lease"})
"""Tables whose rows keep their name: the epoch of a lease only grows, also after its account was renamed."""
_ADD_CHARGES = """
INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged)
SELECT :old, n.key_id, n.window_number, n.charged FROM replicator.budget_windows n WHERE n.account = :new
ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged
"""
"""Requests sent under the new name count in the same windows of the source."""


def _tables() -> Sequence[str]:
    from replicator.store.schema import metadata  # noqa: PLC0415 - it loads a dialect, and `accounts list` needs no table

    return [
        f"{table.schema}.{table.name}"
        for table in metadata.sorted_tables
        if "account" in table.columns
        and table.schema in {"truedy", "replicator"}
        and f"{table.schema}.{table.name}" not in STAY
    ]


def _holds(connection: sa.Connection, table: str, account: str) -> bool:
    found = connection.execute(
        sa.text(f"SELECT EXISTS (SELECT FROM {table} WHERE account = :account)"), {"account": account}
    )
    return bool(found.scalar_one())
