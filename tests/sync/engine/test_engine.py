"""The engine by itself: what it wants done, what it waits for, and that it does nothing. No network, no database, no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from replicator.budget.key_budget import KeyBudget, Limits
from replicator.errors import AnotherSource, BadKey, NotFound, RateLimited
from replicator.records import Call, Page
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import BEGINNING, EVERYTHING, Interval, Ledger, Piece
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.engine import BATCH_AGE, HEARTBEAT, STOP_WITHIN, Engine
from replicator.sync.engine.position import start
from replicator.sync.engine.presence import Presence
from replicator.sync.options import Options
from replicator.sync.protocol.actions import (
    Action,
    Ask,
    CameIn,
    Charge,
    Charged,
    Close,
    Commit,
    Fail,
    Finish,
    Known,
    Send,
    Stopped,
    Wait,
)
from replicator.sync.protocol.questions import DueDetails, answer
from replicator.sync.protocol.requests import Outcome, Request
from replicator.sync.protocol.results import Result, Why
from tests.sync.fix_replica import InMemory

pytestmark = pytest.mark.pure


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class There:
    """An engine, and an owner that answers what can be answered at once and keeps all actions."""

    def __init__(
        self,
        *,
        keys: int = 1,
        limit: int | None = None,
        is_charging: bool = True,
        ledger: Ledger = Ledger(),  # noqa: B008 - a value
        asked: Interval | None = None,
        remembered: tuple[UUID, ...] = (),
        **options: Any,
    ) -> None:
        limits = Limits(limit, 60.0, 0.0)
        chosen = Options(limits=limits, **{"details": Policy(("transcript",)), **options})
        self.replica, self.is_charging, self.done = InMemory(), is_charging, list[Action]()
        self.key_budgets = [KeyBudget(limits) for _ in range(keys)]
        position = start(chosen, ledger, NOW, live=0, oldest_known=None, sliced_at=NOW, asked=asked)
        self.engine = Engine(chosen, position, Presence(timedelta(minutes=10), remembered, keys), self.key_budgets, NOW)

    def turn(self, now: datetime = NOW) -> Wait | Finish | Fail:
        """Perform what is wanted until the engine waits or ends."""
        self.done = []
        while True:
            for action in self.engine.actions(now):
                self.done.append(action)
                if isinstance(action, Ask):
                    self.engine.receive(Known(answer(self.replica, action.question)))
                elif isinstance(action, Charge):
                    is_charged = self.is_charging and self.key_budgets[action.key].charge(action.at, action.requests)
                    self.engine.receive(Charged(is_charged))
                elif isinstance(action, Commit):
                    self.engine.receive(self.replica.commit(action.position, action.batch))
                elif isinstance(action, Wait | Finish | Fail):
                    return action

    @property
    def sent(self) -> list[Request]:
        return [request for action in self.done if isinstance(action, Send) for request in action.requests]

    def answers(self, request: Request, rows: int = 0, total: int | None = None, at: datetime = NOW) -> None:
        """Let a page come in: so many of `total` calls, one a minute, the newest of them from where it was asked for."""
        first = request.walk.offset if request.walk else 0
        calls = tuple(call(number) for number in range(first, first + rows))
        page = Page(
            calls, (), tuple(one.created_at for one in calls), first, 100, rows if total is None else total, None, at
        )
        self.engine.receive(CameIn((Outcome(request, at, at, at, page=page),)))


def call(number: int) -> Call:
    at = NOW - timedelta(minutes=number + 1)
    return Call(
        UUID(int=number), None, None, None, None, "completed", None, None, None, None, None, None, None, at, at, "{}", b"",
    )  # fmt: skip


def test_a_request_is_charged_before_it_is_sent() -> None:
    """The first turn asks for the head of the list, and then waits."""
    there = There()
    assert there.turn() == Wait(NOW + HEARTBEAT)
    assert [type(action) for action in there.done][:2] == [Charge, Send]
    assert [request.is_head for request in there.sent] == [True]


def test_an_action_that_is_answered_is_repeated_until_it_is() -> None:
    """The engine does not go on by itself, and takes no event that answers something else."""
    engine = There().engine
    wanted = engine.actions(NOW)
    assert wanted == (Charge(0, 1, NOW),)
    assert engine.actions(NOW + timedelta(seconds=1)) == wanted
    with pytest.raises(ValueError, match="Known answers nothing"):
        engine.receive(Known(1))
    engine.receive(Charged(is_charged=False))
    assert not any(isinstance(action, Send) for action in engine.actions(NOW))


def test_a_charge_that_another_process_was_faster_at_sends_nothing() -> None:
    """The engine looks again when the window opens."""
    there = There(limit=10, is_charging=False)
    waits = there.turn()
    assert there.sent == []
    assert isinstance(waits, Wait)
    assert (waits.held_until, waits.why) == (there.key_budgets[0].budget.opens_at(NOW), Why.BUDGET)


def test_requests_go_to_the_next_key_when_one_is_used_up() -> None:
    """Where the first key has no request left, the second one is charged."""
    there = There(keys=2, limit=10)
    assert there.key_budgets[0].charge(NOW, 10)
    there.turn()
    assert [action.key for action in there.done if isinstance(action, Charge)] == [1]
    assert [request.key for request in there.sent] == [1]


def test_a_refused_key_does_not_keep_another_one_from_the_first_page() -> None:
    """Where nothing is stored, it is the key of the first page that is taken at its word, not the one that was asked first."""
    there, reset_at = There(keys=2, limit=10), NOW + timedelta(hours=3)
    there.turn()
    (head,) = there.sent
    refused = RateLimited("refused", reset_at=reset_at, limit=10)
    there.engine.receive(CameIn((Outcome(head, NOW, NOW, NOW, error=refused),)))
    there.turn()
    assert [(request.key, request.is_head) for request in there.sent] == [(0, True)]
    there.answers(there.sent[0], rows=3)
    there.turn()
    assert there.engine.presence.identity.known == {0}
    assert len(there.replica.calls) == 3


def test_a_request_that_only_one_key_may_send_waits_for_that_key() -> None:
    """When another key's window opens is no reason to look again. Here the first page showed no stored call, so its key has
    to show one by id.
    """
    there = There(keys=2, limit=1, remembered=(UUID(int=99),))
    there.key_budgets[1] = KeyBudget(Limits(1, 10.0, 0.0))
    assert there.key_budgets[1].charge(NOW, 1)
    there.turn()
    assert [request.key for request in there.sent] == [0]
    there.answers(there.sent[0], rows=3)
    waits = there.turn()
    assert there.sent == []
    assert isinstance(waits, Wait)
    opens_at = there.key_budgets[0].budget.opens_at(NOW)
    assert waits.held_until == opens_at > there.key_budgets[1].budget.opens_at(NOW)


def test_a_request_that_shows_whether_a_key_may_be_used_counts_like_any_other() -> None:
    """It takes the place of another one where the run has a bound."""
    there = There(keys=3, limit=1, max_requests=2, details=Policy(()))
    there.turn()
    assert [request.key for request in there.sent] == [2]
    there.answers(there.sent[0], rows=100, total=1000)
    there.turn()
    assert [(request.key, request.probe is not None) for request in there.sent] == [(1, True)]
    assert there.engine.in_flight == 1
    assert isinstance(there.turn(NOW + timedelta(minutes=2)), Wait)
    assert there.sent == []


def test_what_known_keys_brought_is_kept_where_another_one_is_of_another_account() -> None:
    """The run fails after a commit."""
    there, now = There(keys=2, limit=2), NOW
    there.turn()
    there.answers(there.sent[0], rows=5, total=1000)
    ends, pages = there.turn(), [request for request in there.sent if request.walk]
    while not isinstance(ends, Fail):
        (probe,) = (request for request in there.sent if request.probe)
        assert probe.probe is not None
        known = call(probe.probe.call_id.int) if probe.key else None
        gone = None if known else NotFound("no", status=404)
        there.answers(pages[-1], rows=5, total=1000, at=now)
        there.engine.receive(CameIn((Outcome(probe, now, now, now, call=known, error=gone),)))
        now += timedelta(minutes=2)
        ends = there.turn(now)
        pages += [request for request in there.sent if request.walk]
    assert isinstance(ends.error, AnotherSource)
    assert [action.batch.pages for action in there.done if isinstance(action, Commit)] == [1]


def test_what_came_in_is_committed_when_workers_are_idle() -> None:
    """Rows and what they prove are one commit, and what the page may have queued is looked for after it."""
    there = There()
    there.turn()
    there.answers(there.sent[0], rows=3)
    there.turn()
    committed = [action for action in there.done if isinstance(action, Commit)]
    assert [len(one.batch.outcomes) for one in committed] == [1]
    assert committed[0].position.state.ledger != committed[0].position.stored
    kinds = [action.question for action in there.done if isinstance(action, Ask)]
    assert any(isinstance(question, DueDetails) for question in kinds[-3:])
    assert {request.detail.kind for request in there.sent if request.detail} == {"transcript"}
    assert len(there.replica.calls) == 3


def test_a_batch_waits_for_more_while_all_workers_are_busy() -> None:
    """Then it is its age that ends the wait."""
    there = There(workers=1)
    there.turn()
    there.answers(there.sent[0], rows=100, total=1000)
    waits = there.turn()
    assert not [action for action in there.done if isinstance(action, Commit)]
    assert isinstance(waits, Wait)
    assert waits.until == NOW + BATCH_AGE
    there.turn(NOW + BATCH_AGE)
    assert [action for action in there.done if isinstance(action, Commit)]


def test_pages_of_a_comparison_are_committed_together() -> None:
    """Each is asked for when the last has come in, so most workers are idle all along: no reason to commit each by
    itself.
    """
    ledger = Ledger((Piece(BEGINNING, NOW, NOW - timedelta(days=1)),))
    there = There(ledger=ledger, asked=EVERYTHING, details=Policy(()))
    there.turn()
    there.answers(there.sent[0], total=290)
    there.turn()
    for _ in range(2):
        (page,) = (request for request in there.sent if request.lane is Lane.COMPARE)
        there.answers(page, rows=100, total=290)
        waits = there.turn()
        assert not [action for action in there.done if isinstance(action, Commit)]
    assert waits == Wait(NOW + BATCH_AGE)
    there.turn(NOW + BATCH_AGE)
    assert [len(action.batch.outcomes) for action in there.done if isinstance(action, Commit)] == [2]


def test_a_run_with_nothing_left_is_done() -> None:
    """An empty list: it is read, committed, and there is nothing more to ask for."""
    there = There()
    ends: Action = there.turn()
    for _ in range(5):
        if isinstance(ends, Finish):
            break
        for request in there.sent:
            there.answers(request)
        ends = there.turn()
    assert ends == Finish(Result.DONE)


def test_a_stop_sends_nothing_more_and_takes_what_is_under_way() -> None:
    """Within a few seconds: what comes in until then is committed, and the run ends as stopped."""
    there = There()
    there.turn()
    head = there.sent[0]
    there.engine.receive(Stopped())
    assert there.turn() == Wait(NOW + STOP_WITHIN)
    assert [type(action) for action in there.done] == [Close, Wait]
    there.answers(head, rows=2)
    assert there.turn() == Finish(Result.STOPPED)
    assert len(there.replica.calls) == 2
    late = There()
    late.turn()
    late.engine.receive(Stopped())
    late.turn()
    assert late.turn(NOW + STOP_WITHIN) == Finish(Result.STOPPED)


def test_a_bound_ends_a_run() -> None:
    """On its requests, exactly, and on its time."""
    there = There(max_requests=1)
    there.turn()
    there.answers(there.sent[0], rows=100, total=1000)
    assert there.turn() == Finish(Result.BOUNDED)
    assert there.engine.tally.requests == 1
    timed = There(max_seconds=30)
    timed.turn()
    timed.answers(timed.sent[0])
    assert timed.turn(NOW + timedelta(seconds=30)) in {Finish(Result.BOUNDED), Wait(NOW + timedelta(seconds=40))}


def test_a_refused_key_fails_the_run_after_a_commit() -> None:
    """The error comes out as an action; what came in with it is written first."""
    there = There()
    there.turn()
    error = BadKey("no", status=401)
    there.engine.receive(CameIn((Outcome(there.sent[0], NOW, NOW, error=error),)))
    assert there.turn() == Fail(error)
    assert [type(action) for action in there.done][-2:] == [Commit, Fail]
