"""Makes the plan of an erasure or a disposal: for each call, what happens to it and why. Pure.

A dry run shows the plan, and a run performs it, call by call, from the same function: `verdict`. A run asks it again in
the transaction that erases the call, so a hold that was placed meanwhile counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicator.archive.governance.precedence import Decision, Facts, Reason, Retention, decide
from replicator.archive.governance.retention import Basis, KeptCall, RetentionClass, retain_until, term

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that is not released. It covers the calls that it names, and those that are all of what else it says."""

    name: str
    call_ids: frozenset[UUID] = frozenset()
    number_keys: frozenset[str] = frozenset()
    agent_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    """The end of the stretch, not included."""

    def covers(self, call: Candidate) -> bool:
        """Say whether the hold covers a call. A call whose time is unknown belongs to every stretch."""
        if call.id in self.call_ids:
            return True
        if not self.number_keys and self.agent_id is None and self.since is None and self.until is None:
            return False
        at = call.created_at
        return (
            (not self.number_keys or not self.number_keys.isdisjoint(call.number_keys))
            and self.agent_id in (None, call.agent_id)
            and (self.since is None or at is None or at >= self.since)
            and (self.until is None or at is None or at < self.until)
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the decision needs to know of a call. `ended_at` is when it ended, else when it was created or first seen."""

    id: UUID
    created_at: datetime | None
    ended_at: datetime
    direction: str | None = None
    agent_id: UUID | None = None
    campaign_id: str | None = None
    number_keys: frozenset[str] = frozenset()
    is_deleted_at_source: bool = False
    found_by: str = "call"


@dataclass(frozen=True, slots=True)
class Rules:
    """The holds that are not released, and the retention classes that bind."""

    holds: Sequence[Hold] = ()
    classes: Sequence[RetentionClass] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one call. `kept_by` names the hold or the class that keeps it."""

    call_id: UUID
    decision: Decision
    reason: Reason
    found_by: str
    kept_by: str | None = None
    kept_until: datetime | None = None

    @property
    def is_removal(self) -> bool:
        return self.decision is not Decision.KEEP


def verdict(call: Candidate, rules: Rules, now: datetime, *, is_erasure_asked: bool) -> Verdict:
    """Decide about one call, by the table of precedence.py."""
    kept = KeptCall(call.ended_at, call.direction, call.agent_id, call.campaign_id)
    statutory, business = (term(rules.classes, basis, kept) for basis in (Basis.STATUTORY, Basis.BUSINESS))
    hold = next((one for one in rules.holds if one.covers(call)), None)
    facts = Facts(
        hold is not None,
        statutory.state(now) if statutory else Retention.NONE,
        is_erasure_asked,
        business.state(now) if business else Retention.NONE,
        call.is_deleted_at_source,
    )
    line = decide(facts)
    by: str | None = None
    until: datetime | None = None
    if line.reason is Reason.HELD and hold is not None:
        by = hold.name
    elif line.reason is Reason.STATUTORY and statutory is not None:
        by, until = statutory.by, statutory.until
    elif line.reason is Reason.BUSINESS and business is not None:
        by, until = business.by, business.until
    return Verdict(call.id, line.decision, line.reason, call.found_by, by, until)


def kept_until(call: Candidate, rules: Rules) -> datetime | None:
    """Return until when retention keeps a call; None where no class applies."""
    return retain_until(rules.classes, KeptCall(call.ended_at, call.direction, call.agent_id, call.campaign_id))
