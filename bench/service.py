"""The service in virtual time: calls that end now, while a million older ones are read at 100 requests a minute.

The product's own engine, run after run, against a source that is arithmetic: call number i of the history was created at a
time that follows from i, so a page of any offset costs nothing to make. Its actions are performed in virtual time by
tests/sync/fix_driver.py; what is here is the source, the replica as a few tables, and the measuring.
"""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bench import common
from replicator.budget.key_budget import KeyBudget, Limits
from replicator.errors import NotFound
from replicator.records import Call, Page, Segment, Transcript
from replicator.store.rows import DetailRow, KnownCall, KnownDetail
from replicator.sync.content.calls import Change, Observation, Policy, details_of, settle
from replicator.sync.content.missing import missing_detail
from replicator.sync.coverage.ledger import DEFAULT_POLICY, Ledger, RenewalPolicy
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.credit import Rest
from replicator.sync.engine.engine import Engine
from replicator.sync.engine.planner import LIST_LANES, is_head_due
from replicator.sync.engine.position import start
from replicator.sync.engine.presence import Presence
from replicator.sync.options import Options
from replicator.sync.protocol.actions import Send, Wait
from replicator.sync.protocol.requests import Detail, Outcome
from replicator.sync.protocol.results import Committed
from tests.sync.fix_driver import Driver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.store.rows import Kind
    from replicator.sync.deletions.rules import Absence
    from replicator.sync.engine.state import State
    from replicator.sync.protocol.actions import Action, Charge, Commit
    from replicator.sync.protocol.requests import Request

BEGIN = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
WRITING = timedelta(seconds=0.05)
"""How long a commit takes."""
SPOKEN = Transcript((Segment(0, "agent", "hello", None, None, "{}"),), None, "{}", b"hello")
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
        self.key_budget = KeyBudget(service.limits)
        self.engine: Engine
        self.details_policy = Policy()
        self.known: dict[UUID, KnownCall] = {}
        self.details: dict[tuple[str, UUID], KnownDetail] = {}
        self.listed = bytearray(service.backlog)
        self.wanted: dict[int, list[Kind]] = {}
        """What a call of the history wants, by the last digit of its number."""
        self.waiting: list[tuple[datetime, int, Detail]] = []
        """Queued details by when they are due."""
        self.due: dict[int, dict[tuple[str, UUID], Detail]] = {}
        """Those that are due, by the hour in which their call was created."""
        self.ticket = 0
        self.begun_with = 0
        """Calls that were stored when the present run began."""
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

    def arrived(self, request: Request, sent_at: datetime) -> Outcome:
        """Answer a request that arrives now; count it in its window."""
        while self.visible < len(self.lives) and self.lives[self.visible].created_at <= self.now:
            self.visible += 1
        window = int(self.now.timestamp() // self.service.limits.window_seconds)
        self.counts[window] += 1
        if self.service.limits.per_window is not None and self.counts[window] > self.service.limits.per_window:
            self.measured.refused += 1
        self.measured.requests[request.lane] += 1
        self.measured.heads += request.is_head
        outcome = Outcome(request, sent_at, self.now, self.now)
        if request.walk is not None:
            walk = request.walk
            mine, history = self._page(walk.offset, walk.limit)
            calls = (*mine, *map(self._old_row, history))
            created = tuple(call.created_at for call in calls)
            total = self.visible + self.service.backlog
            page = Page(calls, (), created, walk.offset, walk.limit, total, None, self.now)
            return replace(outcome, page=page)
        assert request.detail is not None
        if self._has(request.detail.kind, request.detail.call_id):
            return replace(outcome, found=SPOKEN)
        return replace(outcome, error=NotFound("not there", status=404))

    def _has(self, kind: Kind, call_id: UUID) -> bool:
        if call_id.int >= HISTORY:
            return call_id.int % 50 > 0
        life = self.lives[call_id.int]
        ready = life.transcript_at if kind == "transcript" else life.recording_at
        return ready is not None and self.now >= ready

    # The service: one run after the other ---------------------------------------------------------------------------

    def run(self) -> Simulation:
        begun = time.perf_counter()
        service, ledger = self.service, self.first_ledger()
        credit, rest = None, None
        options = Options(
            workers=service.workers, poll_every=service.poll_every, renewal=service.policy, limits=service.limits
        )
        while self.now < self.end:
            self.begun_with = self._live
            # The list is counted by its slices once a day: today that is done.
            began = self.now
            position = start(
                options, ledger, began, live=self._live, oldest_known=None, sliced_at=began, credit=credit, rest=rest
            )
            engine = Engine(options, position, Presence(options.confirm_after, (), 1), [self.key_budget], self.now)
            self.engine = engine
            Driver(self, engine, service.workers).run(self.end)
            ledger, credit = engine.position.state.ledger, engine.position.state.credit
            rest = Rest(began, self.now + service.poll_every)
            self.now += service.poll_every - (self.now - BEGIN) % service.poll_every
        self.measured.seconds = time.perf_counter() - begun
        self._judge()
        return self

    def first_ledger(self) -> Ledger:
        """Return what is known of the list when the service begins: nothing."""
        return Ledger()

    # What the driver asks -------------------------------------------------------------------------------------------

    @property
    def replica(self) -> Simulation:
        return self

    def way(self) -> timedelta:
        return timedelta(seconds=self.random.uniform(*self.service.latency_seconds) / 2)

    way_back = way

    def writing(self) -> timedelta:
        return WRITING

    def sent(self, request: Request) -> None:
        """Nothing is to be noted: a request counts where it arrives."""

    def goes_on(self, action: Action) -> bool:
        """Note who waits and who is served; the service goes on whatever comes."""
        if isinstance(action, Send):
            for request in action.requests:
                self._note_sent(request.lane)
        elif isinstance(action, Wait):
            self._note_ready(replace(self.engine.position.state, details=self.engine.details.by_lane()))
        return True

    def charge(self, charge: Charge) -> bool:
        return self.key_budget.charge(charge.at, charge.requests)

    # What the engine asks of the replica ----------------------------------------------------------------------------

    def knows_any(self, ids: Sequence[UUID]) -> bool:
        return any(one in self.known for one in ids)

    def suspected(self) -> int:
        return 0

    def due_absences(self, _live: int, _now: datetime, _most: int) -> list[Absence]:
        return []

    def stored_before(self, instants: Sequence[datetime], _begun_at: datetime) -> dict[datetime, int]:
        return {at: self._live - self.count_newer(at) for at in instants}

    def open_calls(self, since: datetime) -> list[datetime]:
        known = ((life, self.known.get(UUID(int=life.number))) for life in self.lives[: self.visible])
        return [life.created_at for life, one in known if life.created_at >= since and one and one.ended_at is None]

    def count_newer(self, at: datetime, most: int | None = None) -> int:
        mine = sum(life.created_at >= at and UUID(int=life.number) in self.known for life in self.lives[: self.visible])
        newer = mine + max(0, min(self.measured.backlog_read, int((BEGIN - at) / self.service.spacing)))
        return newer if most is None else min(newer, most)

    def values(self) -> tuple[list[str], list[str], list[str]]:
        return [], [], []

    def due_details(self, kinds: Sequence[Kind], now: datetime, most: int) -> list[Detail]:
        """Return details that are due, newest call first."""
        while self.waiting and self.waiting[0][0] <= now:
            _, _, detail = heapq.heappop(self.waiting)
            self.due.setdefault(self._hour(detail), {})[detail.kind, detail.call_id] = detail
        found: list[Detail] = []
        for hour in sorted(self.due, reverse=True):
            found += sorted(self.due[hour].values(), key=lambda one: one.call_created_at or BEGIN, reverse=True)
            if len(found) >= most:
                break
        return [detail for detail in found if detail.kind in kinds][:most]

    @staticmethod
    def _hour(detail: Detail) -> int:
        assert detail.call_created_at is not None
        return int(detail.call_created_at.timestamp() // 3600)

    @property
    def _live(self) -> int:
        return len(self.known) + self.measured.backlog_read

    # What it writes -------------------------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> Committed:
        """Write a batch. Its rows are there when the writing is over."""
        self._note_looks(commit.position.stored)
        for outcome in commit.batch.outcomes:
            if outcome.page is not None:
                self._commit_page(outcome.page.calls, outcome.sent_at)
            elif outcome.request.detail is not None:
                self._commit_detail(outcome.request.detail, outcome.sent_at, is_there=outcome.found is not None)
        inserted = self._live - self.begun_with
        return Committed(self._live, None, has_absences=False, inserted=inserted, news=inserted)

    def _commit_page(self, rows: Sequence[Call], sent_at: datetime) -> None:
        calls = [call for call in rows if call.id.int < HISTORY]
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
                self.measured.end_delays.append((self.now + WRITING - life.ended_at).total_seconds())
            mine = {kind: self.details.get((kind, call.id)) for kind in self.details_policy.kinds}
            for row in details_of(call, change, before, mine, sent_at, self.details_policy):
                self._store(row)
        self._commit_history([call for call in rows if call.id.int >= HISTORY], sent_at)

    def _commit_history(self, calls: Sequence[Call], sent_at: datetime) -> None:
        """Queue what new calls of the history want. Calls that are alike want the same, so the product is asked once."""
        for call in calls:
            number = call.id.int - HISTORY
            if self.listed[number]:
                continue
            self.listed[number] = 1
            self.measured.backlog_read += 1
            if number % 10 not in self.wanted:
                rows = details_of(call, Change.NEW, None, {}, sent_at, self.details_policy)
                self.wanted[number % 10] = [row.kind for row in rows if row.due_at is not None]
            for kind in self.wanted[number % 10]:
                created = self._created(number)
                deadline = created + self.details_policy.give_up_age
                self._queue(DetailRow(kind, call.id, "pending", created, due_at=sent_at, deadline_at=deadline))

    def _commit_detail(self, asked: Detail, sent_at: datetime, *, is_there: bool) -> None:
        hour = self._hour(asked)
        self.due.get(hour, {}).pop((asked.kind, asked.call_id), None)
        if not self.due.get(hour):
            self.due.pop(hour, None)
        if is_there and asked.call_id.int >= HISTORY:
            return
        if is_there:
            row = DetailRow(asked.kind, asked.call_id, "present", asked.call_created_at, fetched_at=sent_at)
            self._store(replace(row, deadline_at=asked.deadline_at))
            if asked.kind == "transcript":
                written = self.lives[asked.call_id.int].transcript_at
                assert written is not None
                self.measured.delays.append((self.now + WRITING - written).total_seconds())
            return
        known = self.details.get((asked.kind, asked.call_id))
        self._store(missing_detail(asked, known, sent_at, self.details_policy, is_fault=False, reason=""))

    def _store(self, row: DetailRow) -> None:
        self.details[row.kind, row.call_id] = KnownDetail(
            row.state, row.attempts, row.due_at, row.deadline_at, row.fetched_at, None, None, None,
            row.absent_looks, row.absent_since, row.waits_last,
        )  # fmt: skip
        self._queue(row)

    def _queue(self, row: DetailRow) -> None:
        if row.due_at is None:
            return
        self.ticket += 1
        detail = Detail(
            row.kind, row.call_id, row.call_created_at, row.attempts, row.deadline_at, row.waits_last
        )  # fmt: skip
        heapq.heappush(self.waiting, (row.due_at, self.ticket, detail))

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

    def _note_looks(self, ledger: Ledger) -> None:
        """Before a batch is written: how old are the looks in each age class?"""
        for number, (age_class, _) in enumerate(self.service.policy.classes(self.now), 1):
            looks = [piece.verified_at for piece in ledger.pieces if piece.interval.overlap(age_class)]
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
                (history + m.requests[Lane.RENEWAL] + m.requests[Lane.REREAD]) / (allowed - valuable), 4
            ),
            "requests": {lane.value: m.requests[lane] for lane in Lane if m.requests[lane]},
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
