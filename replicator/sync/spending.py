"""One key's budget in use: the pure books of source/budget.py, kept in the database by store/books.py.

A charge is committed before the requests are sent, so a killed process forgets none of them; what only the answers
teach (the clocks, a lower limit, when a refusal ends) is saved with the next batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from replicator.source.budget import Budget, ClockOffset, with_headroom
from replicator.store import books

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import psycopg

    from replicator.errors import RateLimited
    from replicator.source.budget import Landing
    from replicator.store.database import Database

LEARNED_LIMIT_AGE = timedelta(days=1)
ENOUGH = 1_000_000
"""How many requests may be sent where the source has no limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator says of one key: requests per window (None: no limit), and the share left to others."""

    per_window: int | None = 100
    window_seconds: float = 60.0
    headroom: float = 0.05

    @property
    def ours(self) -> int | None:
        return None if self.per_window is None else with_headroom(self.per_window, self.headroom)

    @property
    def ours_a_minute(self) -> float | None:
        """What we allow ourselves a minute."""
        return None if self.ours is None else self.ours * 60 / self.window_seconds


class Spending:
    """The budget of one key of an account, over time."""

    def __init__(self, database: Database, account: str, key: str, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self.key = books.BudgetKey(account, books.key_id(key))
        self._owed: dict[int, int] = {}
        self._saved: books.BudgetRow | None = None
        self.budget = Budget(limits.ours, limits.window_seconds)

    def load(self, now: datetime) -> None:
        """Read the books again: at the start, and when another process has charged them meanwhile."""
        with self._database.connection() as connection:
            row = books.load_budget(connection, self.key)
        clock = self.budget.clock
        if clock is None and row.offset_low_seconds is not None and row.offset_high_seconds is not None:
            # Our clock may have been set since: the stored offset only helps to name the windows until an answer comes.
            clock = ClockOffset(
                timedelta(seconds=row.offset_low_seconds - 1), timedelta(seconds=row.offset_high_seconds + 1)
            )
        limit = self._limits.ours
        # What a 429 taught is believed for a day: limits are raised, too.
        is_recent = row.not_before is not None and now - row.not_before < LEARNED_LIMIT_AGE
        if limit is not None and row.request_limit is not None and is_recent:
            limit = min(limit, row.request_limit)
        self.budget = replace(
            self.budget,
            charged=row.charged,
            clock=clock,
            not_before=row.not_before or self.budget.not_before,
            limit=limit,
        )

    def assume_lost(self, now: datetime, requests: int) -> None:
        """Charge what a killed process may have had in flight: it can still arrive, in this window or the next."""
        if self.budget.limit is None:
            return
        windows = self.budget.windows(now, now + timedelta(seconds=self.budget.window_seconds))
        self._owe(dict.fromkeys(windows, min(requests, self.budget.limit)))

    def free(self, now: datetime) -> int:
        """Return how many requests may be sent now."""
        allowance = self.budget.allowance(now)
        return ENOUGH if allowance is None else allowance

    def spare(self, now: datetime) -> int:
        """Return how many of them may be sent for what can wait."""
        spare = self.budget.spare(now)
        return ENOUGH if spare is None else spare

    def charge(self, now: datetime, requests: int) -> bool:
        """Charge requests that are about to be sent; False where another process was faster: look again."""
        if self.budget.limit is not None:
            windows = self.budget.windows(now)
            wanted = dict.fromkeys(windows, requests)
            oldest = self.budget.oldest_kept(now)
            if not books.charge(self._database, self.key, wanted, self.budget.limit, oldest):
                self.load(now)
                return False
        self.budget = self.budget.charge(now, requests)
        return True

    def landed(self, answers: Sequence[Landing]) -> None:
        """Take note of answers, and of requests that were not sent after all (they stay charged)."""
        before = self.budget.charged
        self.budget = self.budget.landed(*answers)
        self._owed_since(before)

    def refused(self, now: datetime, error: RateLimited) -> None:
        """Take note of a 429."""
        reset_at = error.reset_at
        if reset_at is None and error.retry_after_seconds is not None:
            clock = self.budget.clock
            reset_at = now + timedelta(seconds=error.retry_after_seconds) + (clock.low if clock else timedelta(0))
        self.budget = self.budget.refused(now, reset_at, error.limit, self._limits.headroom)

    def save(self, tx: psycopg.Connection[Any]) -> None:
        """Keep what was learned since the last time."""
        if self._owed:
            books.add_charges(tx, self.key, self._owed)
            self._owed = {}
        clock = self.budget.clock
        row = books.BudgetRow(
            self.budget.limit if self.budget.limit != self._limits.ours else None,
            self.budget.not_before,
            floor(clock.low.total_seconds() * 10) / 10 if clock else None,
            ceil(clock.high.total_seconds() * 10) / 10 if clock else None,
            charged={},
        )
        if row != self._saved:
            books.save_budget(tx, self.key, self._limits.window_seconds, row)
            self._saved = row

    def restore(self, tx: psycopg.Connection[Any]) -> None:
        """Charge again what a database that was set back has forgotten."""
        if self.budget.limit is not None:
            books.restore_charges(tx, self.key, self.budget.charged)

    def _owed_since(self, before: object) -> None:
        if self.budget.limit is None or not isinstance(before, dict):
            return
        for window, count in self.budget.charged.items():
            more = count - before.get(window, 0)
            if more > 0:
                self._owed[window] = self._owed.get(window, 0) + more

    def _owe(self, windows: dict[int, int]) -> None:
        charged = dict(self.budget.charged)
        for window, count in windows.items():
            charged[window] = charged.get(window, 0) + count
            self._owed[window] = self._owed.get(window, 0) + count
        self.budget = replace(self.budget, charged=charged)
