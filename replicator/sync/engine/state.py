"""The planner's state: everything on which the decision about the next request depends. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.sync.coverage.ledger import (
    DEFAULT_POLICY,
    EVERYTHING,
    TICK,
    Interval,
    Ledger,
    Piece,
    RenewalPolicy,
)
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.engine.credit import Credit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.budget.run_bound import Bound
    from replicator.sync.coverage.full_scan import FullScan
    from replicator.sync.coverage.partitions import Partitioning
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.deletions.bisect import Search
    from replicator.sync.engine.credit import Rest

MOST_LIST_REQUESTS = 2
"""The most list requests in flight at once: the head and one deep page. Each page depends on the answer to the one
before.
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A stretch to be compared with the source now: all of it that was last compared before an instant.

    An operator asks for it (`sync --full`), or a search has found more differences than a whole pass costs.
    """

    before: datetime
    within: Interval = EVERYTHING

    def left(self, ledger: Ledger) -> Interval | None:
        """Return the newest part that is still to be compared; None where there is none."""
        return ledger.last_compared_before(self.before, self.within)


@dataclass(frozen=True, slots=True)
class Left:
    """A stretch in which every page fails: first at `first_failed_at`, last at `failed_at`. It is left alone until
    `until`.
    """

    hole: Interval
    failed_at: datetime
    until: datetime
    first_failed_at: datetime


@dataclass(frozen=True, slots=True)
class State:
    """Everything on which the next decision depends, except the time."""

    ledger: Ledger
    policy: RenewalPolicy = DEFAULT_POLICY
    poll_every: timedelta = timedelta(seconds=60)
    begun_at: datetime | None = None
    """When this run began."""
    head_asked_at: datetime | None = None
    """When the head was last asked in this run."""
    walks: Mapping[Lane, Walk] = field(default_factory=dict)
    partitioning: Partitioning | None = None
    """What is being read through filters."""
    sliced_at: datetime | None = None
    """When a capped list was last read through filters."""
    capped_at: int | None = None
    """The total at which the list is capped, where what lies behind could be proven: it does not count the calls."""
    search: Search | None = None
    """The search for calls that only the replica or only the source has, while one goes on."""
    searches: int = 0
    """The number of searches that this run has begun."""
    comparison: Comparison | None = None
    """What is to be compared now, whatever the renewal policy says."""
    credit: Credit = field(default_factory=Credit)
    """Requests that may re-read what was compared longest ago."""
    rest: Rest | None = None
    """What the previous run compared is not re-read on credit yet."""
    unreadable: Interval | None = None
    """The newest stretch that is known to hold an unreadable row and was looked at lately."""
    clear: int = PAGE_LIMIT
    """How many rows of the list come before that row, as far as is known; pages that begin above it end there."""
    is_identified: bool = True
    """The source has shown that it is the stored one. Before that, only its first page and stored calls by id are asked
    for.
    """
    scan: FullScan | None = None
    scanned_at: datetime | None = None
    """When whole passes over an unsorted list last came to an end."""
    in_flight: Mapping[Lane, int] = field(default_factory=dict)
    head_in_flight: bool = False
    open_calls: tuple[datetime, ...] = ()
    """created_at of calls that have not ended, oldest first."""
    most_pages: int = MOST_LIST_REQUESTS
    """The most list requests that may be in flight at once."""
    details: Mapping[Lane, int] = field(default_factory=dict)
    """Requests by id that could be sent: due details in memory, and probes (lane CONFIRM), by lane."""
    spent: Mapping[Lane, float] = field(default_factory=dict)
    renews: bool = True
    """The renewal policy and the credit are followed: not where an operator asks for one stretch only."""
    left: Mapping[datetime, Left] = field(default_factory=dict)
    """{upper end of a stretch in which every page fails: the stretch}."""
    bound: Bound | None = None
    """How many requests the run may make, whatever the source answers; None: no limit."""


def failing(state: State) -> list[Left]:
    """Return the stretches in which every page failed and whose upper end was not read since, newest first."""
    found = []
    for left in state.left.values():
        piece = state.ledger.at(min(left.hole.until, state.ledger.top) - TICK) if state.ledger.pieces else None
        if piece is None or piece.verified_at <= left.failed_at:
            found.append(left)
    return sorted(found, key=lambda left: left.hole.until, reverse=True)


@dataclass(frozen=True, slots=True)
class Goal:
    """A hole for which a walk is to be started."""

    lane: Lane
    hole: Interval


@dataclass(frozen=True, slots=True)
class Absorbed:
    """The state after an answer, and what it proved."""

    state: State
    pieces: tuple[Piece, ...] = ()
