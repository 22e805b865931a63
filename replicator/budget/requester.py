"""Sends single requests under the budget, one after the other, for commands that ask the source beside the service.

Every attempt is charged before it is sent, to the same stored budget as the service's requests, and counts against a
strict maximum. A refusal (429) is waited out and is no error; a failed request is repeated once.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from replicator.budget.durable import DurableBudget, Limits, claim
from replicator.budget.rules import Completion
from replicator.errors import RateLimited, SourceError, SourceUnavailable, Stopped, UnreadableAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event

    from replicator.source.reading import Reading
    from replicator.store.database import Database

T = TypeVar("T")

PAUSE_SECONDS = 0.5
"""The pause before a failed request is repeated."""
WAIT_SLICE_SECONDS = 0.25


class SpentError(Exception):
    """The allowed number of requests is used up."""


class Requester:
    """Sends at most `most` requests, with one reader per key.

    Before each wait for the budget of a second or more, `on_wait` is called with the number of seconds.
    `on_request` is called with the number of requests so far and the most that are allowed.
    """

    def __init__(
        self,
        database: Database,
        readers: Sequence[tuple[str, Reading]],
        limits: Limits,
        most: int,
        account: str,
        clock: Callable[[], datetime],
        *,
        base_url: str,
        stop: Event | None = None,
        on_wait: Callable[[float], None] | None = None,
        on_request: Callable[[int, int], None] | None = None,
    ) -> None:
        self._database = database
        self._account = account
        self._base_url = base_url
        self._limits = limits
        self._is_claimed = False
        self._readers = [reader for _, reader in readers]
        self._key_budgets = [DurableBudget(database, account, key, limits) for key, _ in readers]
        self._clock = clock
        self._stop = stop
        self._on_wait = on_wait
        self._on_request = on_request
        self.most = most
        self.requests = 0
        self.sent_at = clock()
        """When the latest request was sent (our clock)."""

    @property
    def skew(self) -> timedelta:
        """How far the server's clock may be ahead of ours."""
        clocks = [
            key_budget.budget.clock.high for key_budget in self._key_budgets if key_budget.budget.clock is not None
        ]
        return max([timedelta(0), *clocks])

    def ask(self, do: Callable[[Reading], T]) -> T:
        """Send one request, and repeat it once if it fails. Raises SpentError where no more may be sent, or a
        SourceError: AnotherAccount, before the first request, where one of the keys is another account's.
        """
        if not self._is_claimed:
            claim(self._database, self._account, self._base_url, self._key_budgets, self._limits, self._clock())
            self._is_claimed = True
        has_failed = False
        while True:
            key = self._charged()
            sent_at = self.sent_at = self._clock()
            self.requests += 1
            if self._on_request is not None:
                self._on_request(self.requests, self.most)
            try:
                answer = do(self._readers[key])
            except SourceError as error:
                self._completed(key, sent_at, error.server_time, error)
                if isinstance(error, RateLimited):
                    continue
                if has_failed or not isinstance(error, SourceUnavailable | UnreadableAnswer):
                    raise
                has_failed = True
                self._sleep(PAUSE_SECONDS)
            else:
                self._completed(key, sent_at, getattr(answer, "server_time", None))
                return answer

    def _completed(
        self, key: int, sent_at: datetime, server_time: datetime | None, error: SourceError | None = None
    ) -> None:
        key_budget, now = self._key_budgets[key], self._clock()
        key_budget.completed([Completion(sent_at, now, server_time)])
        if isinstance(error, RateLimited):
            key_budget.refused(now, error)
        with self._database.transaction() as tx:
            key_budget.save(tx)
        key_budget.saved()

    def _charged(self) -> int:
        """Charge one request and return the number of the key that may send it now; wait until one may."""
        if self.requests >= self.most:
            raise SpentError
        while True:
            now = self._clock()
            for key, key_budget in enumerate(self._key_budgets):
                key_budget.load(now)  # a service may be using the same budget
                if key_budget.free(now) > 0 and key_budget.charge(now, 1):
                    if self._clock() < key_budget.budget.closes_at(now):
                        return key
                    key_budget.completed([Completion(now, now, None)])  # the window closed meanwhile: not sent
            opens_at = min(key_budget.budget.opens_at(now) for key_budget in self._key_budgets)
            seconds = (opens_at - now).total_seconds()
            if self._on_wait is not None and seconds >= 1:
                self._on_wait(seconds)
            self._sleep(seconds)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._stop is None:
                time.sleep(left)
            elif self._stop.wait(min(left, WAIT_SLICE_SECONDS)):
                break
        if self._stop is not None and self._stop.is_set():
            raise Stopped("stopped by a signal; nothing was stored")


__all__ = ["Requester", "SpentError"]
