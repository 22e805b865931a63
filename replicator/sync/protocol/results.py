"""How a run ends, why it waits, what it has counted and what a commit found, as values. Pure."""

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
    """A bound on its time or its requests was reached."""
    STOPPED = "stopped"
    """It was told to stop."""


class Why(StrEnum):
    """Why the engine waits."""

    ANSWERS = "answers"
    """Requests are under way, and nothing more is to be sent before they are answered."""
    BUDGET = "budget"
    """What is to be sent exceeds the budget."""
    FAILING = "failing"
    """The source fails, and is left alone for a while."""


@dataclass(slots=True)
class Tally:
    """What the engine counts of its requests."""

    requests: int = 0
    refusals: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit found in the replica."""

    live: int | None
    """Live calls that are stored; None where nobody has counted them yet."""
    oldest_known: datetime | None
    has_absences: bool
    inserted: int
    """Calls that the run has stored so far."""
    news: int
    """Rows that the run has found to be new or changed so far."""
