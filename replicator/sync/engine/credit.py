"""Renewal credit: how many requests may re-read what was compared longest ago, beyond what the schedule demands. Pure.

The source does not say what has changed. The renewal policy compares each call again after a time that depends on its
age; that is the upper bound of the delay. Credit makes it shorter with requests that nothing more valuable wants. It
accrues with time, as a share of the request budget, up to the requests of one whole pass over the list. So a service
re-reads all the time, and an hourly `sync` re-reads what the hour has paid for. The credit is stored with each commit.
A killed run loses what it spent since then, which costs nothing but requests: the request budget is charged apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.sync.coverage.walk import SLACK

if TYPE_CHECKING:
    from datetime import datetime

NEW_ROWS_A_PAGE = PAGE_LIMIT - 1 - SLACK
"""Rows of a page that do not overlap with the page before."""
DEFAULT_SHARE = 0.3
UNLIMITED = 6000.0
"""Requests a minute of which credit accrues where the source has no limit: a hundred a second."""
LONGEST_GRAIN = timedelta(days=9)
"""A tenth of the longest time between two looks by the policy as it comes."""


EXTRA = 50
"""Requests of a pass beside its pages: to find the places where it begins, to prove the list's end, and to narrow the
pages around rows that cannot be read.
"""


def one_pass(calls: int) -> int:
    """Return how many requests one pass over a list of so many calls takes."""
    return -(-max(0, calls) // NEW_ROWS_A_PAGE) + EXTRA


@dataclass(frozen=True, slots=True)
class Credit:
    """The credit of an account: `requests` as of `at`. `share` (0 to 1) of the budget is added with time."""

    share: float = DEFAULT_SHARE
    requests: float = 0.0
    at: datetime | None = None

    @property
    def is_any(self) -> bool:
        """Say whether one more request may be made."""
        return self.requests >= 1

    def accrued(self, now: datetime, requests_a_minute: float | None, calls: int) -> Credit:
        """Return the credit as of now. `requests_a_minute` is the whole budget; None where the source has no limit: then
        UNLIMITED stands for it, because also such a source is not to be read all the time.
        """
        if self.at is not None and now < self.at:
            return replace(self, at=now)  # a clock was set back: what was earned stays, and nothing is added
        if now == self.at:
            return self
        rate = UNLIMITED if requests_a_minute is None else requests_a_minute
        seconds = 0.0 if self.at is None else (now - self.at).total_seconds()
        earned = self.requests + self.share * rate * seconds / 60
        return replace(self, requests=min(earned, one_pass(calls) if self.share > 0 else 0), at=now)

    def spent(self, requests: int) -> Credit:
        """Return the credit after requests for renewal were sent. What the schedule demands may cost more than there is."""
        return replace(self, requests=max(0.0, self.requests - requests))


def grain(requests_a_minute: float | None, share: float, calls: int, poll_every: timedelta) -> timedelta:
    """Return how far apart looks may be to be joined in the ledger: a tenth of the time that one pass on credit takes.

    With more, a stretch that was re-read would take the older time of its neighbour, and would be re-read again. With
    much less, the ledger would have many pieces.
    """
    least = poll_every / 2
    if not requests_a_minute or share <= 0:
        return least
    minutes = one_pass(calls) / (share * requests_a_minute) / 10
    return max(least, min(LONGEST_GRAIN, timedelta(minutes=min(minutes, 10**6))))


@dataclass(frozen=True, slots=True)
class Rest:
    """What the previous run compared is left alone until shortly after its end, however long the run took."""

    since: datetime
    """When the previous run began."""
    until: datetime
    """One polling interval after its end."""


def stale_before(
    now: datetime, poll_every: timedelta, begun_at: datetime | None = None, rest: Rest | None = None
) -> datetime:
    """Return the instant before which a stretch must have been compared last, to be read again on credit.

    Nothing is compared again on credit within one polling interval, by the same run, or right after the previous one.
    """
    before = now - poll_every
    if begun_at is not None:
        before = min(before, begun_at)
    if rest is not None and now < rest.until:
        before = min(before, rest.since)
    return before
