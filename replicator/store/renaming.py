"""Gives an account another name, in all tables that hold its rows.

These are all tables of the schemas truedy, replicator and billing that have a column `account`; the roll-ups follow by their
triggers. An account of which the schema archive has anything is not renamed: what is sealed names it, and a hold or an
erasure that stayed with the old name would not count any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from replicator.errors import ConfigurationError
from replicator.store import migrate, naming, roles
from replicator.store.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

LONGEST = 200
"""The most characters of an account's name."""


def rename(url: str, old: str, new: str, *, role_prefix: str, schemas: naming.Names) -> int:
    """Give an account another name, in one transaction; return how many calls it has.

    This needs the rights to migrate. No process may be writing for either name: the caller holds the leases of both.
    The pseudonyms depend on the account's name, so the next sync makes them anew. Raises ConfigurationError where no
    account has the old name, where the archive has anything of it, or where calls are stored under the new one or both names
    have rows in billing (statements, rates, budgets, closes), because two accounts are never merged.
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
        if any(_holds(connection, table, old) for table in _tables({"archive"})):
            raise ConfigurationError(
                f"the account {old} has records in the archive, or holds, retention classes or erasures, which name it and "
                "cannot be changed",
                advice="keep the name; what it is called in reports can be changed there",
            )
        if _holds(connection, "truedy.calls", new):
            raise ConfigurationError(
                f"calls are stored under the account {new} already; two accounts cannot be made one",
                advice="choose another name, or keep the two apart",
            )
        both = [name for name in (old, new) if any(_holds(connection, table, name) for table in _of_billing(tables))]
        if len(both) > 1:
            raise ConfigurationError(
                f"both accounts, {old} and {new}, have statements, rates, budgets or closes; two accounts cannot be made one",
                advice="choose another name, or keep the two apart",
            )
        connection.execute(sa.text(_ADD_CHARGES), {"old": old, "new": new})
        for table in tables:
            # Rows that a refused or empty first run left under the new name are removed.
            if table not in HISTORY and table not in _of_billing(tables):
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


OURS = frozenset({"truedy", "replicator", "billing"})
HISTORY = frozenset(
    {
        "replicator.runs",
        "replicator.verifications",
        "truedy.calls",
    }
)
"""Tables in which rows of both names may be kept. Those of schema billing are kept, too; only one of the names has rows there."""
STAY = frozenset({"replicator.lease"})
"""Tables whose rows keep their name: the epoch of a lease only grows, also after its account was renamed."""
_ADD_CHARGES = """
INSERT INTO replicator.budget_windows AS b (account, key_id, window_number, charged)
SELECT :old, n.key_id, n.window_number, n.charged FROM replicator.budget_windows n WHERE n.account = :new
ON CONFLICT (account, key_id, window_number) DO UPDATE SET charged = b.charged + excluded.charged
"""
"""Requests sent under the new name count in the same windows of the source."""


def _tables(schemas: AbstractSet[str] = OURS) -> Sequence[str]:
    return [
        f"{table.schema}.{table.name}"
        for table in metadata.sorted_tables
        if "account" in table.columns and table.schema in schemas and f"{table.schema}.{table.name}" not in STAY
    ]


def _of_billing(tables: Sequence[str]) -> list[str]:
    return [table for table in tables if table.startswith("billing.")]


def _holds(connection: sa.Connection, table: str, account: str) -> bool:
    found = connection.execute(
        sa.text(f"SELECT EXISTS (SELECT FROM {table} WHERE account = :account)"), {"account": account}
    )
    return bool(found.scalar_one())
