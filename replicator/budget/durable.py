"""One key's budget, stored in the database: the pure rules of key_budget.py with the tables of store/budgets.py.

A charge is committed before its requests are sent, so no request is forgotten if the process is killed. What is learned
only from answers (the clocks, a lower limit, when a refusal ends) is saved with the next batch.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from replicator.budget.key_budget import LEARNED_LIMIT_AGE, KeyBudget, Limits
from replicator.budget.rules import ClockOffset
from replicator.store import accounts, budgets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from replicator.store.database import Database


class DurableBudget(KeyBudget):
    """The budget of one key of an account; it changes over time."""

    def __init__(self, database: Database, account: str, key: str, limits: Limits) -> None:
        super().__init__(limits)
        self._database = database
        self.key = budgets.BudgetKey(account, budgets.key_id(key))
        self._offsets: tuple[float | None, float | None] = (None, None)
        """The offset of the clocks as it is stored."""
        self._now: datetime | None = None
        """When this budget was last loaded or charged."""
        self._saved: budgets.BudgetRow | None = None
        self._written: budgets.BudgetRow | None = None

    def load(self, now: datetime) -> None:
        """Read the stored budget: at the start, and again when another process has charged requests to it."""
        self._now = now
        with self._database.connection() as connection:
            row = budgets.load_budget(connection, self.key)
        low, high = self._offsets = row.offset_low_seconds, row.offset_high_seconds
        clock = None
        if low is not None and high is not None:
            clock = ClockOffset(timedelta(seconds=low), timedelta(seconds=high))
        self.recall(now, row.charged, clock, row.not_before, row.request_limit)

    def charge(self, now: datetime, requests: int) -> bool:
        """Charge requests that are about to be sent. False where another process was faster, or was refused: then look again
        what is free.
        """
        budget, self._now = self.budget, now
        if budget.limit is not None:
            # What straddles a border is stored with its answers, and the others do not know of it before.
            wanted = {window: (requests, budget.limit - budget.straddling(window)) for window in budget.windows(now)}
            charges = budgets.Charges(wanted, budget.oldest_kept(now), now, budget.latest_refusal(now))
            if not budgets.charge(self._database, self.key, charges):
                self.load(now)
                return False
        return super().charge(now, requests)

    def save(self, tx: psycopg.Connection[Any]) -> None:
        """Write what was learned since the last call, in this transaction. After its commit, `saved` must be called. The offset
        of the clocks stays as it is stored until an answer has shown it: what is in memory before that is wider. A refusal
        that another process has stored stays, too.

        If the transaction fails, the next call writes all of it again.
        """
        if self._owed:
            budgets.add_charges(tx, self.key, self._owed)
        low, high = self._offsets
        if self.budget.is_clock_seen and self.budget.clock is not None:
            low = floor(self.budget.clock.low.total_seconds() * 10) / 10
            high = ceil(self.budget.clock.high.total_seconds() * 10) / 10
        learned = self.budget.limit if self.budget.limit != self._limits.ours else None
        row = budgets.BudgetRow(learned, self.budget.not_before, low, high, charged={})
        if row != self._saved:
            now = self._now or datetime.now(UTC)
            # Not only up to the latest refusal that is believed: `_now` may lie back by as long as this run waited.
            kept = budgets.Kept(now - LEARNED_LIMIT_AGE, now + LEARNED_LIMIT_AGE)
            budgets.save_budget(tx, self.key, self._limits.window_seconds, row, kept)
        self._written = row

    def saved(self) -> None:
        """Record that what `save` last wrote is committed."""
        self.take_owed()
        self._saved = self._written

    def restore(self, tx: psycopg.Connection[Any]) -> None:
        """Write the known charges again, after the database was set back to an earlier state."""
        if self.budget.limit is not None:
            budgets.restore_charges(tx, self.key, self.budget.charged)


def claim(
    database: Database, account: str, base_url: str, keys: Sequence[DurableBudget], limits: Limits, now: datetime
) -> None:
    """Record that an account uses these keys, before its first request.

    Raises AnotherAccount where one of them belongs to another account: one key with two budgets would exceed its limit.
    """
    with database.transaction() as tx:
        accounts.claim_keys(tx, account, base_url, [one.key.key_id for one in keys], limits.window_seconds, now)


__all__ = ["DurableBudget", "Limits", "claim"]
