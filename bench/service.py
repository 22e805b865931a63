"""The service in virtual time: calls that end now, while a million older ones are read at 100 requests a minute.

The product's own planner, ledger, walking, budget and details policy, against a source that is arithmetic: call number
i of the history was created at a time that follows from i, so a page of any offset costs nothing to make. The loop below
does what sync/run.py does between them, with workers, answers that take their time and commits that come a little later.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bench import common
from replicator.records import Call
from replicator.source.budget import Budget, Landing
from replicator.store.rows import DetailRow, KnownCall, KnownDetail
from replicator.sync.ledger import DEFAULT_POLICY, Ledger, RenewalPolicy
from replicator.sync.merging import Change, Observation, Policy, details_of, missing_detail, settle
from replicator.sync.planning import (
    ACTIVE_AGE,
    DETAIL_AGE,
    LIST_LANES,
    State,
    absorb_page,
    choose,
    goals,
    head_walk,
    is_head_due,
    landed,
    sent,
)  # fmt: skip
from replicator.sync.run import QUEUE_SIZE, QUEUED_PER_WORKER
from replicator.sync.spending import Limits
from replicator.sync.walking import Lane, Seen, start

if TYPE_CHECKING:
    from replicator.store.rows import Kind
    from replicator.sync.walking import Walk

BEGIN = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
COMMIT_SECONDS = 0.3
"""From an answer to its rows in the database."""
HISTORY = 10**9
"""Identifiers from here on are calls of the history."""
FINAL = timedelta(minutes=15)
"""Calls that ended later than this before the end of the simulation are not judged: they had no time."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is simulated."""

    seed: int = 1
    hours: float = 6
    backlog: int = 1_000_000
    calls_a_minute: float = 2.0
    limits: Limits = field(default_factory=Limits)
    workers: int = 8
    latency_seconds: tuple[float, float] = (0.1, 0.4)
    poll_every: timedelta = timedelta(seconds=60)
    spacing: timedelta = timedelta(seconds=30)
    """Between two calls of the history."""
    policy: RenewalPolicy = DEFAULT_POLICY
    transcript_seconds: float = 45.0
    """Typical wait for a transcript after the end of a call."""


@dataclass(slots=True)
class Life:
    """One call that is created while we watch. None: it never happens."""

    number: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime
    transcript_at: datetime | None
    recording_at: datetime | None
    cached_at: datetime | None


@dataclass(slots=True)
class Queued:
    """A detail's place in the queue."""

    row: DetailRow
    attempts: int = 0


@dataclass(slots=True)
class Measured:
    """What came of it."""

    delays: list[float] = field(default_factory=list)
    """Seconds from when the source has a call's end and transcript until both are stored."""
    end_delays: list[float] = field(default_factory=list)
    """Seconds from a call's end until it is stored that it ended."""
    never: int = 0
    requests: Counter[Lane] = field(default_factory=Counter)
    heads: int = 0
    refused: int = 0
    minutes: Counter[int] = field(default_factory=Counter)
    longest_wait: dict[Lane, float] = field(default_factory=dict)
    longest_look: dict[int, float] = field(default_factory=dict)
    """Seconds between two looks at a part of an age class, at the most, by its number."""
    backlog_read: int = 0
    seconds: float = 0.0


class Simulation:
    """One run of the service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.random = random.Random(service.seed)
        self.now = BEGIN
        self.end = BEGIN + timedelta(hours=service.hours)
        self.measured = Measured()
        self.lives = self._born()
        self.visible = 0
        self.budget = Budget(service.limits.ours, service.limits.window_seconds)
        self.state = State(Ledger(), service.policy, service.poll_every)
        self.details_policy = Policy()
        self.known: dict[UUID, KnownCall] = {}
        self.details: dict[tuple[str, UUID], KnownDetail] = {}
        self.listed = bytearray(service.backlog)
        self.wanted: dict[int, list[Kind]] = {}
        """What a call of the history wants, by the last digit of its number."""
        self.waiting: list[tuple[datetime, int, Queued]] = []
        self.due: dict[Lane, list[tuple[float, int, Queued]]] = {Lane.DETAIL: [], Lane.BACKLOG: []}
        self.events: list[tuple[datetime, int, str, Any]] = []
        self.pages: deque[Any] = deque()
        self.asked: deque[Any] = deque()
        self.busy = 0
        self.ticket = 0
        self.counts: Counter[int] = Counter()
        self.ready_since: dict[Lane, datetime] = {}

    # The source ---------------------------------------------------------------------------------------------------

    def _born(self) -> list[Life]:
        lives: list[Life] = []
        rng, at = self.random, BEGIN
        while self.service.calls_a_minute and at < self.end:
            at += timedelta(seconds=rng.expovariate(self.service.calls_a_minute / 60))
            rings = timedelta(seconds=rng.uniform(3, 25))
            if rng.random() < 0.2:
                lives.append(Life(len(lives), at, None, at + rings, None, None, None))
                continue
            ended = at + rings + timedelta(seconds=min(3000, rng.lognormvariate(4.6, 0.75)))
            ready = ended + timedelta(seconds=rng.uniform(5, 90))
            written = ended + timedelta(seconds=1 + rng.expovariate(1 / self.service.transcript_seconds))
            lives.append(
                Life(
                    len(lives), at, at + rings, ended,
                    None if rng.random() < 0.02 else written,
                    None if rng.random() < 0.05 else ready,
                    ready + timedelta(seconds=20) if rng.random() < 0.6 else None,
                )
            )  # fmt: skip
        return lives

    def _page(self, offset: int, limit: int) -> tuple[list[Call], range]:
        """Return the rows of a page, newest first: calls of our time, and the numbers of calls of the history."""
        mine = [self._row(self.lives[place]) for place in range(self.visible - 1 - offset, -1, -1)[:limit]]
        first = max(0, offset - self.visible)
        return mine, range(first, min(self.service.backlog, first + limit - len(mine)))

    def _created(self, number: int) -> datetime:
        """Return when a call of the history was created."""
        return BEGIN - self.service.spacing * (number + 1)

    def _old_row(self, number: int) -> Call:
        """Return a call of the history: six of ten were talks, and the URL of three of five is known."""
        created = self._created(number)
        url = "https://recordings.example.net" if number % 5 < 3 else None
        ended = created + timedelta(minutes=1)
        status = "completed" if number % 10 < 6 else "no_answer"
        started = created if status == "completed" else None
        return self._call(UUID(int=HISTORY + number), created, status, started, ended, url if started else None)

    def _row(self, life: Life) -> Call:
        """Return a call of our time as it is now."""
        has_ended = self.now >= life.ended_at
        has_started = life.started_at is not None and self.now >= life.started_at
        status = "in_progress" if has_started else "ringing"
        if has_ended:
            status = "completed" if life.started_at else "no_answer"
        url = None
        if life.cached_at is not None and life.recording_at is not None and self.now >= life.cached_at:
            url = "https://recordings.example.net"
        return self._call(
            UUID(int=life.number), life.created_at, status, life.started_at if has_started else None,
            life.ended_at if has_ended else None, url,
        )  # fmt: skip

    def _call(
        self,
        call_id: UUID,
        created: datetime,
        status: str,
        started: datetime | None,
        ended: datetime | None,
        url: str | None,
    ) -> Call:
        return Call(
            call_id, None, None, None, "outbound", status, started, ended, None, None, None, url, None, created, created,
            "{}", f"{status}{url}".encode(),
        )  # fmt: skip

    def _answer(self, load: tuple[Any, ...]) -> Any:
        """Answer a request that arrives now; count it in its window."""
        lane, is_head, walk, _detail, _sent_at = load
        while self.visible < len(self.lives) and self.lives[self.visible].created_at <= self.now:
            self.visible += 1
        window = int(self.now.timestamp() // self.service.limits.window_seconds)
        self.counts[window] += 1
        if self.service.limits.per_window is not None and self.counts[window] > self.service.limits.per_window:
            self.measured.refused += 1
        self.measured.requests[lane] += 1
        self.measured.heads += is_head
        if walk is not None:
            total = self.visible + self.service.backlog
            return (*self._page(walk.offset, walk.limit), total)
        return self._has(load[3].row.kind, load[3].row.call_id)

    def _has(self, kind: Kind, call_id: UUID) -> bool:
        if call_id.int >= HISTORY:
            return call_id.int % 50 > 0
        life = self.lives[call_id.int]
        ready = life.transcript_at if kind == "transcript" else life.recording_at
        return ready is not None and self.now >= ready

    # The replicator: what run.py does around the decisions ------------------------------------------------------------

    def run(self) -> Simulation:
        begun = time.perf_counter()
        wake_at = self._send()
        while self.now < self.end:
            self._work()
            if not self.events:
                self._tick(wake_at)
                wake_at = self._send()
                continue
            if wake_at is not None and wake_at < self.events[0][0]:
                self.now = max(wake_at, self.now + timedelta(milliseconds=1))
                wake_at = self._send()
                continue
            at, _, what, load = heapq.heappop(self.events)
            self.now = max(self.now, at)
            if what == "arrives":
                self._push(self._latency() / 2, "answers", (load, self.now, self._answer(load)))
                continue
            if what == "answers":
                self.busy -= 1
                self._land(*load)
            else:
                self._commit(*load)
            wake_at = self._send()
        self.measured.seconds = time.perf_counter() - begun
        self._judge()
        return self

    def _tick(self, wake_at: datetime | None) -> None:
        """Nothing is under way: wait for what was held back, or for the next run of the service, on its own schedule."""
        if wake_at is not None:
            self.now = max(wake_at, self.now + timedelta(milliseconds=1))
            return
        self.now += self.service.poll_every - (self.now - BEGIN) % self.service.poll_every
        self.state = State(self.state.ledger, self.service.policy, self.service.poll_every)

    def _latency(self) -> float:
        return self.random.uniform(*self.service.latency_seconds)

    def _push(self, seconds: float, what: str, load: Any) -> None:
        self.ticket += 1
        heapq.heappush(self.events, (self.now + timedelta(seconds=seconds), self.ticket, what, load))

    @property
    def in_flight(self) -> int:
        return self.busy + len(self.pages) + len(self.asked)

    def _send(self) -> datetime | None:
        self._goals()
        self._refill()
        details = {lane: min(QUEUE_SIZE, len(heap)) for lane, heap in self.due.items()}
        state = replace(self.state, details=details)
        self._note_ready(state)
        room = QUEUED_PER_WORKER * self.service.workers - self.in_flight
        allowance = self.budget.allowance(self.now)
        # One more than is allowed says that there is more; all the others would be dropped below.
        lanes = choose(
            state, self.now, min(room, room if allowance is None else allowance + 1), self.budget.spare(self.now)
        )
        if not lanes:
            return self.budget.spares_at(self.now) if choose(state, self.now, min(1, room)) else None
        count = len(lanes) if allowance is None else min(len(lanes), allowance)
        if count:
            closes_at = self.budget.closes_at(self.now)
            self.budget = self.budget.charge(self.now, count)
            for lane in lanes[:count]:
                self._submit(lane, closes_at)
        return self.budget.opens_at(self.now) if lanes[count:] else None

    def _submit(self, lane: Lane, closes_at: datetime) -> None:
        is_head = lane is Lane.FRESH and is_head_due(self.state, self.now)
        walk: Walk | None = None
        queued: Queued | None = None
        if is_head:
            walk = head_walk(self.state)
        elif lane in self.due:
            queued = heapq.heappop(self.due[lane])[2]
        else:
            walk = self.state.walks[lane]
        self.state = sent(self.state, lane, is_head=is_head, at=self.now)
        self._note_sent(lane)
        (self.asked if walk is None else self.pages).append((lane, is_head, walk, queued, closes_at))

    def _work(self) -> None:
        """Let idle workers take what is queued, pages first."""
        while self.busy < self.service.workers and (self.pages or self.asked):
            lane, is_head, walk, queued, closes_at = (self.pages or self.asked).popleft()
            if self.now >= closes_at:
                self.state = landed(self.state, lane, is_head=is_head)
                self.budget = self.budget.landed(Landing(self.now, self.now, None))
                if queued is not None:
                    self._queue(queued)
                if is_head:
                    self.state = replace(self.state, head_asked_at=None)
                continue
            self.busy += 1
            self._push(self._latency() / 2, "arrives", (lane, is_head, walk, queued, self.now))

    def _land(self, load: tuple[Any, ...], server_time: datetime, answer: Any) -> None:
        lane, is_head, walk, _, sent_at = load
        self.budget = self.budget.landed(Landing(sent_at, self.now, server_time))
        self.state = landed(self.state, lane, is_head=is_head)
        if walk is not None:
            mine, history, total = answer
            created = (*(call.created_at for call in mine), *map(self._created, history))
            seen = Seen(created, walk.offset, total, sent_at, server_time)
            self._note_looks()
            self.state = absorb_page(self.state, walk, seen, is_head=is_head, oldest_known=None).state
        self._push(COMMIT_SECONDS, "commits", (load, answer))

    def _commit(self, load: tuple[Any, ...], answer: Any) -> None:
        _, _, walk, queued, sent_at = load
        if walk is None:
            self._commit_detail(queued, sent_at, is_there=answer)
            return
        calls, history, _ = answer
        known = {call.id: self.known[call.id] for call in calls if call.id in self.known}
        settled = settle(known, [Observation(call, sent_at) for call in calls])
        for call, change, before in settled.changes:
            if change is Change.SAME:
                continue
            self.known[call.id] = KnownCall(
                call.fingerprint, call.updated_at, sent_at, 1, call.status, call.ended_at, None, None, is_deleted=False
            )
            if self.details_policy.stages.is_over(call) and (before is None or before.ended_at is None):
                life = self.lives[call.id.int]
                self.measured.end_delays.append((self.now - life.ended_at).total_seconds())
            mine = {kind: self.details.get((kind, call.id)) for kind in self.details_policy.kinds}
            for row in details_of(call, change, before, mine, sent_at, self.details_policy):
                self._store(row)
                if row.due_at is not None:
                    self._queue(Queued(row))
        self._commit_history(history, sent_at)

    def _commit_history(self, numbers: range, sent_at: datetime) -> None:
        """Queue what new calls of the history want. Calls that are alike want the same, so the product is asked once."""
        for number in numbers:
            if self.listed[number]:
                continue
            self.listed[number] = 1
            self.measured.backlog_read += 1
            if number % 10 not in self.wanted:
                rows = details_of(self._old_row(number), Change.NEW, None, {}, sent_at, self.details_policy)
                self.wanted[number % 10] = [row.kind for row in rows if row.due_at is not None]
            for kind in self.wanted[number % 10]:
                created = self._created(number)
                deadline = created + self.details_policy.give_up_age
                row = DetailRow(
                    kind, UUID(int=HISTORY + number), "pending", created, due_at=sent_at, deadline_at=deadline
                )
                self._queue(Queued(row))

    def _commit_detail(self, queued: Queued, sent_at: datetime, *, is_there: bool) -> None:
        row = queued.row
        if is_there:
            if row.call_id.int >= HISTORY:
                return
            self._store(replace(row, state="present", due_at=None, fetched_at=sent_at))
            if row.kind == "transcript":
                written = self.lives[row.call_id.int].transcript_at
                assert written is not None
                self.measured.delays.append((self.now - written).total_seconds())
            return
        missed = missing_detail(
            row.kind, row.call_id, row.call_created_at, queued.attempts, row.deadline_at, sent_at, self.details_policy,
            is_fault=False, reason="",
        )  # fmt: skip
        self._store(missed)
        if missed.due_at is not None:
            self._queue(Queued(missed, missed.attempts))

    def _store(self, row: DetailRow) -> None:
        self.details[row.kind, row.call_id] = KnownDetail(
            row.state, row.attempts, row.due_at, row.deadline_at, row.fetched_at, None, None
        )

    def _queue(self, queued: Queued) -> None:
        self.ticket += 1
        heapq.heappush(self.waiting, (queued.row.due_at or self.now, self.ticket, queued))

    def _refill(self) -> None:
        while self.waiting and self.waiting[0][0] <= self.now:
            _, number, queued = heapq.heappop(self.waiting)
            created = queued.row.call_created_at
            assert created is not None
            lane = Lane.DETAIL if self.now - created <= DETAIL_AGE else Lane.BACKLOG
            heapq.heappush(self.due[lane], (-created.timestamp(), number, queued))

    def _goals(self) -> None:
        if self.state.head_asked_at is None:
            return
        if Lane.ACTIVE not in self.state.walks and not self.state.head_in_flight:
            since = self.now - ACTIVE_AGE
            open_calls = []
            for life in self.lives[: self.visible]:
                known = self.known.get(UUID(int=life.number)) if life.created_at >= since else None
                if known is not None and known.ended_at is None:
                    open_calls.append(life.created_at)
            self.state = replace(self.state, open_calls=tuple(open_calls))
        walks = dict(self.state.walks)
        for goal in goals(self.state, self.now):
            walks[goal.lane] = start(goal.lane, goal.hole, newer_calls=self._newer(goal.hole.until))
        self.state = replace(self.state, walks=walks)

    def _newer(self, at: datetime) -> int:
        newer = sum(life.created_at >= at for life in self.lives[: self.visible])
        return newer + max(0, min(self.service.backlog, int((BEGIN - at) / self.service.spacing)))

    # The observer -------------------------------------------------------------------------------------------------

    def _note_ready(self, state: State) -> None:
        """Remember since when each lane could have sent something."""
        for lane in Lane:
            if lane in LIST_LANES:
                is_ready = lane in state.walks and not state.in_flight.get(lane)
                is_ready = is_ready or (lane is Lane.FRESH and is_head_due(state, self.now))
            else:
                is_ready = state.details.get(lane, 0) > 0
            if not is_ready:
                self.ready_since.pop(lane, None)
            else:
                self.ready_since.setdefault(lane, self.now)

    def _note_sent(self, lane: Lane) -> None:
        since = self.ready_since.pop(lane, None)
        if since is not None:
            waited = (self.now - since).total_seconds()
            self.measured.longest_wait[lane] = max(waited, self.measured.longest_wait.get(lane, 0))

    def _note_looks(self) -> None:
        """Before a page is taken in: how old are the looks in each age class?"""
        for number, (age_class, _) in enumerate(self.service.policy.classes(self.now), 1):
            looks = [piece.verified_at for piece in self.state.ledger.pieces if piece.interval.overlap(age_class)]
            if looks:
                oldest = (self.now - min(looks)).total_seconds()
                self.measured.longest_look[number] = max(oldest, self.measured.longest_look.get(number, 0))

    def _judge(self) -> None:
        """Count what should have come and did not."""
        stored = {
            call_id.int
            for (kind, call_id), detail in self.details.items()
            if kind == "transcript" and detail.state == "present"
        }
        for life in self.lives[: self.visible]:
            is_judged = life.transcript_at is not None and life.transcript_at < self.end - FINAL
            self.measured.never += is_judged and life.number not in stored

    def figures(self) -> dict[str, Any]:
        """Return the figures of the bar."""
        m, service = self.measured, self.service
        minutes = service.hours * 60
        allowed = (service.limits.ours or 0) * 60 / service.limits.window_seconds * minutes
        valuable = sum(m.requests[lane] for lane in (Lane.FRESH, Lane.ACTIVE, Lane.DETAIL))
        history = sum(m.requests[lane] for lane in (Lane.BACKFILL, Lane.BACKLOG))
        return {
            "hours": service.hours,
            "backlog_calls": service.backlog,
            "calls_a_minute": service.calls_a_minute,
            "judged_transcripts": len(m.delays),
            "never_stored": m.never,
            "p50_seconds": percentile(m.delays, 0.5),
            "p95_seconds": percentile(m.delays, 0.95),
            "longest_seconds": round(max(m.delays), 1),
            "end_p50_seconds": percentile(m.end_delays, 0.5),
            "end_p95_seconds": percentile(m.end_delays, 0.95),
            "limit_a_minute": service.limits.per_window,
            "allowed_a_minute": service.limits.ours,
            "used_a_minute": round(sum(m.requests.values()) / minutes, 2),
            "history_share_of_the_rest": round(history / (allowed - valuable), 4),
            "history_and_renewal_share_of_the_rest": round(
                (history + m.requests[Lane.RENEWAL]) / (allowed - valuable), 4
            ),
            "requests": {lane.value: m.requests[lane] for lane in Lane},
            "longest_wait_seconds": {lane.value: round(wait, 1) for lane, wait in sorted(m.longest_wait.items())},
            "over_the_limit": m.refused,
            "backlog_calls_listed": m.backlog_read,
            "oldest_look_seconds_by_class": {
                str(number): round(m.longest_look[number]) for number in sorted(m.longest_look)
            },
            "simulated_days_a_second": float(f"{service.hours / 24 / m.seconds:.2g}"),
        }


def percentile(values: list[float], share: float) -> float:
    return round(sorted(values)[min(len(values) - 1, int(share * len(values)))], 1) if values else 0.0


def main() -> None:
    result = Simulation(Service()).run().figures()
    common.write("service", result)
    print(result)


if __name__ == "__main__":
    main()
