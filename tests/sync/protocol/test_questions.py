"""Every question has its answer in the replica, and nothing is lost on the way to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID

import pytest

from replicator.sync.deletions.rules import Absence
from replicator.sync.protocol.questions import (
    CountNewer,
    DueAbsences,
    DueDetails,
    KnowsAny,
    OpenCalls,
    Question,
    StoredBefore,
    Suspected,
    Values,
    answer,
)
from tests.sync.fix_values import NOW, a_detail, at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.store.rows import Kind
    from replicator.sync.protocol.requests import Detail

pytestmark = pytest.mark.pure

FIRST, SECOND = UUID(int=1), UUID(int=2)


@dataclass(frozen=True)
class Two:
    """A replica of two calls, created at NOW and an hour before: the older one goes on, and is suspected to be gone."""

    def knows_any(self, ids: Sequence[UUID]) -> bool:
        return bool({FIRST, SECOND} & set(ids))

    def suspected(self) -> int:
        return 1

    def due_absences(self, live: int, now: datetime, most: int) -> list[Absence]:
        return [Absence(live, SECOND, "suspected", 0, None, now)][:most]

    def stored_before(self, instants: Sequence[datetime], begun_at: datetime) -> dict[datetime, int]:
        return {one: (one > at(-60)) + (one > NOW) - (begun_at > NOW) for one in instants}

    def open_calls(self, since: datetime) -> Sequence[datetime]:
        return [at(-60)] if since <= at(-60) else []

    def count_newer(self, at: datetime, most: int | None = None) -> int:
        newer = (at <= NOW) + (at <= CREATED)
        return newer if most is None else min(newer, most)

    def values(self) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
        return ["busy"], ["inbound"], ["a"]

    def due_details(self, kinds: Sequence[Kind], now: datetime, most: int) -> list[Detail]:
        return [a_detail(number, kind, deadline_at=now) for number, kind in enumerate(kinds)][:most]


CREATED = at(-60)
ASKED: list[tuple[Question, Any]] = [
    (KnowsAny((SECOND, UUID(int=9))), True),
    (KnowsAny((UUID(int=9),)), False),
    (KnowsAny(()), False),
    (Suspected(), 1),
    (DueAbsences(7, NOW, 5), [Absence(7, SECOND, "suspected", 0, None, NOW)]),
    (DueAbsences(7, NOW, 0), []),
    (StoredBefore((at(1), at(-1)), NOW), {at(1): 2, at(-1): 1}),
    (StoredBefore((at(1),), at(1)), {at(1): 1}),
    (OpenCalls(at(-90)), [CREATED]),
    (OpenCalls(at(-9)), []),
    (CountNewer(at(-90)), 2),
    (CountNewer(at(-90), 1), 1),
    (CountNewer(at(-9)), 1),
    (Values(), (["busy"], ["inbound"], ["a"])),
    (DueDetails(("recording", "transcript"), NOW, 1), [a_detail(0, "recording", deadline_at=NOW)]),
]


@pytest.mark.parametrize(("question", "expected"), ASKED, ids=lambda one: type(one).__name__)
def test_a_question_is_answered_with_all_that_it_says(question: Question, expected: Any) -> None:
    """What the question holds reaches the replica, each value in its own place."""
    assert answer(Two(), question) == expected


def test_no_kind_of_question_is_left_without_an_answer() -> None:
    """Every kind that a decision may yield stands in the table above."""
    assert {type(question) for question, _ in ASKED} == set(get_args(Question))
