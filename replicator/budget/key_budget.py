"""The budget of one key as the engine sees it: what may be sent now, and what is learned from answers. Pure.

The rules are those of budget/rules.py. Charges that are not stored yet are *owed*: the owner (budget/durable.py) stores
them with the next batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.budget.rules import Budget, ClockOffset, with_headroom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from replicator.budget.rules import Completion
    from replicator.errors import RateLimited

LEARNED_LIMIT_AGE = timedelta(days=1)
CLOCK_SLACK = timedelta(seconds=1)
ENOUGH = 1_000_000
"""The number of requests that may be sent where the source has no limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's settings for a key: requests per window (None: no limit), and the share (0 to 1) left to other
    programs.
    """

    per_window: int | None = 100
    window_seconds: float = 60.0
    headroom: float = 0.05

    @property
    def ours(self) -> int | None:
        return None if self.per_window is None else with_headroom(self.per_window, self.headroom)

    @property
    def ours_a_minute(self) -> float | None:
        """How many requests we may send each minute; None: no limit."""
        return None if self.ours is None else self.ours * 60 / self.window_seconds


class KeyBudget:
    """The budget of one key. The engine reads it and passes answers to it; its owner charges it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._owed: dict[int, int] = {}
        self.budget = Budget(limits.ours, limits.window_seconds)

    def recall(
        self,
        now: datetime,
        charged: Mapping[int, int],
        clock: ClockOffset | None,
        not_before: datetime | None,
        limit: int | None,
    ) -> None:
        """Take over the stored state of this key: at the start, and when another process has charged requests to it or was
        refused. What is owed, and what was learned from a refusal of our own, counts as well: it is not stored yet.
        """
        known = self.budget.clock
        if known is None and clock is not None:
            # Our clock may have been changed since, so until an answer comes, the stored offset is used only to number
            # the windows.
            known = ClockOffset(clock.low - CLOCK_SLACK, clock.high + CLOCK_SLACK)
        ours = self._limits.ours
        for refused_at, learned in ((not_before, limit), (self.budget.not_before, self.budget.limit)):
            # A limit learned from a 429 is used for a day, because the source may also raise its limits.
            is_recent = refused_at is not None and now - refused_at < LEARNED_LIMIT_AGE
            if ours is not None and learned is not None and is_recent:
                ours = min(ours, learned)
        is_believed = not_before is not None and not_before <= self.budget.latest_refusal(now)
        refusals = [one for one in (not_before if is_believed else None, self.budget.not_before) if one is not None]
        with_owed = {**charged, **{window: charged.get(window, 0) + count for window, count in self._owed.items()}}
        self.budget = replace(
            self.budget, charged=with_owed, clock=known, not_before=max(refusals, default=None), limit=ours
        )

    def assume_lost(self, now: datetime, requests: int) -> None:
        """Charge the requests that a killed process may have had in flight: they can arrive in this
        window or the next.
        """
        if self.budget.limit is None:
            return
        windows = self.budget.windows(now, now + timedelta(seconds=self.budget.window_seconds))
        self._owe(dict.fromkeys(windows, min(requests, self.budget.limit)))

    @property
    def a_minute(self) -> float | None:
        """How many requests may be sent each minute, as far as is known now; None: no limit."""
        return None if self.budget.limit is None else self.budget.limit * 60 / self.budget.window_seconds

    def free(self, now: datetime) -> int:
        """Return how many requests may be sent now."""
        allowance = self.budget.allowance(now)
        return ENOUGH if allowance is None else allowance

    def spare(self, now: datetime) -> int:
        """Return how many of the free requests may be used for work that can wait."""
        spare = self.budget.spare(now)
        return ENOUGH if spare is None else spare

    def charge(self, now: datetime, requests: int) -> bool:
        """Charge requests that are about to be sent. False where that is not possible: then look again what is free."""
        self.budget = self.budget.charge(now, requests)
        return True

    def completed(self, answers: Sequence[Completion]) -> None:
        """Record answers, and requests that were not sent after all (they stay charged)."""
        before = self.budget.charged
        self.budget = self.budget.completed(*answers)
        self._owed_since(before)

    def refused(self, now: datetime, error: RateLimited) -> None:
        """Record a 429."""
        reset_at = error.reset_at
        if reset_at is None and error.retry_after_seconds is not None:
            clock = self.budget.clock
            reset_at = now + timedelta(seconds=error.retry_after_seconds) + (clock.low if clock else timedelta(0))
        self.budget = self.budget.refused(now, reset_at, error.limit, self._limits.headroom)

    def take_owed(self) -> dict[int, int]:
        """Return {window: charged requests that are not stored yet}, and count them as stored from now on."""
        owed, self._owed = self._owed, {}
        return owed

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


def a_minute(key_budgets: Sequence[KeyBudget]) -> float | None:
    """Return how many requests all keys together may send each minute; None where one of them has no limit."""
    known = [one.a_minute for one in key_budgets if one.a_minute is not None]
    return sum(known) if len(known) == len(key_budgets) else None
