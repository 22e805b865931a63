"""What the decision about the next request rests on, and what an answer makes of it. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.sync.coverage.ledger import DEFAULT_POLICY, Interval, Ledger, Piece, RenewalPolicy
from replicator.sync.coverage.page import PAGE_LIMIT, Lane

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.budget.run_bound import Bound
    from replicator.sync.coverage.full_scan import FullScan
    from replicator.sync.coverage.partitions import Partitioning
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.deletions.bisect import Search

MOST_LIST_REQUESTS = 2
"""List requests in flight at once: the head and one deep page. Each page is aimed by the one before."""


@dataclass(frozen=True, slots=True)
class State:
    """All that the decision what to do next depends on, except the time."""

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
    search: Search | None = None
    """What is left of the search for where replica and source differ in membership."""
    searches: int = 0
    """Searches that this run has begun."""
    renew_before: datetime | None = None
    """Where set, everything that was compared before this is due: a whole pass, because searching would be dearer."""
    unreadable: Interval | None = None
    """The newest stretch that is known to hold a row that cannot be read, and was looked at lately."""
    clear: int = PAGE_LIMIT
    """So many rows of the list come before it, as far as is known; pages from above end there."""
    is_identified: bool = True
    """The source has shown that it is the one that is stored; until then only its first page is asked for."""
    scan: FullScan | None = None
    scanned_at: datetime | None = None
    """When whole passes over an unsorted list last came to an end."""
    in_flight: Mapping[Lane, int] = field(default_factory=dict)
    head_in_flight: bool = False
    open_calls: tuple[datetime, ...] = ()
    """created_at of calls that have not ended, oldest first."""
    most_pages: int = MOST_LIST_REQUESTS
    """So many list requests may be in flight at once."""
    details: Mapping[Lane, int] = field(default_factory=dict)
    """Details that are due and at hand, by lane."""
    spent: Mapping[Lane, float] = field(default_factory=dict)
    renews: bool = True
    left: Mapping[datetime, datetime] = field(default_factory=dict)
    """The upper ends of holes in which every page fails, and until when each of them is left alone."""
    bound: Bound | None = None
    """How many requests the run may make, whatever comes; None: as many as it likes."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A hole worth a walk."""

    lane: Lane
    hole: Interval


@dataclass(frozen=True, slots=True)
class Absorbed:
    """The state after an answer, and what it proved."""

    state: State
    pieces: tuple[Piece, ...] = ()
