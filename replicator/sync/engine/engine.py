"""The engine: what to ask, to write and to wait for next, as a function of what was known and what came in. Pure.

Its owner takes `actions(now)`, performs them in their order, and tells what came of them by `receive`. An engine goes in
turns. A turn takes in what has arrived, decides what to send, whether to commit and how long to wait, and ends with
`Wait`, `Finish` or `Fail`. Where a turn needs something of the world before it can go on (the replica's answer, a charge,
a commit) it ends its actions with that one, and goes on when its event was received. Between two turns everything that
the engine knows is in its fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from replicator.budget.rules import Completion
from replicator.errors import RateLimited, SourceError
from replicator.sync.content.details import as_past_the_end
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.detail_queue import Details
from replicator.sync.engine.failures import Judge, Verdict
from replicator.sync.engine.pager import next_page, set_goals
from replicator.sync.engine.planner import choose, completed, is_cut_short, is_head_due, sent
from replicator.sync.engine.position import Batch, absorb, committed
from replicator.sync.engine.state import MOST_LIST_REQUESTS
from replicator.sync.protocol.actions import (
    Action,
    Ask,
    CameIn,
    Charge,
    Charged,
    Close,
    Commit,
    Event,
    Fail,
    Finish,
    Known,
    Send,
    Stopped,
    Wait,
)
from replicator.sync.protocol.questions import DueDetails
from replicator.sync.protocol.requests import Request
from replicator.sync.protocol.results import Committed, Result, Tally, Why

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from replicator.budget.key_budget import KeyBudget
    from replicator.sync.engine.position import Position
    from replicator.sync.engine.presence import Presence
    from replicator.sync.engine.state import State
    from replicator.sync.options import Options
    from replicator.sync.protocol.questions import Asking
    from replicator.sync.protocol.requests import Outcome

T = TypeVar("T")

BATCH_SIZE = 1000
"""Rows about which a batch is committed …"""
BATCH_AGE = timedelta(seconds=0.25)
"""… or the age of its first answer, if that comes first; at once where workers would be idle."""
QUEUED_PER_WORKER = 64
"""Requests that are sent for each worker ahead of time, so that none is idle while a batch is committed."""
HEARTBEAT = timedelta(seconds=10)
"""At least so often there is a commit, which shows that the lease is held, and a turn."""
STOP_WITHIN = timedelta(seconds=5)
"""How long a run that is told to stop waits for what is under way."""
END_WITHIN = timedelta(hours=1)
"""How long a run that has reached its bound waits for what is under way: each request ends long before."""
NO_BOUND = 1_000_000
"""Requests left where their number is not bounded."""

Steps: TypeAlias = Generator[Action, Any, T]
"""A part of a turn: it yields actions, is sent what came of those that have an answer, and returns its result."""


class Engine:
    """One run's decisions. `purses` are the budgets of its keys, which its owner charges and keeps; `room` is how many
    requests may be under way or queued at once. The fields are for reading; only `actions` and `receive` change them.
    """

    def __init__(
        self,
        options: Options,
        position: Position,
        presence: Presence,
        key_budgets: Sequence[KeyBudget],
        now: datetime,
        *,
        room: int | None = None,
    ) -> None:
        state = replace(position.state, is_identified=presence.identity.is_known)
        self.options = options
        self.position = replace(position, state=state)
        self.presence = presence
        self.key_budgets = key_budgets
        self.room = QUEUED_PER_WORKER * options.workers if room is None else room
        self.deadline = None if options.max_seconds is None else now + timedelta(seconds=options.max_seconds)
        self.judge = Judge()
        self.details = Details()
        self.batch = Batch()
        self.tally = Tally()
        self.in_flight = 0
        """Requests that were sent and have not come in."""
        self.held_at = now
        """When the last commit was begun."""
        self.is_stopped = False
        self.ending: Result | None = None
        self.ends_by = now
        self._came_in: list[Outcome] = []
        self._turn: Steps[None] | None = None
        self._asked: Ask | Charge | Commit | None = None
        """The action whose event the turn waits for."""
        self._answer: Any = None

    # The protocol -------------------------------------------------------------------------------------------------

    def actions(self, now: datetime) -> tuple[Action, ...]:
        """Return what is to be done now, in this order. The last one is `Wait`, ends the run, or is answered by an event."""
        if self._asked is not None:
            return (self._asked,)
        made: list[Action] = []
        while True:
            self._turn = self._turn or self._decide(now)
            answer, self._answer = self._answer, None
            try:
                action = self._turn.send(answer)
            except StopIteration:
                self._turn = None
                continue
            made.append(action)
            if isinstance(action, Wait | Finish | Fail):
                self._turn = None
                return tuple(made)
            if isinstance(action, Ask | Charge | Commit):
                self._asked = action
                return tuple(made)

    def receive(self, event: Event) -> None:
        """Take an event. What it means is decided with the next actions."""
        match event, self._asked:
            case Known(answer), Ask():
                self._asked, self._answer = None, answer
            case Charged(is_charged), Charge():
                self._asked, self._answer = None, is_charged
            case Committed(), Commit():
                self._asked, self._answer = None, event
            case CameIn(outcomes), _:
                self.in_flight -= len(outcomes)
                self._came_in += outcomes
            case Stopped(), _:
                self.is_stopped = True
            case _:
                raise ValueError(f"{type(event).__name__} answers nothing that was asked")

    # A turn -------------------------------------------------------------------------------------------------------

    def _decide(self, now: datetime) -> Steps[None]:
        """Go one turn. One that only takes in or commits ends without waiting: the next one begins at once."""
        if self._came_in:
            yield from self._take_in(now)
            return
        if self.ending is None:
            yield from self._look_for_an_end(now)
        if self.ending is not None:
            yield from self._end(self.ending, now)
            return
        held_until = yield from self._send(now)
        if self._is_commit_due(now):
            yield from self._commit(now)
        elif held_until is None and not self.in_flight:
            state = replace(self.position.state, details=self.details.by_lane())
            yield Finish(Result.BOUNDED if is_cut_short(state, now) else Result.DONE)
        else:
            yield self._wait(held_until, now)

    def _look_for_an_end(self, now: datetime) -> Steps[None]:
        """Begin to end a run that was told to stop, or has reached a bound."""
        if self.is_stopped:
            self.ending, self.ends_by = Result.STOPPED, now + STOP_WITHIN
        elif (self.deadline is not None and now >= self.deadline) or self._requests_left() <= 0:
            self.ending, self.ends_by = Result.BOUNDED, now + END_WITHIN
        if self.ending is not None:
            yield Close()

    def _end(self, ending: Result, now: datetime) -> Steps[None]:
        """Take what is still under way, as long as there is time, commit it, and finish."""
        if self.in_flight and now < self.ends_by:
            yield Wait(min(self.ends_by, now + HEARTBEAT))
            return
        yield from self._commit(now)
        yield Finish(ending)

    def _wait(self, held_until: datetime | None, now: datetime) -> Wait:
        """Wait for what comes first: an answer, leave to send more, the age of the batch, or a bound."""
        until = min(now + HEARTBEAT, held_until or now + HEARTBEAT)
        if self.deadline is not None:
            until = min(until, self.deadline)
        if self.batch.since is not None:
            until = min(until, self.batch.since + BATCH_AGE)
        why = Why.ANSWERS
        if held_until is not None:
            is_failing = held_until in {self.judge.resume_at, self.judge.throttle.rest_until}
            why = Why.FAILING if is_failing else Why.BUDGET
        return Wait(until, held_until, why)

    # What to send -------------------------------------------------------------------------------------------------

    def _send(self, now: datetime) -> Steps[datetime | None]:
        """Send what is worth it and allowed; return until when more is held back, None where nothing is."""
        if self.judge.resume_at is not None and now < self.judge.resume_at:
            return self.judge.resume_at
        self.position = yield from _asking(set_goals(self.position, now))
        yield from self._fill(now)
        room = min(self.room - self.in_flight, self._requests_left())
        if room <= 0:
            return None
        at_hand = self.details.by_lane()
        free = sum(key_budget.free(now) for key_budget in self.key_budgets)
        at_hand[Lane.CONFIRM] = yield from _asking(self.presence.ready(self.position, now, free))
        throttle = self.judge.throttle
        state = replace(self.position.state, details=at_hand, most_pages=throttle.most(now, MOST_LIST_REQUESTS))
        lanes = choose(state, now, room, sum(key_budget.spare(now) for key_budget in self.key_budgets))
        if not lanes:
            return self._held_until(state, now)
        for key, key_budget in enumerate(self.key_budgets):
            count = min(len(lanes), key_budget.free(now))
            if count > 0 and (yield Charge(key, count, now)):
                yield self._requests(lanes[:count], key, now)
                lanes = lanes[count:]
        return min(key_budget.budget.opens_at(now) for key_budget in self.key_budgets) if lanes else None

    def _held_until(self, state: State, now: datetime) -> datetime | None:
        """Return when to look again though no lane may send now; None where none has anything to send."""
        if choose(state, now, 1):
            return min(key_budget.budget.spares_at(now) for key_budget in self.key_budgets)
        is_resting = not state.most_pages and choose(replace(state, most_pages=1), now, 1)
        return self.judge.throttle.rest_until if is_resting else None

    def _requests(self, lanes: Sequence[Lane], key: int, now: datetime) -> Send:
        """Make the requests of lanes whose charge to a key was made."""
        expires_at = self.key_budgets[key].budget.closes_at(now)
        requests = tuple(self._request(lane, key, now, expires_at) for lane in lanes)
        by_id = Counter(request.lane for request in requests if request.walk is None)
        for lane, count in by_id.items():
            self.position = replace(self.position, state=sent(self.position.state, lane, count))
        self.in_flight += len(requests)
        return Send(requests)

    def _request(self, lane: Lane, key: int, now: datetime, expires_at: datetime) -> Request:
        if lane in self.details.queues:
            return Request(lane, key, expires_at, detail=self.details.next(lane))
        if lane is Lane.CONFIRM:
            return Request(lane, key, expires_at, probe=self.presence.next())
        state = self.position.state
        is_head = lane is Lane.FRESH and is_head_due(state, now)
        walk = next_page(self.position, lane, is_head=is_head)
        self.position = replace(self.position, state=sent(state, lane, is_head=is_head, at=now))
        return Request(lane, key, expires_at, walk, is_head)

    def _fill(self, now: datetime) -> Steps[None]:
        """Bring due details to hand, once the head was asked for."""
        kinds = self.options.details.kinds
        if not kinds or self.position.state.head_asked_at is None or not self.details.is_to_be_filled(self.room, now):
            return
        wanted = self.details.wanted
        open_kinds = tuple(kind for kind in kinds if self.judge.is_open(kind, now))
        self.details.fill((yield Ask(DueDetails(open_kinds, now, wanted))), wanted, now)

    def _requests_left(self) -> int:
        most = self.options.max_requests
        return NO_BOUND if most is None else most - self.tally.requests - self.in_flight

    # What came in -------------------------------------------------------------------------------------------------

    def _take_in(self, now: datetime) -> Steps[None]:
        """Take what has come in: into the books, to the planner and into the batch. Fail where it is pointless to go on."""
        outcomes, self._came_in = self._came_in, []
        fatal: SourceError | None = None
        self._note_completed(outcomes)
        for outcome in map(as_past_the_end, sorted(outcomes, key=lambda one: one.sent_at)):
            verdict = self._judge(outcome, now)
            if verdict is Verdict.FATAL:
                fatal = fatal or outcome.error
                continue
            try:
                counted = yield from _asking(self.presence.recognise(outcome, verdict))
            except SourceError as error:  # it is another source: nothing of it is written
                yield Fail(error)
                return
            if self.presence.identity.is_known and not self.position.state.is_identified:
                self.position = replace(self.position, state=replace(self.position.state, is_identified=True))
            for known in counted:
                yield from self._absorb(known, verdict if known is outcome else Verdict.TAKEN, now)
        if fatal is not None:
            yield from self._commit(now)
            yield Fail(fatal)

    def _note_completed(self, outcomes: Sequence[Outcome]) -> None:
        """Enter the end of requests into the books of the budget and the planner."""
        by_key: dict[int, list[Completion]] = {}
        state = self.position.state
        for (lane, is_head), count in Counter((o.request.lane, o.request.is_head) for o in outcomes).items():
            state = completed(state, lane, count, is_head=is_head)
        for outcome in outcomes:
            received_at = outcome.received_at if outcome.is_sent else outcome.sent_at
            server_time = outcome.server_time if outcome.is_sent else None
            by_key.setdefault(outcome.request.key, []).append(Completion(outcome.sent_at, received_at, server_time))
        for key, answers in by_key.items():
            self.key_budgets[key].completed(answers)
        self.position = replace(self.position, state=state)

    def _judge(self, outcome: Outcome, now: datetime) -> Verdict:
        """Say what an outcome means, and enter it into the run's books."""
        request, error = outcome.request, outcome.error
        self.tally.requests += outcome.is_sent
        verdict = self.judge.judge(outcome, now)
        if isinstance(error, RateLimited):
            self.key_budgets[request.key].refused(now, error)
            self.tally.refusals += 1
        self.tally.failures += error is not None and verdict in {Verdict.AGAIN, Verdict.BROKEN, Verdict.FATAL}
        if request.is_head and verdict in {Verdict.AGAIN, Verdict.REFUSED}:
            self.position = replace(self.position, state=replace(self.position.state, head_asked_at=None))
        if request.detail is not None:
            self.details.came_in(request.detail, is_kind_open=self.judge.is_open(request.detail.kind, now))
        if verdict is not Verdict.TAKEN or error is not None:
            self.details.is_some_to_be_asked_again = True
        return verdict

    def _absorb(self, outcome: Outcome, verdict: Verdict, now: datetime) -> Steps[None]:
        """Let the batch, the planner and the books of membership take an outcome."""
        request, presence = outcome.request, self.presence
        if verdict is Verdict.TAKEN:
            self.batch.add(outcome)
        if request.probe is not None:
            self.batch.absences += presence.prober.completed(request.probe, outcome)
        if request.walk is None:
            return
        news = 0
        if self.position.state.scan is not None:
            # Only the rows can tell what was new: they are stored first, and what they prove with the next batch.
            news = yield from self._commit(now)
        ranks = yield from _asking(presence.ranks(self.position, outcome))
        self.position = absorb(self.position, outcome, verdict, self.batch, news=news, stored_before=ranks)
        if outcome.page is not None and outcome.page.calls:
            presence.prober.seen([call.id for call in outcome.page.calls])

    # What to write ------------------------------------------------------------------------------------------------

    def _is_commit_due(self, now: datetime) -> bool:
        """Say whether it is time to write: enough has come in, or it is old, or there are workers without work."""
        if now - self.held_at >= HEARTBEAT:
            return True
        if not (self.batch or self.details.completed or self.position.is_to_be_stored):
            return False
        is_idle = self.in_flight < self.options.workers
        is_old = self.batch.since is not None and now - self.batch.since >= BATCH_AGE
        return is_idle or is_old or self.batch.weight >= BATCH_SIZE

    def _commit(self, now: datetime) -> Steps[int]:
        """Have written what has come in; return how many rows of it were new or changed."""
        batch, before = self.batch, self._news
        found: Committed = yield Commit(self.position, batch, is_late=now - self.held_at >= HEARTBEAT)
        self._news = found.news
        self.position = committed(self.position, found)
        self.details.committed(has_pages=batch.pages > 0)
        if batch.claims or batch.absences:
            self.presence.changed()
        self.position = yield from _asking(self.presence.compare(self.position, now))
        self.batch, self.held_at = Batch(), now
        return found.news - before

    _news = 0
    """Rows that the run has found to be new or changed, as of the last commit."""


def _asking(decision: Asking[T]) -> Steps[T]:
    """Carry a decision through, asking the replica what it has to know."""
    try:
        question = next(decision)
        while True:
            question = decision.send((yield Ask(question)))
    except StopIteration as end:
        result: T = end.value
        return result
