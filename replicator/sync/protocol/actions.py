"""The engine's actions, and the events that answer them. Frozen values that do not say how an action is performed.

| action | what its owner does | the event that answers it |
| --- | --- | --- |
| `Ask` | puts a question to the replica | `Known` |
| `Charge` | charges a key's budget, durably | `Charged` |
| `Commit` | writes a batch with what it proved, in one transaction | `Committed` |
| `Send` | sends requests | `CameIn`, whenever outcomes come in |
| `Close` | sends nothing more, not even what is queued | |
| `Wait` | waits for outcomes, at most until an instant | `CameIn`, perhaps without outcomes |
| `Finish`, `Fail` | ends the run | |

After `Ask`, `Charge` or `Commit` the engine gives no new action until it has received the answer. `Stopped` may be
received at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from replicator.sync.protocol.results import Committed, Why

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.errors import SourceError
    from replicator.sync.engine.position import Batch, Position
    from replicator.sync.protocol.questions import Question
    from replicator.sync.protocol.requests import Outcome, Request
    from replicator.sync.protocol.results import Result


# Actions ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ask:
    question: Question


@dataclass(frozen=True, slots=True)
class Charge:
    """Charge `requests` requests to the key with this index, at this time."""

    key: int
    requests: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """Write a batch. `is_late`: the last commit was long ago, so tables that people edit have to be read again."""

    position: Position
    batch: Batch
    is_late: bool


@dataclass(frozen=True, slots=True)
class Send:
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Close:
    pass


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for outcomes, at most until `until`. If `held_until` is set, requests are held back until then; `why` is the
    reason.
    """

    until: datetime
    held_until: datetime | None = None
    why: Why = Why.ANSWERS


@dataclass(frozen=True, slots=True)
class Finish:
    result: Result


@dataclass(frozen=True, slots=True)
class Fail:
    """End the run with the error that makes it impossible to go on."""

    error: SourceError


Action: TypeAlias = Ask | Charge | Commit | Send | Close | Wait | Finish | Fail


# Events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """The replica's answer to a question."""

    answer: Any


@dataclass(frozen=True, slots=True)
class Charged:
    """Whether the charge was made: it is not where another process has used up the budget meanwhile."""

    is_charged: bool


@dataclass(frozen=True, slots=True)
class CameIn:
    """Outcomes of requests that were sent."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run is to end soon."""


Event: TypeAlias = Known | Charged | Committed | CameIn | Stopped
