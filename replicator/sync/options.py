"""What a run is given and what it reports. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.budget.key_budget import Limits
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import DEFAULT_POLICY, RenewalPolicy
from replicator.sync.protocol.results import Result, Why

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.store import runs
    from replicator.sync.pseudonyms import Pseudonyms


WAITS = {
    Why.ANSWERS: "",
    Why.BUDGET: "the request budget is used up",
    Why.FAILING: "the source fails",
}
"""The words in which a terminal shows why a run waits."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decides about a run."""

    account: str = "default"
    base_url: str = ""
    command: str = "sync"
    workers: int = 8
    poll_every: timedelta = timedelta(seconds=60)
    renewal: RenewalPolicy = DEFAULT_POLICY
    details: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    confirm_after: timedelta = timedelta(minutes=10)
    """The least time between the two answers that confirm a deletion."""
    is_same_account: bool = False
    """The operator vouches that the source is the stored one, although it may know none of the stored calls."""
    database_patience_seconds: float = 60.0
    """How long the run waits for an unavailable database, at its start and later."""
    pseudonyms: Pseudonyms | None = None
    """Makes the pseudonyms of phone numbers; None: no pseudonyms are stored."""
    max_seconds: float | None = None
    max_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has done so far, and what it knows is left to do."""

    counters: runs.Counters
    total: int | None
    """The number of calls that the source reports."""
    due_details: int
    requests_in_flight: int
    waits_until: datetime | None
    """If set: the budget or a failing source keeps the run waiting until then (our clock)."""
    reason: Why = Why.ANSWERS

    @property
    def why(self) -> str:
        """Return why the run waits; an empty string where it only waits for answers."""
        return WAITS[self.reason]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    result: Result
    counters: runs.Counters
    seconds: float
    details_due: int
    details_waiting: int
    """Details that are queued for later, because the source does not have them yet."""
    is_listing_complete: bool
    """Every call of the list was compared with the source."""
    next_due_at: datetime | None
    suspected: int = 0
    """Calls that are missing at the source and not yet confirmed as deleted."""
    is_held: bool = False
    """The suspected calls exceed the cap, so an operator has to release them before they are confirmed."""
    unfinished: str = ""
    """What was not read to its end, and so is not proven, when the run ended by itself; empty if nothing."""


__all__ = ["WAITS", "Options", "Progress", "Report", "Result", "Why"]
