"""The engine: decides what to ask, write and wait for next, from what was known and what came in. Pure.

Its owner takes `actions(now)`, performs them in order, and reports the results by `receive`. An engine works in turns.
A turn takes in what has arrived, decides what to send, whether to commit and how long to wait, and ends with `Wait`,
`Finish` or `Fail`. If a turn first needs a result (the replica's answer, a charge, a commit), it ends its actions with
that one, and goes on when the event was received. Between two turns, all that the engine knows is in its fields.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from replicator.budget.key_budget import a_minute
from replicator.budget.rules import Completion
from replicator.errors import RateLimited, SourceError
from replicator.sync.content.details import as_past_the_end
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.detail_queue import Details
from replicator.sync.engine.failures import Judge, Verdict
from replicator.sync.engine.pager import next_page, set_goals
from replicator.sync.engine.planner import BY_ID, choose, completed, is_cut_short, is_head_due, rest, sent
from replicator.sync.engine.position import Batch, absorb, committed, paid_for
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
"""A batch is committed when it has about this many rows …"""
BATCH_AGE = timedelta(seconds=0.25)
"""… or when its first answer is this old, if that comes first; at once where workers would be idle for its sake."""
QUEUED_PER_WORKER = 64
"""Requests that are sent ahead for each worker, so that no worker is idle during a commit."""
HEARTBEAT = timedelta(seconds=10)
"""The longest time between two commits (each shows that the lease is held), and between two turns."""
STOP_WITHIN = timedelta(seconds=5)
"""How long a run that was told to stop waits for the requests under way."""
END_WITHIN = timedelta(hours=1)
"""How long a run that has reached its bound waits for the requests under way; each request ends long before."""
NO_BOUND = 1_000_000
"""The number of requests left where it is not bounded."""

Steps: TypeAlias = Generator[Action, Any, T]
"""A part of a turn: it yields actions, is sent the results of those that have one, and returns its own result."""


class Engine:
    """The decisions of one run.

    `key_budgets` are the budgets of its keys, which its owner charges and stores. `room` is how many requests may be
    under way or queued at once (None: QUEUED_PER_WORKER for each worker). The fields are for reading; only `actions`
    and `receive` change them.
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
        """Requests that were sent and whose outcomes have not come in."""
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
        """Return the actions to perform now, in order. The last is `Wait`, ends the run, or is answered by an event."""
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
        """Take an event. The next call of `actions` decides what it means. Raises ValueError where it answers no
        pending action.
        """
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
        """Perform one turn. A turn that only takes in or commits ends without waiting, and the next begins at once."""
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
        """Begin to end the run, if it was told to stop or has reached a bound."""
        if self.is_stopped:
            self.ending, self.ends_by = Result.STOPPED, now + STOP_WITHIN
        elif (self.deadline is not None and now >= self.deadline) or self._requests_left() <= 0:
            self.ending, self.ends_by = Result.BOUNDED, now + END_WITHIN
        if self.ending is not None:
            yield Close()

    def _end(self, ending: Result, now: datetime) -> Steps[None]:
        """Wait for the requests under way, while there is time; then commit and finish."""
        if self.in_flight and now < self.ends_by:
            yield Wait(min(self.ends_by, now + HEARTBEAT))
            return
        yield from self._commit(now)
        yield Finish(ending)

    def _wait(self, held_until: datetime | None, now: datetime) -> Wait:
        """Return the wait: until an answer, permission to send more, the age of the batch, or a bound."""
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
        """Send the requests that are wanted and allowed; return until when others are held back, None where none is."""
        if self.judge.resume_at is not None and now < self.judge.resume_at:
            return self.judge.resume_at
        self.position = paid_for(self.position, now, a_minute(self.key_budgets))
        self.position = yield from _asking(set_goals(self.position, now))
        yield from self._fill(now)
        room = min(self.room - self.in_flight, self._requests_left())
        if room <= 0:
            return None
        at_hand = self.details.by_lane()
        free = self.key_budgets[BY_ID].free(now)
        at_hand[Lane.CONFIRM] = yield from _asking(self.presence.ready(self.position, now, free))
        throttle = self.judge.throttle
        state = replace(self.position.state, details=at_hand, most_pages=throttle.most(now, MOST_LIST_REQUESTS))
        lanes = choose(state, now, room, sum(key_budget.spare(now) for key_budget in self.key_budgets))
        if not lanes:
            return self._held_until(state, now)
        identity, room = self.presence.identity, len(lanes)
        for key in identity.order():
            mine = identity.through(key, lanes)[: min(room, self.key_budgets[key].free(now))]
            if mine and (yield Charge(key, len(mine), now)):
                yield self._requests(mine, key, now)
                lanes, room = rest(lanes, mine), room - len(mine)
        return min((self.key_budgets[key].budget.opens_at(now) for key in identity.keys_for(lanes)), default=None)

    def _held_until(self, state: State, now: datetime) -> datetime | None:
        """Return when to look again if no lane may send now; None where no lane has anything to send."""
        if lanes := choose(state, now, 1):
            keys = self.presence.identity.keys_for(lanes)
            return min((self.key_budgets[key].budget.spares_at(now) for key in keys), default=None)
        is_resting = not state.most_pages and choose(replace(state, most_pages=1), now, 1)
        return self.judge.throttle.rest_until if is_resting else None

    def _requests(self, lanes: Sequence[Lane], key: int, now: datetime) -> Send:
        """Make the requests of lanes, after they were charged to a key."""
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
            return Request(lane, key, expires_at, probe=self.presence.next(key))
        state = self.position.state
        is_head = lane is Lane.FRESH and is_head_due(state, now)
        walk = next_page(self.position, lane, is_head=is_head)
        self.position = replace(self.position, state=sent(state, lane, is_head=is_head, at=now))
        return Request(lane, key, expires_at, walk, is_head)

    def _fill(self, now: datetime) -> Steps[None]:
        """Load due details, once the head was asked for."""
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
        """Take what has come in: into the counts, the planner and the batch. Fail where the run cannot go on."""
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
            except SourceError as error:  # a key of another account: nothing that it shows is written
                fatal = fatal or error
                continue
            if self.presence.identity.is_known and not self.position.state.is_identified:
                self.position = replace(self.position, state=replace(self.position.state, is_identified=True))
            for known in counted:
                yield from self._absorb(known, verdict if known is outcome else Verdict.TAKEN, now)
        if fatal is not None:
            if self.presence.identity.is_known:
                yield from self._commit(now)
            yield Fail(fatal)

    def _note_completed(self, outcomes: Sequence[Outcome]) -> None:
        """Record the end of requests in the budgets and the planner."""
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
        """Say what an outcome means, and count it."""
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
        """Apply an outcome to the batch, the planner and the suspected absences."""
        request, presence = outcome.request, self.presence
        if verdict is Verdict.TAKEN:
            self.batch.add(outcome)
        if request.probe is not None:
            self.batch.absences += presence.prober.completed(request.probe, outcome)
        if request.walk is None:
            return
        news = 0
        if self.position.state.scan is not None:
            # Only a commit shows how many rows were new: so what they prove is stored with the next batch.
            news = yield from self._commit(now)
        ranks = yield from _asking(presence.ranks(self.position, outcome))
        self.position = absorb(self.position, outcome, verdict, self.batch, news=news, stored_before=ranks)
        if outcome.page is not None and outcome.page.calls:
            presence.seen([call.id for call in outcome.page.calls])

    # What to write ------------------------------------------------------------------------------------------------

    def _is_commit_due(self, now: datetime) -> bool:
        """Say whether to commit now: enough has come in, or it is old, or workers have nothing to do."""
        if now - self.held_at >= HEARTBEAT:
            return True
        if not (self.batch or self.details.completed or self.position.is_to_be_stored):
            return False
        is_idle = self.in_flight < (1 if self.batch.is_comparison else self.options.workers)
        is_old = self.batch.since is not None and now - self.batch.since >= BATCH_AGE
        return is_idle or is_old or self.batch.weight >= BATCH_SIZE

    def _commit(self, now: datetime) -> Steps[int]:
        """Have what came in committed; return how many of its rows were new or changed."""
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
    """Run a decision to its end, and ask the replica each question that it yields."""
    try:
        question = next(decision)
        while True:
            question = decision.send((yield Ask(question)))
    except StopIteration as end:
        result: T = end.value
        return result
