"""How a run ends, why it waits, what it counts, and what a commit found. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Result(StrEnum):
    """How a run ended. The values are stored (replicator.runs) and shown."""

    DONE = "done"
    """Nothing is left to ask for now."""
    BOUNDED = "bounded"
    """A limit on the run's time or requests was reached."""
    STOPPED = "stopped"
    """The run was told to stop."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that keeps the replica from being complete and proven."""

    code: str
    """For programs: it stays the same when the words are improved."""
    words: str
    since: datetime | None = None
    """Since when this is known; None where no time is known."""


class Why(StrEnum):
    """Why the engine waits."""

    ANSWERS = "answers"
    """Requests are under way, and no other is to be sent before they are answered."""
    BUDGET = "budget"
    """The requests that are wanted exceed the budget."""
    FAILING = "failing"
    """The source fails, so no requests are sent for a while."""


@dataclass(slots=True)
class Tally:
    """The engine's counts of the requests of a run."""

    requests: int = 0
    refusals: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit found in the replica."""

    live: int | None
    """Live calls that are stored; None where they have not been counted yet."""
    oldest_known: datetime | None
    has_absences: bool
    inserted: int
    """Calls that the run has stored so far."""
    news: int
    """Rows that the run has found to be new or changed so far."""
