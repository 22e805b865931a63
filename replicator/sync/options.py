"""What a run is given and what it reports. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from replicator.archive.payment.payment_rules import PaymentData
from replicator.budget.key_budget import Limits
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import DEFAULT_POLICY, RenewalPolicy
from replicator.sync.engine.credit import DEFAULT_SHARE
from replicator.sync.protocol.results import Gap, Result, Why

if TYPE_CHECKING:
    from datetime import date, datetime

    from replicator.archive.governance.restoring import Guard
    from replicator.store import runs
    from replicator.sync.pseudonyms import Pseudonyms


WAITS = {
    Why.ANSWERS: "",
    Why.BUDGET: "the request budget is used up",
    Why.FAILING: "the source fails",
}
"""The words in which a terminal shows why a run waits."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A stretch of days (of created_at, in the reporting time zone, both included; None: no bound) that is compared with
    the source now. `with_details` asks once more for its transcripts and recordings that are absent or given up.
    """

    since: date | None = None
    until: date | None = None
    with_details: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decides about a run."""

    account: str = "default"
    base_url: str = ""
    command: str = "sync"
    workers: int = 8
    poll_every: timedelta = timedelta(seconds=60)
    renewal: RenewalPolicy = DEFAULT_POLICY
    renewal_share: float = DEFAULT_SHARE
    """The share (0 to 1) of the request budget that may re-read what was compared longest ago."""
    asked: Asked | None = None
    """What the operator asks to have compared, and asked for again, now."""
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
    vendor_keeps: timedelta | None = None
    """How long the vendor keeps audio; None: the archive is off, and no recording is queued for download."""
    seals: bool = False
    """Whether what is stored is sealed in the archive, in the same transaction."""
    guard: Guard | None = None
    """Knows what was erased, and erases it again where a restored database has brought it back."""
    payment_data: PaymentData = PaymentData.KEEP
    """What is done with texts in which payment data is found, where `seals`."""
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
    """How a run ended, and what the replica is after it."""

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
    gaps: tuple[Gap, ...] = ()
    """What keeps the replica from being complete and proven; empty where it is both."""
    proven_at: datetime | None = None
    """As of when the replica is complete and proven: the source's newest calls were read then. None where it is not."""
    oldest_look_at: datetime | None = None
    """Each call was compared with the source at this time or later."""
    unfinished: str = ""
    """What was not read to its end, and so is not proven, when the run ended by itself; empty if nothing."""

    @property
    def is_complete(self) -> bool:
        """Say whether the replica is complete and proven."""
        return not self.gaps

    @property
    def last_line(self) -> str:
        """Say in words whether the replica is complete and proven, and if not, what is not and since when."""
        if self.proven_at is not None and self.is_complete:
            since, looked = self.oldest_look_at, ""
            if since is not None and since < self.proven_at:
                looked = f"; every call compared since {_instant(since)}"
            return f"complete and proven as of {_instant(self.proven_at)}{looked}"
        said = [gap.words + (f" (since {_instant(gap.since)})" if gap.since else "") for gap in self.gaps]
        return f"not complete: {'; '.join(said)}"


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


__all__ = ["WAITS", "Asked", "Gap", "Options", "Progress", "Report", "Result", "Why"]
