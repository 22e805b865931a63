"""What goes into a run and what comes out of it. Pure data."""

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
"""What keeps a run waiting, as it is shown."""


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
    """How far apart the two answers lie that confirm a deletion."""
    is_same_account: bool = False
    """The operator's word that the source is the one that is stored, though it may know none of the stored calls."""
    database_patience_seconds: float = 60.0
    """How long a database that is away is waited for, at the start and in the middle."""
    pseudonyms: Pseudonyms | None = None
    """What names parties without their numbers; None: nobody is named."""
    max_seconds: float | None = None
    max_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has done so far and what it knows to be left."""

    counters: runs.Counters
    total: int | None
    """Calls that the source says it has."""
    due_details: int
    requests_in_flight: int
    waits_until: datetime | None
    """Where set, the budget or a failing source keeps the run waiting until then (our clock)."""
    reason: Why = Why.ANSWERS

    @property
    def why(self) -> str:
        """Say what keeps the run waiting; nothing where it only waits for answers."""
        return WAITS[self.reason]


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    result: Result
    counters: runs.Counters
    seconds: float
    details_due: int
    details_waiting: int
    """Details that are queued for later: the source does not have them yet."""
    is_listing_complete: bool
    """Every call of the list was compared with the source."""
    next_due_at: datetime | None
    suspected: int = 0
    """Calls that are missing at the source and not confirmed as deleted yet."""
    is_held: bool = False
    """They are too many to be believed: the operator has to release them."""
    unfinished: str = ""
    """Where the run ended at its own bound: what did not come to an end, and so was not proven."""


__all__ = ["WAITS", "Options", "Progress", "Report", "Result", "Why"]
