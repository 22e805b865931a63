"""Renaming an account whose money is compared: what both names have is never merged or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replicator.errors import ConfigurationError
from replicator.reconcile import importing
from replicator.reconcile.mapping import Mapping
from replicator.store import migrate, naming, renaming

if TYPE_CHECKING:
    from pathlib import Path

    from replicator.store.database import Database


def rename(url: str, old: str, new: str) -> int:
    return renaming.rename(url, old, new, role_prefix=migrate.ROLE_PREFIX, schemas=naming.THE_USUAL)


def kept(database: Database) -> list[tuple[Any, ...]]:
    with database.connection() as connection:
        return connection.execute(
            "SELECT 'statement', account FROM billing.statements UNION ALL SELECT 'matching', account FROM billing.matchings "
            "UNION ALL SELECT 'budget', account FROM billing.budgets ORDER BY 1, 2"
        ).fetchall()


def prepare(database: Database, path: Path, account: str) -> None:
    """Give an account a statement, a matching and a budget."""
    path.write_text("amount,kind\n5,fee\n", encoding="utf-8")
    importing.run(database, account, path, Mapping(), by="ann", period="2026-10")
    with database.transaction() as tx:
        tx.execute("INSERT INTO billing.budgets VALUES (%s, '2026-10', 'account', '', 5)", [account])
        tx.execute(
            "INSERT INTO billing.matchings (account, party, period, made_by, time_zone, terms, statements, calls, lines, unreadable, "
            "our_sum_usd, statement_usd) VALUES (%s, 'vendor', '2026-10', 'ann', 'UTC', '{}', '{1}', 0, 1, 0, 0, 5)",
            [account],
        )


def test_two_accounts_with_statements_are_not_made_one(database: Database, database_url: str, tmp_path: Path) -> None:
    """Refused in words, before anything changes."""
    for account in ("a", "b"):
        prepare(database, tmp_path / "october.csv", account)
    before = kept(database)
    with pytest.raises(ConfigurationError, match="both accounts, a and b, have statements"):
        rename(database_url, "a", "b")
    assert kept(database) == before


def test_what_one_name_has_in_billing_is_kept(database: Database, database_url: str, tmp_path: Path) -> None:
    """Whichever has it: statements that were imported under the new name first stay, with their matchings."""
    prepare(database, tmp_path / "october.csv", "a")
    rename(database_url, "a", "b")
    assert kept(database) == [("budget", "b"), ("matching", "b"), ("statement", "b")]
    with database.transaction() as tx:
        tx.execute("INSERT INTO replicator.source_state (account, base_url) VALUES ('c', 'https://x')")
    rename(database_url, "c", "b")
    assert kept(database) == [("budget", "b"), ("matching", "b"), ("statement", "b")]
