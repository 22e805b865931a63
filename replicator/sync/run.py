"""One run of the replicator: plan, fetch, parse, commit, until nothing is left or a bound is reached.

The loop is a shell around pure decisions. Each turn it asks the planner what is worth a request, charges the budget,
hands the requests to the workers, and commits what has come in: rows and the coverage that they prove, in one
transaction under the lease. Killing it at any moment loses at most the answers not yet committed, which are asked again.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from replicator import __version__
from replicator.errors import (
    DatabaseUnavailable,
    LeaseLost,
    RateLimited,
    SourceError,
)
from replicator.source.budget import Landing
from replicator.store import books, lease, merge
from replicator.store.migrate import check
from replicator.sync.committing import Committer, load_ledger, save_policy
from replicator.sync.fetching import Detail, Fetcher, Outcome, Reading, Request
from replicator.sync.judging import Judge, Verdict
from replicator.sync.ledger import DEFAULT_POLICY, EVERYTHING, Ledger, RenewalPolicy
from replicator.sync.merging import Policy
from replicator.sync.planning import ACTIVE_AGE, State, choose, goals, head_walk, is_head_due, landed, sent
from replicator.sync.position import Batch, Position, Source, absorb
from replicator.sync.spending import Limits, Spending
from replicator.sync.walking import Lane, Walk, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from replicator.store.database import Database

T = TypeVar("T")

DETAIL_AGE = timedelta(hours=1)
"""Details of calls younger than this go before history: of calls that just ended, and not of a whole day at a first sync."""
QUEUE_SIZE = 400
"""Due details that are held at hand."""
BATCH_SIZE = 1000
"""Rows about which a batch is committed …"""
BATCH_AGE = timedelta(seconds=0.25)
"""… or the age of its first answer, if that comes first; at once where workers would be idle."""
QUEUED_PER_WORKER = 64
"""Requests handed to the workers ahead of time, so that none is idle while a batch is committed."""
HEARTBEAT_SECONDS = 10
DATABASE_PATIENCE_SECONDS = 60
STOP_SECONDS = 5

Result = Literal["done", "bounded", "stopped"]


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decides about a run."""

    account: str = "default"
    base_url: str = ""
    command: str = "sync"
    workers: int = 8
    poll_every: timedelta = timedelta(seconds=60)
    renewal: RenewalPolicy = DEFAULT_POLICY
    details: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    max_seconds: float | None = None
    max_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a run has done so far and what it knows to be left."""

    counters: books.Counters
    total: int | None
    """Calls that the source says it has."""
    due_details: int
    requests_in_flight: int
    waits_until: datetime | None
    """Where set, the budget or a failing source keeps the run waiting until then (our clock)."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended."""

    result: Result
    counters: books.Counters
    seconds: float
    details_due: int
    details_waiting: int
    """Details that are queued for later: the source does not have them yet."""
    is_listing_complete: bool
    """Every call of the list was compared with the source."""
    next_due_at: datetime | None


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Run:
    """One run. `readers` are pairs of a key and a reader that uses it; nothing here can write to the source."""

    def __init__(
        self,
        database: Database,
        readers: Sequence[tuple[str, Reading]],
        options: Options,
        *,
        stop: Event | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._database = database
        self._options = options
        self._stop = stop
        self._on_progress = on_progress
        self._clock = clock
        self._spendings = [Spending(database, key, options.limits) for key, _ in readers]
        self._readers = [reader for _, reader in readers]
        self._queues: dict[Lane, deque[Detail]] = {Lane.DETAIL: deque(), Lane.BACKLOG: deque()}
        self._asked: set[tuple[str, object]] = set()
        self._batch = Batch()
        self._landed: list[tuple[str, object]] = []
        """Details that have come in, one way or another, and are committed with the batch."""
        self._may_be_more_due = True
        self._is_more_valuable_due = False
        self._is_some_to_be_asked_again = False
        self._judge = Judge()
        self._held_at = clock()
        self._room = QUEUED_PER_WORKER * options.workers
        self._position = Position(State(Ledger()), Ledger(), Source(options.base_url))
        self._committer: Committer

    def perform(self, held: lease.Lease | None = None) -> Report:
        """Bring the replica up to date under the lease that is held, or under one that is taken for this run.

        Raises the SourceError that made it impossible to go on, a DatabaseError, or LeaseHeld. What was committed
        until then stays.
        """
        started = time.monotonic()
        check(self._database)
        account = self._options.account
        is_ours = held is None
        held = held or lease.acquire(self._database, self._options.command)
        fetcher = Fetcher(self._readers, self._options.workers, self._clock)
        outcome, message = "failed", None
        try:
            self._begin(held, account)
            result = self._loop(fetcher)
            outcome = result
            return self._report(result, time.monotonic() - started)
        except BaseException as error:
            outcome = "failed" if isinstance(error, Exception) else "stopped"
            message = f"{type(error).__name__}: {error}" if isinstance(error, SourceError) else type(error).__name__
            raise
        finally:
            fetcher.close()
            self._end(held, outcome, message, is_ours=is_ours)

    def _begin(self, held: lease.Lease, account: str) -> None:
        now = self._clock()
        with self._database.transaction() as tx:
            lease.hold(tx, held)
            was_killed = books.has_lost_run(tx, account)
            run_id = books.begin_run(tx, account, self._options.command, __version__, held.holder, held.epoch)
            save_policy(tx, account, self._options, keys=len(self._spendings))
            ledger = load_ledger(tx, account)
            self._position = Position(
                State(ledger, self._options.renewal, self._options.poll_every),
                ledger,
                Source(self._options.base_url),
                merge.oldest_live(tx, account),
                books.has_quarantine(tx, account),
            )
        self._committer = Committer(account, held, run_id, self._options.details, self._spendings)
        for spending in self._spendings:
            spending.load(now)
            if was_killed:
                spending.assume_lost(now, self._options.workers)

    def _end(self, held: lease.Lease, outcome: str, message: str | None, *, is_ours: bool) -> None:
        try:
            if hasattr(self, "_committer"):
                with self._database.transaction() as tx:
                    lease.hold(tx, held)
                    books.save_run(tx, self._committer.run_id, self._committer.counters, outcome, message)
            if is_ours:
                lease.release(self._database, held)
        except (DatabaseUnavailable, LeaseLost):
            # The database is away, or another took over: the lease frees itself, and the next run marks this one lost.
            return

    def _loop(self, fetcher: Fetcher) -> Result:
        deadline = None
        if self._options.max_seconds is not None:
            deadline = self._clock() + timedelta(seconds=self._options.max_seconds)
        while True:
            now = self._clock()
            ending: Result | None = None
            if self._stop is not None and self._stop.is_set():
                ending = "stopped"
            elif (deadline is not None and now >= deadline) or self._requests_left() <= 0:
                ending = "bounded"
            if ending is not None:
                self._drain(fetcher, STOP_SECONDS if ending == "stopped" else None)
                return ending
            wake_at = self._send(fetcher, now)
            if self._is_commit_due(fetcher, now):
                self._commit(now)
                continue
            if wake_at is None and fetcher.in_flight == 0:
                return "done"
            self._tell(fetcher, wake_at)
            timeout = _seconds_until(wake_at, now) if wake_at else float(HEARTBEAT_SECONDS)
            if deadline is not None:
                timeout = min(timeout, _seconds_until(deadline, now))
            if self._batch.since is not None:
                timeout = min(timeout, _seconds_until(self._batch.since + BATCH_AGE, now))
            self._take(fetcher.collect(min(timeout, 0.25 if self._stop else timeout), BATCH_SIZE))

    def _drain(self, fetcher: Fetcher, at_most_seconds: float | None) -> None:
        """Take what is still in flight: all of it, or what comes in within so many seconds."""
        fetcher.close()
        until = time.monotonic() + (at_most_seconds if at_most_seconds is not None else 3600)
        while fetcher.in_flight and time.monotonic() < until:
            self._take(fetcher.collect(min(1.0, max(0.01, until - time.monotonic())), BATCH_SIZE))
        self._commit(self._clock())

    # What to send ------------------------------------------------------------------------------------------------

    def _send(self, fetcher: Fetcher, now: datetime) -> datetime | None:
        """Send what is worth it and allowed; return when to look again, or None where only answers (or nothing) remain."""
        if self._judge.resume_at is not None and now < self._judge.resume_at:
            return self._judge.resume_at
        self._set_goals(now)
        self._refill(now)
        room = min(self._room - fetcher.in_flight, self._requests_left())
        if room <= 0:
            return None
        state = replace(self._position.state, details={lane: len(queue) for lane, queue in self._queues.items()})
        lanes = choose(state, now, room, sum(spending.spare(now) for spending in self._spendings))
        if not lanes:
            is_held_back = bool(choose(state, now, 1))
            return min(spending.budget.spares_at(now) for spending in self._spendings) if is_held_back else None
        for key, spending in enumerate(self._spendings):
            count = min(len(lanes), spending.free(now))
            if count > 0 and spending.charge(now, count):
                expires_at = spending.budget.closes_at(now)
                for lane in lanes[:count]:
                    self._submit(fetcher, lane, key, now, expires_at)
                for lane, details in Counter(lane for lane in lanes[:count] if lane in self._queues).items():
                    self._position = replace(self._position, state=sent(self._position.state, lane, details))
                lanes = lanes[count:]
        if not lanes or fetcher.in_flight:
            return self._opens_at(now) if lanes else None
        return self._opens_at(now)

    def _opens_at(self, now: datetime) -> datetime:
        return min(spending.budget.opens_at(now) for spending in self._spendings)

    def _submit(self, fetcher: Fetcher, lane: Lane, key: int, now: datetime, expires_at: datetime) -> None:
        state = self._position.state
        walk: Walk | None = None
        detail: Detail | None = None
        is_head = lane is Lane.FRESH and is_head_due(state, now)
        if is_head:
            walk = head_walk(state)
        elif lane in self._queues:
            detail = self._queues[lane].popleft()
            self._asked.add((detail.kind, detail.call_id))
        elif state.sweep is not None:
            walk = Walk(lane, EVERYTHING, offset=state.sweep.offset)
        else:
            walk = state.walks[lane]
        if walk is not None:
            self._position = replace(self._position, state=sent(state, lane, is_head=is_head, at=now))
        fetcher.submit(Request(lane, key, expires_at, walk, is_head, detail))

    def _set_goals(self, now: datetime) -> None:
        """Start a walk for every hole that is worth one."""
        state = self._position.state
        is_active_asked = Lane.ACTIVE in state.walks
        if state.head_asked_at is not None and not is_active_asked and not state.head_in_flight:
            since = now - ACTIVE_AGE
            account = self._options.account
            found = self._ask_database(lambda connection: merge.open_calls(connection, account, since))
            state = replace(state, open_calls=tuple(found))
        elif state.head_asked_at is None:
            return
        walks = dict(state.walks)
        for goal in goals(state, now):
            until, account = goal.hole.until, self._options.account
            rank = self._ask_database(partial(merge.count_newer, account=account, at=until))
            walks[goal.lane] = start(goal.lane, goal.hole, newer_calls=rank)
        self._position = replace(self._position, state=replace(state, walks=walks))

    def _refill(self, now: datetime) -> None:
        """Bring due details to hand when few are left, or when a page may have queued more valuable ones."""
        kinds = self._options.details.kinds
        if not kinds or self._position.state.head_asked_at is None:
            return
        is_short = sum(map(len, self._queues.values())) < self._room
        if not self._is_more_valuable_due and not (self._may_be_more_due and is_short):
            return
        wanted = QUEUE_SIZE + len(self._asked)
        kinds = tuple(kind for kind in kinds if self._judge.is_open(kind, now))
        rows = self._ask_database(lambda connection: merge.due_details(connection, kinds, now, wanted))
        for queue in self._queues.values():
            queue.clear()
        for row in rows:
            if (row[0], row[1]) not in self._asked:
                detail = Detail(*row)
                self._queues[_lane_of(detail, now)].append(detail)
        self._may_be_more_due, self._is_more_valuable_due = len(rows) == wanted, False

    def _requests_left(self) -> int:
        most = self._options.max_requests
        if most is None:
            return 1_000_000
        flying = sum(self._position.state.in_flight.values()) + self._position.state.head_in_flight
        return most - self._committer.counters.requests - flying

    # What came in ------------------------------------------------------------------------------------------------

    def _take(self, outcomes: list[Outcome]) -> None:
        """Take what has come in: into the books, to the planner and into the batch. Raise what makes it pointless to go on."""
        now = self._clock()
        fatal: SourceError | None = None
        self._note_landed(outcomes)
        for outcome in sorted(outcomes, key=lambda one: one.sent_at):
            verdict = self._note(outcome, now)
            if verdict is Verdict.TAKEN:
                self._batch.add(outcome)
            if outcome.request.detail is not None:
                self._landed.append((outcome.request.detail.kind, outcome.request.detail.call_id))
            if outcome.request.walk is not None:
                news = 0
                if self._position.state.sweep is not None:
                    # Only the rows can tell what was new: they are stored first, and what they prove with the next batch.
                    before = self._committer.counters.news
                    self._commit(now)
                    news = self._committer.counters.news - before
                self._position = absorb(self._position, outcome, verdict, self._batch, news=news)
            if verdict is not Verdict.TAKEN or outcome.error is not None:
                self._is_some_to_be_asked_again = True
            if outcome.request.detail is not None and not self._judge.is_open(outcome.request.detail.kind, now):
                self._is_more_valuable_due = True  # what is at hand of this kind is put back
            if verdict is Verdict.FATAL:
                fatal = fatal or outcome.error
        if fatal is not None:
            self._commit(now)
            raise fatal

    def _is_commit_due(self, fetcher: Fetcher, now: datetime) -> bool:
        """Say whether it is time to write: enough has come in, or it is old, or there are workers without work."""
        if (now - self._held_at).total_seconds() >= HEARTBEAT_SECONDS:
            return True
        if not self._is_dirty:
            return False
        is_idle = fetcher.in_flight < self._options.workers
        is_old = self._batch.since is not None and now - self._batch.since >= BATCH_AGE
        return is_idle or is_old or self._batch.weight >= BATCH_SIZE

    @property
    def _is_dirty(self) -> bool:
        return bool(self._batch or self._landed) or self._position.state.ledger is not self._position.stored

    def _note_landed(self, outcomes: list[Outcome]) -> None:
        """Enter the end of requests into the books of the budget and the planner."""
        by_key: dict[int, list[Landing]] = {}
        state = self._position.state
        for (lane, is_head), count in Counter((o.request.lane, o.request.is_head) for o in outcomes).items():
            state = landed(state, lane, count, is_head=is_head)
        for outcome in outcomes:
            received_at = outcome.received_at if outcome.is_sent else outcome.sent_at
            server_time = outcome.server_time if outcome.is_sent else None
            by_key.setdefault(outcome.request.key, []).append(Landing(outcome.sent_at, received_at, server_time))
        for key, answers in by_key.items():
            self._spendings[key].landed(answers)
        self._position = replace(self._position, state=state)

    def _note(self, outcome: Outcome, now: datetime) -> Verdict:
        """Say what an outcome means, and enter it into the run's books."""
        request, counters = outcome.request, self._committer.counters
        counters.requests += outcome.is_sent
        verdict = self._judge.judge(outcome, now)
        if isinstance(outcome.error, RateLimited):
            self._spendings[request.key].refused(now, outcome.error)
            counters.refusals += 1
        counters.failures += outcome.error is not None and verdict in {Verdict.AGAIN, Verdict.BROKEN, Verdict.FATAL}
        if request.is_head and verdict in {Verdict.AGAIN, Verdict.REFUSED}:
            self._position = replace(self._position, state=replace(self._position.state, head_asked_at=None))
        return verdict

    # The database ------------------------------------------------------------------------------------------------

    def _commit(self, now: datetime) -> None:
        """Write what has come in. Where the connection breaks, nobody knows whether it took: the ledger is read again
        and the batch is written again, which changes nothing if it did.
        """
        account, batch = self._options.account, self._batch

        def write() -> Position:
            with self._database.transaction() as tx:
                stored = load_ledger(tx, account) if tries else self._position.stored
                return self._committer.commit(tx, replace(self._position, stored=stored), batch, now)

        tries: list[int] = []
        self._position = self._patiently(write, tries)
        self._committer.committed()
        self._asked.difference_update(self._landed)
        # Not before: what has landed and is not committed counts as asked, and would be passed over.
        self._may_be_more_due = self._may_be_more_due or self._is_some_to_be_asked_again
        self._is_some_to_be_asked_again = False
        self._is_more_valuable_due = self._is_more_valuable_due or batch.pages > 0
        self._batch, self._landed = Batch(), []
        self._held_at = now

    def _ask_database(self, ask: Callable[[Any], T]) -> T:
        def read() -> T:
            with self._database.connection() as connection:
                return ask(connection)

        return self._patiently(read, [])

    def _patiently(self, do: Callable[[], T], tries: list[int]) -> T:
        """Do something with the database, again while it is away, for a minute at most. Nothing is sent meanwhile."""
        give_up_at = time.monotonic() + DATABASE_PATIENCE_SECONDS
        while True:
            try:
                return do()
            except DatabaseUnavailable:
                is_stopping = self._stop is not None and self._stop.is_set()
                if time.monotonic() > give_up_at or is_stopping:
                    raise
                tries.append(1)
                time.sleep(min(5.0, 0.1 * 2 ** min(len(tries), 6)))

    # What to tell ------------------------------------------------------------------------------------------------

    def _tell(self, fetcher: Fetcher, wake_at: datetime | None) -> None:
        if self._on_progress is None:
            return
        why = ""
        if wake_at is not None:
            why = "the source fails" if wake_at == self._judge.resume_at else "the request budget is used up"
        self._on_progress(
            Progress(
                self._committer.counters,
                self._position.source.total,
                sum(map(len, self._queues.values())),
                fetcher.in_flight,
                wake_at,
                why,
            )
        )

    def _report(self, result: Result, seconds: float) -> Report:
        kinds = self._options.details.kinds
        now = self._clock()
        due, waiting = self._ask_database(lambda c: merge.count_queued(c, kinds, now))
        next_due_at = self._ask_database(lambda c: merge.next_due_at(c, kinds))
        ledger = self._position.state.ledger
        is_complete = bool(ledger.pieces) and not ledger.holes(replace(EVERYTHING, until=ledger.top))
        return Report(result, self._committer.counters, seconds, due, waiting, is_complete, next_due_at)


def _lane_of(detail: Detail, now: datetime) -> Lane:
    is_young = detail.call_created_at is not None and now - detail.call_created_at <= DETAIL_AGE
    return Lane.DETAIL if is_young else Lane.BACKLOG


def _seconds_until(at: datetime, now: datetime) -> float:
    return max(0.01, min((at - now).total_seconds(), float(HEARTBEAT_SECONDS)))


__all__ = ["Options", "Progress", "Report", "Run"]
