"""Decides what an answer or a failure means for the run: take it, ask again, narrow the page, or end. No I/O.

The difficulty is to distinguish a page that always fails from a source that fails. One failure cannot show which it is.
So failed pages are narrowed (coverage/narrowing.py steps over a row only on evidence), and pauses grow. The run ends
when a source that never answered has failed several times, or one that did answer fails for longer than any rate
window.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from replicator.errors import (
    AccessRefused,
    Forbidden,
    NotFound,
    NotTheApi,
    RateLimited,
    RequestRefused,
    SourceError,
    UnreadableAnswer,
)
from replicator.sync.engine.throttle import Throttle

if TYPE_CHECKING:
    from replicator.store.rows import Kind
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.protocol.requests import Outcome

FIRST_TRIES = 3
"""Attempts at a source that has not answered once in this run, while no connection can be made."""
FIRST_ANSWERS = 18
"""Attempts while it sends only errors: enough to narrow a page to the row that makes it fail."""
PATIENCE = timedelta(seconds=150)
"""How long a source that did answer may fail before the run ends: more than two rate windows."""
REFUSED_PATIENCE = timedelta(hours=1)
"""How long a run waits while the source only refuses requests (429): longer than any rate window except a day's."""
LONGEST_PAUSE_SECONDS = 20.0
PROVIDER_ERROR = "provider_error"
"""The API's code for a fault of the telephony provider behind it (502)."""
PROVIDER_TRIES = 5
"""The number of consecutive faults of a provider after which its kind of detail is not asked for, for some time."""
FIRST_CIRCUIT = timedelta(seconds=30)
LONGEST_CIRCUIT = timedelta(minutes=30)


class Verdict(Enum):
    """What to do with an outcome."""

    TAKEN = "taken"  # its rows, or that it is absent, are committed
    REFUSED = "refused"  # 429: asked again when the budget allows
    AGAIN = "again"  # not sent, or failed for the first time
    BROKEN = "broken"  # the page is narrowed down
    FATAL = "fatal"  # its error ends the run


@dataclass(slots=True)
class Judge:
    """What is known about the source's failures in this run."""

    answers: int = 0
    failures: int = 0
    """Failures since the last answer."""
    has_spoken: bool = False
    """Since the last answer the source sent an HTTP error: so it can be reached, even if it then
    closes the connection.
    """
    failing_since: datetime | None = None
    refused_since: datetime | None = None
    """When the first refusal (429) since the last answer came."""
    resume_at: datetime | None = None
    """No request is sent before this time."""
    provider_faults: Counter[Kind] = field(default_factory=Counter)
    """Faults of the provider of a kind of detail, since a detail of this kind was last received."""
    closed_until: dict[Kind, datetime] = field(default_factory=dict)
    throttle: Throttle = field(default_factory=Throttle)
    """How closely pages may follow each other."""

    def judge(self, outcome: Outcome, now: datetime) -> Verdict:
        """Say what an outcome means, and remember it."""
        error, request = outcome.error, outcome.request
        walk = request.walk
        is_list = walk is not None
        if not outcome.is_sent:
            return Verdict.AGAIN
        if error is None or (not is_list and isinstance(error, NotFound | Forbidden)):
            if request.detail is not None and error is None:
                self.provider_faults[request.detail.kind] = 0
            self.answers, self.failures, self.failing_since, self.resume_at = self.answers + 1, 0, None, None
            self.has_spoken, self.refused_since = False, None
            if walk is not None:
                self.throttle.answered(walk, now)
            return Verdict.TAKEN
        if isinstance(error, RateLimited):
            self.refused_since = self.refused_since or now
            return Verdict.FATAL if now - self.refused_since > REFUSED_PATIENCE else Verdict.REFUSED
        if isinstance(error, AccessRefused) or (isinstance(error, NotTheApi) and not self.answers):
            return Verdict.FATAL
        if isinstance(error, RequestRefused | NotFound) and not is_list:
            return Verdict.TAKEN
        if (
            isinstance(error, RequestRefused)
            and walk is not None
            and not (self.answers and (walk.offset or walk.filter))
        ):
            return Verdict.FATAL  # even the first page without filters, or any page before the first answer, is refused
        if not is_list and isinstance(error, UnreadableAnswer):
            return Verdict.TAKEN
        if request.detail is not None and error.code == PROVIDER_ERROR:
            # The source works, and reports that a provider behind it does not: only this kind of detail is stopped.
            self._circuit(request.detail.kind, now)
            return Verdict.TAKEN
        self._back_off(error, now)
        if self._is_hopeless(now):
            return Verdict.FATAL
        return Verdict.TAKEN if walk is None else self._of_page(error, walk, now)

    def is_open(self, kind: Kind, now: datetime) -> bool:
        """Say whether details of this kind may be asked for: not for some time after their provider
        failed repeatedly.
        """
        return now >= self.closed_until.get(kind, now)

    def _circuit(self, kind: Kind, now: datetime) -> None:
        self.provider_faults[kind] += 1
        beyond = self.provider_faults[kind] - PROVIDER_TRIES
        if beyond >= 0:
            self.closed_until[kind] = now + min(LONGEST_CIRCUIT, FIRST_CIRCUIT * 2 ** min(beyond, 10))

    def _of_page(self, error: SourceError, walk: Walk, now: datetime) -> Verdict:
        """Narrow a page after it has failed often enough, or at once where an answer came that cannot be read."""
        is_clear = isinstance(error, UnreadableAnswer)
        return Verdict.BROKEN if self.throttle.failure(walk, now) or is_clear else Verdict.AGAIN

    def _back_off(self, error: SourceError, now: datetime) -> None:
        self.failures += 1
        self.has_spoken = self.has_spoken or error.status is not None
        self.failing_since = self.failing_since or now
        pause = min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(self.failures, 10))
        if self.has_spoken and self.failures <= FIRST_ANSWERS:
            # The source answers, so the cause may be one page, which is narrowed without long waits.
            pause = 0.05 * self.failures
        self.resume_at = now + timedelta(seconds=pause)

    def _is_hopeless(self, now: datetime) -> bool:
        if not self.answers:
            return self.failures >= (FIRST_ANSWERS if self.has_spoken else FIRST_TRIES)
        return self.failing_since is not None and now - self.failing_since > PATIENCE
