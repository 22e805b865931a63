"""The questions about the replica that a decision of the engine may ask before it can go on. Pure values.

A decision that may have to ask is a generator: it yields a question, is sent the answer, and returns its result. So it
needs no database, and the code that runs the generator chooses where the answer comes from. `answer` puts a question to
a `Replica`: the database (sync/replica.py) or, in the simulations, a few values in memory.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.store.rows import Kind
    from replicator.sync.deletions.rules import Absence
    from replicator.sync.protocol.requests import Detail

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KnowsAny:
    """Is any of these calls stored? A bool."""

    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Suspected:
    """How many calls are suspected to be deleted? An int."""


@dataclass(frozen=True, slots=True)
class DueAbsences:
    """Which suspected calls are due to be asked for now? A list of absences; empty where they wait for the operator."""

    live: int
    now: datetime
    most: int


@dataclass(frozen=True, slots=True)
class StoredBefore:
    """How many live calls are older than each instant, without those suspected before `begun_at`? {instant: number}."""

    instants: tuple[datetime, ...]
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class OpenCalls:
    """When were the calls created that have not ended, of those created at or after `since`? Instants, oldest first."""

    since: datetime


@dataclass(frozen=True, slots=True)
class CountNewer:
    """How many live calls were created at or after an instant? An int, no more than `most`."""

    at: datetime
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """Which statuses, directions and agents are known, for reading through filters? Three sequences of texts."""


@dataclass(frozen=True, slots=True)
class DueDetails:
    """Which details of these kinds are due now? At most `most`, newest call first."""

    kinds: tuple[Kind, ...]
    now: datetime
    most: int


Question: TypeAlias = KnowsAny | Suspected | DueAbsences | StoredBefore | OpenCalls | CountNewer | Values | DueDetails
Asking: TypeAlias = Generator[Question, Any, T]
"""A decision: a generator that yields questions and returns a result of type T."""


class Replica(Protocol):
    """What a replica must be able to answer: one method for each question."""

    def knows_any(self, ids: Sequence[UUID]) -> bool: ...
    def suspected(self) -> int: ...
    def due_absences(self, live: int, now: datetime, most: int) -> list[Absence]: ...
    def stored_before(self, instants: Sequence[datetime], begun_at: datetime) -> dict[datetime, int]: ...
    def open_calls(self, since: datetime) -> Sequence[datetime]: ...
    def count_newer(self, at: datetime, most: int | None = None) -> int: ...
    def values(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]: ...
    def due_details(self, kinds: Sequence[Kind], now: datetime, most: int) -> list[Detail]: ...


def answer(replica: Replica, question: Question) -> Any:
    """Put a question to a replica; return its answer."""
    match question:
        case KnowsAny(ids):
            return replica.knows_any(ids)
        case Suspected():
            return replica.suspected()
        case DueAbsences(live, now, most):
            return replica.due_absences(live, now, most)
        case StoredBefore(instants, begun_at):
            return replica.stored_before(instants, begun_at)
        case OpenCalls(since):
            return replica.open_calls(since)
        case CountNewer(at, most):
            return replica.count_newer(at, most)
        case Values():
            return replica.values()
        case DueDetails(kinds, now, most):
            return replica.due_details(kinds, now, most)
