"""Retention classes: for how long which calls are kept. Pure.

A class selects calls by direction, agent and campaign (what it does not name, it does not ask for) and keeps them for a
time from their end. Its basis is statutory (a law demands it, and erasure waits for its end) or business (our own rule,
over which erasure goes). Of all classes of one basis that apply to a call, the one that keeps it longest counts: adding
a class never shortens the time for which anything is kept, so a mistake can be corrected.

In mode compliance, no later version of a class shortens what an earlier one promised: `refusal` says so when somebody
tries, and `binding` lets every version that ever was in this mode count, even if a later one was written by hand.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from replicator.archive.governance.precedence import Retention
from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

KEEP = re.compile(r"(?:(\d{1,3})y)?(?:(\d{1,4})m)?(?:(\d{1,5})d)?\Z")
LONGEST_YEARS = 200
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}\Z", re.IGNORECASE)


class Basis(StrEnum):
    """Why calls are kept: because a law demands it, or because we want it."""

    STATUTORY = "statutory"
    BUSINESS = "business"


class Mode(StrEnum):
    """Whether a class may be shortened later (governance) or not (compliance)."""

    GOVERNANCE = "governance"
    COMPLIANCE = "compliance"


@dataclass(frozen=True, slots=True)
class Keep:
    """A time by the calendar: months, and days after them."""

    months: int
    days: int

    def until(self, since: datetime) -> datetime:
        """Return the end of the time, in UTC. Where the month has no such day (29 February), it is the first of the next:
        never too early.
        """
        at = since.astimezone(UTC)
        year, month = divmod(at.year * 12 + at.month - 1 + self.months, 12)
        if at.day <= monthrange(year, month + 1)[1]:
            moved = at.replace(year=year, month=month + 1)
        else:
            year, month = divmod(at.year * 12 + at.month + self.months, 12)
            moved = at.replace(year=year, month=month + 1, day=1)
        return moved + timedelta(days=self.days)

    def __str__(self) -> str:
        years, months = divmod(self.months, 12)
        parts = ((years, "y"), (months, "m"), (self.days, "d"))
        return "".join(f"{number}{unit}" for number, unit in parts if number) or "0d"


def parse_keep(text: str) -> Keep:
    """Read `6y`, `18m`, `90d` or several of them (`1y6m`). Raises ConfigurationError for anything else."""
    found = KEEP.match(text.strip().lower())
    if not text.strip() or found is None:
        raise ConfigurationError(
            f"{text!r} is no time", advice="expected years, months and days, such as 6y, 18m, 90d or 1y6m"
        )
    years, months, days = (int(number or 0) for number in found.groups())
    if years + months / 12 + days / 365 > LONGEST_YEARS:
        raise ConfigurationError(f"{text!r} is too long", advice=f"expected at most {LONGEST_YEARS} years")
    return Keep(years * 12 + months, days)


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """One version of a class. What is None does not select."""

    name: str
    version: int
    basis: Basis
    mode: Mode
    keep: Keep
    direction: str | None = None
    agent_id: UUID | None = None
    campaign_id: str | None = None

    def applies_to(self, call: KeptCall) -> bool:
        """Say whether the class selects the call."""
        return (
            self.direction in (None, call.direction)
            and self.agent_id in (None, call.agent_id)
            and self.campaign_id in (None, call.campaign_id)
        )


@dataclass(frozen=True, slots=True)
class KeptCall:
    """What retention asks of a call. `since` is when its time begins: its end, or else its creation or our first look."""

    since: datetime
    direction: str | None = None
    agent_id: UUID | None = None
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class Term:
    """Until when a call is kept on one basis, and by which class."""

    until: datetime
    by: str

    def state(self, now: datetime) -> Retention:
        return Retention.RUNNING if now < self.until else Retention.OVER


def binding(versions: Iterable[RetentionClass]) -> tuple[RetentionClass, ...]:
    """Return the versions that count: the latest of each class, and all that were ever in mode compliance."""
    everything = sorted(versions, key=lambda one: (one.name, one.version))
    latest = {one.name: one.version for one in everything}
    return tuple(one for one in everything if one.version == latest[one.name] or one.mode is Mode.COMPLIANCE)


def term(classes: Sequence[RetentionClass], basis: Basis, call: KeptCall) -> Term | None:
    """Return for how long binding classes keep a call on one basis: the longest time counts. None: no class applies."""
    terms = [
        Term(one.keep.until(call.since), one.name) for one in classes if one.basis is basis and one.applies_to(call)
    ]
    return max(terms, key=lambda one: (one.until, one.by), default=None)


def retain_until(classes: Sequence[RetentionClass], call: KeptCall) -> datetime | None:
    """Return until when any class keeps the call."""
    terms = [found.until for basis in Basis if (found := term(classes, basis, call)) is not None]
    return max(terms, default=None)


_CYCLE = tuple(datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(1461))
"""Each day of four years: on all of them one time must be as long as another to count as not shorter."""


def is_shorter(new: Keep, old: Keep) -> bool:
    """Say whether a time may end earlier than another, on any day of the calendar."""
    return any(new.until(at) < old.until(at) for at in _CYCLE)


def refusal(earlier: Iterable[RetentionClass], new: RetentionClass) -> str | None:
    """Return why a new version of a class must not be stored, or None. `earlier` are the class's versions so far."""
    for old in earlier:
        if old.mode is not Mode.COMPLIANCE:
            continue
        if is_shorter(new.keep, old.keep):
            return f"it would keep calls for {new.keep}, and version {old.version} promised {old.keep}"
        for name in ("direction", "agent_id", "campaign_id"):
            if getattr(new, name) not in (None, getattr(old, name)):
                return f"it would select fewer calls than version {old.version}, by {name}"
        if new.mode is not Mode.COMPLIANCE:
            return "a class in mode compliance stays in it"
        if old.basis is Basis.STATUTORY and new.basis is Basis.BUSINESS:
            return "a statutory class stays statutory"
    return None


def check_name(name: str) -> str:
    """Return a name of a class or a hold. Raises ConfigurationError where it is not plain."""
    if not NAME.match(name):
        raise ConfigurationError(
            f"{name!r} is no name", advice="expected letters, digits, dots, dashes and underscores, at most 100"
        )
    return name
