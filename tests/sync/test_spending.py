"""The books of a budget in the database: what is charged there survives a transaction that breaks off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from replicator.budget.durable import Limits, Spending
from replicator.budget.rules import Landing
from replicator.store import budgets

if TYPE_CHECKING:
    from replicator.store.database import Database

NOW = datetime(2026, 5, 1, 12, 0, 59, tzinfo=UTC)


class Broken(Exception):
    """The connection broke before the commit."""


def test_what_is_owed_is_written_again_where_a_transaction_breaks_off(database: Database) -> None:
    """An answer that came in a later window is charged to that one too: also where the first try to write this fails."""
    spending = Spending(database, "default", "a key", Limits(100))
    spending.load(NOW)
    assert spending.charge(NOW, 1)
    spending.landed([Landing(NOW, NOW + timedelta(seconds=90), NOW + timedelta(seconds=90))])

    def write() -> None:
        with database.transaction() as tx:
            spending.save(tx)
            raise Broken

    with pytest.raises(Broken):
        write()
    with database.transaction() as tx:
        spending.save(tx)
    spending.saved()
    with database.connection() as connection:
        stored = budgets.load_budget(connection, spending.key)
    assert dict(stored.charged) == spending.budget.charged
    assert stored.offset_low_seconds is not None
    with database.transaction() as tx:
        spending.save(tx)  # and not a second time
    with database.connection() as connection:
        assert budgets.load_budget(connection, spending.key) == stored
