"""Asks the source for a new link to a recording, as the lowest lane of the request budget.

Other work comes first: a renewal waits until half of a window's requests are free, unless the vendor deletes the
recording soon (queue_rules.renewal_reserve). One renewal is under way at a time. Raises FetchError with a reason.
"""

from __future__ import annotations

import threading
from math import inf
from typing import TYPE_CHECKING

from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.queue_rules import Reason, renewal_reserve
from replicator.budget.durable import DurableBudget, claim
from replicator.budget.rules import Completion
from replicator.errors import AccessRefused, NotFound, RateLimited, SourceError
from replicator.store import stored_details

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.budget.durable import Limits
    from replicator.records import Recording
    from replicator.source.reading import Answered, Reading
    from replicator.store.database import Database

    Readers = Sequence[tuple[str, Reading]]
    """Pairs of a key and a reader that uses it."""

LONGEST_WAIT_SECONDS = 0.5
MOST_FAILURES = 5
"""After so many failures of the source in a row, no more links are asked for in this run."""


class Renewer:
    """Renews links of one account. It is shared by the threads of a run. `most` is how many requests it may send."""

    def __init__(
        self,
        database: Database,
        readers: Readers,
        limits: Limits,
        account: str,
        *,
        base_url: str,
        clock: Callable[[], datetime],
        stop: threading.Event,
        most: int | None = None,
    ) -> None:
        self._database = database
        self._readers = [reader for _, reader in readers]
        self._budgets = [DurableBudget(database, account, key, limits) for key, _ in readers]
        self._limits = limits
        self._account = account
        self._base_url = base_url
        self._clock = clock
        self._stop = stop
        self._most = most
        self._lock = threading.Lock()
        self._is_claimed = False
        self._failures = 0
        self.requests = 0
        self.refusal: SourceError | None = None
        """The error for which no more links are asked for."""

    @property
    def can_ask(self) -> bool:
        """Whether the source may still be asked in this run."""
        return self.refusal is None and (self._most is None or self.requests < self._most)

    def renew(self, call_id: UUID, deadline_at: datetime | None, is_stopped: Callable[[], bool]) -> str:
        """Return a new link, which is stored, too. Raises FetchError: the source has no recording, or cannot be asked."""
        with self._lock:
            while True:
                if not self.can_ask:
                    raise FetchError(Reason.SOURCE_FAILED)
                key = self._charged(deadline_at, is_stopped)
                asked_at = self._clock()
                self.requests += 1
                found = self._answer(key, call_id, asked_at)
                if found is None:
                    continue  # refused for now (429): the budget knows until when
                with self._database.transaction() as tx:
                    stored_details.renew_recording_url(
                        tx, call_id, found.value.recording_url, found.value.url_expires_at, asked_at
                    )
                return found.value.recording_url

    def _answer(self, key: int, call_id: UUID, asked_at: datetime) -> Answered[Recording] | None:
        budget = self._budgets[key]
        server_time = None
        try:
            answer = self._readers[key].get_recording(call_id)
        except RateLimited as error:
            budget.refused(self._clock(), error)
            return None
        except NotFound as error:
            self._failures, server_time = 0, error.server_time
            raise FetchError(Reason.NO_LINK) from None
        except SourceError as error:
            self._failures += 1
            server_time = error.server_time
            if isinstance(error, AccessRefused) or self._failures >= MOST_FAILURES:
                self.refusal = error
            raise FetchError(Reason.SOURCE_FAILED) from None
        else:
            self._failures, server_time = 0, answer.server_time
            return answer
        finally:
            budget.completed([Completion(asked_at, self._clock(), server_time)])
            with self._database.transaction() as tx:
                budget.save(tx)
            budget.saved()

    def _charged(self, deadline_at: datetime | None, is_stopped: Callable[[], bool]) -> int:
        """Charge one request and return the number of the key that may send it now; wait until one may."""
        if not self._is_claimed:
            claim(self._database, self._account, self._base_url, self._budgets, self._limits, self._clock())
            self._is_claimed = True
        while True:
            now = self._clock()
            for key, budget in enumerate(self._budgets):
                budget.load(now)  # the sync uses the same budget
                reserve = renewal_reserve(budget.budget.limit, deadline_at, now)
                if budget.free(now) > 0 and _uncharged(budget, now) > reserve and budget.charge(now, 1):
                    return key
            if is_stopped() or self._stop.wait(LONGEST_WAIT_SECONDS):
                raise FetchError(Reason.STOPPED)


def _uncharged(budget: DurableBudget, now: datetime) -> float:
    """Return how many requests of the present window nobody has charged. Until the first answer has shown when windows
    begin, only one request is free at a time, however many are not charged.
    """
    state = budget.budget
    if state.limit is None:
        return inf
    return state.limit - max(state.charged.get(window, 0) for window in state.windows(now))


__all__ = ["Renewer"]
