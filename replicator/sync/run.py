"""One run of the replicator: plan, fetch, parse, commit, until nothing is left or a bound is reached.

The loop is a shell around pure decisions. Each turn it asks the planner what is worth a request, charges the budget,
hands the requests to the workers, and commits what has come in: rows and the coverage that they prove, in one
transaction under the lease. Killing it at any moment loses at most the answers not yet committed, which are asked again.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from replicator.errors import (
    DatabaseUnavailable,
    LeaseLost,
    RateLimited,
    ReplicatorError,
    SourceError,
    WentBack,
)
from replicator.source.apart import CarefulReader
from replicator.source.budget import Landing
from replicator.store import books, lease, merge
from replicator.store.migrate import check
from replicator.sync.aiming import next_page, set_goals
from replicator.sync.answering import as_past_the_end
from replicator.sync.beginning import APART_FOR, Beginning, begin
from replicator.sync.clock import steady_clock
from replicator.sync.committing import Committer, load_ledger
from replicator.sync.fetching import Detail, Fetcher, Outcome, Reading, Request
from replicator.sync.judging import Judge, Verdict
from replicator.sync.ledger import EVERYTHING, Ledger
from replicator.sync.membership import Membership
from replicator.sync.patience import Patience
from replicator.sync.planning import choose, detail_lane, is_cut_short, is_head_due, landed, sent
from replicator.sync.position import Batch, Position, Source, absorb, stored_so_far, unfinished
from replicator.sync.pseudonyms import catch_up
from replicator.sync.replica import StoredReplica
from replicator.sync.shapes import Options, Progress, Report, Result
from replicator.sync.spending import Spending
from replicator.sync.state import MOST_LIST_REQUESTS, State
from replicator.sync.walking import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event
    from uuid import UUID

    from replicator.store.database import Database
    from replicator.sync.probing import Probe
    from replicator.sync.walking import Walk

T = TypeVar("T")

QUEUE_SIZE = 400
"""Due details that are held at hand."""
BATCH_SIZE = 1000
"""Rows about which a batch is committed …"""
BATCH_AGE = timedelta(seconds=0.25)
"""… or the age of its first answer, if that comes first; at once where workers would be idle."""
QUEUED_PER_WORKER = 64
"""Requests handed to the workers ahead of time, so that none is idle while a batch is committed."""
HEARTBEAT_SECONDS = 10
STOP_SECONDS = 5


class Run:
    """One run. `readers` are pairs of a key and a reader that uses it; nothing here can write to the source.

    `pulse` is called again and again while the run is alive: whoever watches it knows that it does not hang.
    """

    def __init__(
        self,
        database: Database,
        readers: Sequence[tuple[str, Reading]],
        options: Options,
        *,
        stop: Event | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        clock: Callable[[], datetime] | None = None,
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._patiently = Patience(options.database_patience_seconds, stop, pulse)
        self._pulse = pulse
        self._options = options
        self._stop = stop
        self._on_progress = on_progress
        self._clock = clock = clock or steady_clock()
        self._spendings = [Spending(database, options.account, key, options.limits) for key, _ in readers]
        self._readers = [reader for _, reader in readers]
        self._careful = [reader for reader in self._readers if isinstance(reader, CarefulReader)]
        self._deaths = sum(reader.deaths for reader in self._careful)
        self._queues: dict[Lane, deque[Detail]] = {Lane.DETAIL: deque(), Lane.BACKLOG: deque()}
        self._asked: set[tuple[str, object]] = set()
        self._batch = Batch()
        self._landed: list[tuple[str, object]] = []
        """Details that have come in, one way or another, and are committed with the batch."""
        self._may_be_more_due = True
        self._is_more_valuable_due = False
        self._is_some_to_be_asked_again = False
        self._judge = Judge()
        self._replica = StoredReplica(options.account, self._ask_database)
        self._membership = self._new_membership(())
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
        self._patiently(lambda: check(self._database))
        is_ours = held is None
        held = held or self._patiently(
            lambda: lease.acquire(self._database, self._options.account, self._options.command)
        )
        fetcher = Fetcher(self._readers, self._options.workers, self._clock)
        outcome, message, failure = "failed", None, None
        try:
            self._begin(held)
            result = self._loop(fetcher)
            outcome, report = result, self._report(result, time.monotonic() - started)
            message = report.unfinished or None
        except BaseException as error:
            failure = error
            outcome = "failed" if isinstance(error, Exception) else "stopped"
            message = f"{type(error).__name__}: {error}" if isinstance(error, SourceError) else type(error).__name__
            if isinstance(error, Exception) and not isinstance(error, ReplicatorError):
                message = books.DEFECT + message
            raise
        finally:
            fetcher.close()
            self._end(held, outcome, message, failure, fetcher.in_flight, is_ours=is_ours)
        return report

    def _begin(self, held: lease.Lease) -> None:
        """Open the run in the books, and start from where the last one left off."""
        now, keys = self._clock(), [spending.key.key_id for spending in self._spendings]

        def write() -> Beginning:
            with self._database.transaction() as tx:
                return begin(tx, held, self._options, keys, now)

        begun = self._patiently(write)
        self._membership = self._new_membership(begun.remembered)
        state = replace(begun.position.state, is_identified=self._membership.identity.is_known)
        self._position = replace(begun.position, state=state)
        account, wanted = self._options.account, self._options.pseudonyms
        pseudonyms = self._patiently(partial(catch_up, self._database, held, account, wanted, self._stop))
        details = replace(self._options.details, stages=begun.stages)
        self._committer = Committer(account, held, begun.run_id, details, self._spendings, pseudonyms)
        for reader in self._careful:
            reader.is_apart = begun.is_apart
        if begun.is_apart and self._careful:
            self._room = 1
        for spending in self._spendings:
            self._patiently(partial(spending.load, now))
            if begun.was_killed:
                spending.assume_lost(now, self._options.workers)

    def _new_membership(self, remembered: Sequence[UUID]) -> Membership:
        after, is_same = self._options.confirm_after, self._options.is_same_account
        return Membership(self._replica, after, tuple(remembered), is_same_account=is_same)

    def _end(
        self,
        held: lease.Lease,
        outcome: str,
        message: str | None,
        failure: BaseException | None,
        in_flight: int,
        *,
        is_ours: bool,
    ) -> None:
        try:
            if hasattr(self, "_committer"):
                with self._database.transaction() as tx:
                    lease.hold(tx, held)
                    for spending in self._spendings if in_flight else ():
                        # Nobody waits for these answers any more, but the source will count the requests.
                        spending.assume_lost(self._clock(), min(in_flight, self._options.workers))
                        spending.save(tx)
                    if sum(reader.deaths for reader in self._careful) > self._deaths:
                        books.read_apart(tx, self._options.account, self._clock() + APART_FOR)
                    books.save_run(tx, self._committer.run_id, self._committer.counters, outcome, message, failure)
            if is_ours:
                lease.release(self._database, held)
        except (DatabaseUnavailable, LeaseLost):
            # The database is away, or another took over: the lease frees itself, and the next run marks this one lost.
            if is_ours:
                lease.forget(self._database, held)

    def _loop(self, fetcher: Fetcher) -> Result:
        deadline = None
        if self._options.max_seconds is not None:
            deadline = self._clock() + timedelta(seconds=self._options.max_seconds)
        while True:
            self._pulse()
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
                at_hand = {lane: len(queue) for lane, queue in self._queues.items()}
                return "bounded" if is_cut_short(replace(self._position.state, details=at_hand), now) else "done"
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
            self._pulse()
            self._take(fetcher.collect(min(1.0, max(0.01, until - time.monotonic())), BATCH_SIZE))
        self._commit(self._clock())

    # What to send ------------------------------------------------------------------------------------------------

    def _send(self, fetcher: Fetcher, now: datetime) -> datetime | None:
        """Send what is worth it and allowed; return when to look again, or None where only answers (or nothing) remain."""
        if self._judge.resume_at is not None and now < self._judge.resume_at:
            return self._judge.resume_at
        self._position = set_goals(self._position, now, self._replica)
        self._refill(now)
        room = min(self._room - fetcher.in_flight, self._requests_left())
        if room <= 0:
            return None
        at_hand = {lane: len(queue) for lane, queue in self._queues.items()}
        at_hand[Lane.CONFIRM] = self._membership.ready(self._position, now)
        pace = self._judge.pace
        state = replace(self._position.state, details=at_hand, most_pages=pace.most(now, MOST_LIST_REQUESTS))
        lanes = choose(state, now, room, sum(spending.spare(now) for spending in self._spendings))
        if not lanes and choose(state, now, 1):
            return min(spending.budget.spares_at(now) for spending in self._spendings)
        if not lanes:
            is_resting = not state.most_pages and choose(replace(state, most_pages=1), now, 1)
            return pace.rest_until if is_resting else None
        for key, spending in enumerate(self._spendings):
            count = min(len(lanes), spending.free(now))
            if count > 0 and self._patiently(partial(spending.charge, now, count)):
                expires_at = spending.budget.closes_at(now)
                for lane in lanes[:count]:
                    self._submit(fetcher, lane, key, now, expires_at)
                for lane, details in Counter(lane for lane in lanes[:count] if lane in at_hand).items():
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
        probe: Probe | None = None
        is_head = lane is Lane.FRESH and is_head_due(state, now)
        if lane in self._queues:
            detail = self._queues[lane].popleft()
            self._asked.add((detail.kind, detail.call_id))
        elif lane is Lane.CONFIRM:
            probe = self._membership.next(now)
        else:
            walk = next_page(self._position, lane, is_head=is_head)
            self._position = replace(self._position, state=sent(state, lane, is_head=is_head, at=now))
        fetcher.submit(Request(lane, key, expires_at, walk, is_head, detail, probe))

    def _refill(self, now: datetime) -> None:
        """Bring due details to hand when few are left, or when a page may have queued more valuable ones."""
        kinds = self._options.details.kinds
        if not kinds or self._position.state.head_asked_at is None:
            return
        is_short = sum(map(len, self._queues.values())) < self._room
        if not self._is_more_valuable_due and not (self._may_be_more_due and is_short):
            return
        account, wanted = self._options.account, QUEUE_SIZE + len(self._asked)
        kinds = tuple(kind for kind in kinds if self._judge.is_open(kind, now))
        rows = self._ask_database(lambda connection: merge.due_details(connection, account, kinds, now, wanted))
        for queue in self._queues.values():
            queue.clear()
        for row in rows:
            if (row[0], row[1]) not in self._asked:
                detail = Detail(*row)
                self._queues[detail_lane(detail.call_created_at, now)].append(detail)
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
        for outcome in map(as_past_the_end, sorted(outcomes, key=lambda one: one.sent_at)):
            verdict = self._note(outcome, now)
            if outcome.request.detail is not None:
                self._landed.append((outcome.request.detail.kind, outcome.request.detail.call_id))
            if verdict is not Verdict.TAKEN or outcome.error is not None:
                self._is_some_to_be_asked_again = True
            if outcome.request.detail is not None and not self._judge.is_open(outcome.request.detail.kind, now):
                self._is_more_valuable_due = True  # what is at hand of this kind is put back
            if verdict is Verdict.FATAL:
                fatal = fatal or outcome.error
                continue
            counted = self._membership.recognise(outcome, verdict)
            if self._membership.identity.is_known and not self._position.state.is_identified:
                self._position = replace(self._position, state=replace(self._position.state, is_identified=True))
            for known in counted:
                self._absorb(known, verdict if known is outcome else Verdict.TAKEN, now)
        if fatal is not None:
            self._commit(now)
            raise fatal

    def _absorb(self, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        """Let the batch, the planner and the books of membership take an outcome."""
        request, membership = outcome.request, self._membership
        if verdict is Verdict.TAKEN:
            self._batch.add(outcome)
        if request.probe is not None:
            self._batch.absences += membership.prober.landed(request.probe, outcome)
        if request.walk is None:
            return
        news = 0
        if self._position.state.sweep is not None:
            # Only the rows can tell what was new: they are stored first, and what they prove with the next batch.
            before = self._committer.counters.news
            self._commit(now)
            news = self._committer.counters.news - before
        ranks = membership.ranks(self._position, outcome)
        self._position = absorb(self._position, outcome, verdict, self._batch, news=news, stored_before=ranks)
        if outcome.page is not None and outcome.page.calls:
            membership.prober.seen([call.id for call in outcome.page.calls])

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
        return bool(self._batch or self._landed) or self._position.is_to_be_stored

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
        is_long_ago = (now - self._held_at).total_seconds() >= HEARTBEAT_SECONDS

        def write() -> Position:
            with self._database.transaction() as tx:
                if is_long_ago:
                    self._committer.reload_stages(tx)
                stored = load_ledger(tx, account) if tries else self._position.stored
                return self._committer.commit(tx, replace(self._position, stored=stored), batch)

        tries: list[int] = []
        try:
            self._position = self._patiently(write, tries)
        except WentBack:
            with self._database.transaction() as tx:
                for spending in self._spendings:
                    spending.restore(tx)
            raise
        self._committer.committed()
        self._position = stored_so_far(self._position, self._committer.counters.calls_inserted)
        self._asked.difference_update(self._landed)
        # Not before: what has landed and is not committed counts as asked, and would be passed over.
        self._may_be_more_due = self._may_be_more_due or self._is_some_to_be_asked_again
        self._is_some_to_be_asked_again = False
        self._is_more_valuable_due = self._is_more_valuable_due or batch.pages > 0
        if batch.claims or batch.absences:
            self._membership.changed()
        self._position = self._membership.compare(self._position, now)
        self._batch, self._landed = Batch(), []
        self._held_at = now

    def _ask_database(self, ask: Callable[[Any], T]) -> T:
        def read() -> T:
            with self._database.connection() as connection:
                return ask(connection)

        return self._patiently(read)

    # What to tell ------------------------------------------------------------------------------------------------

    def _tell(self, fetcher: Fetcher, wake_at: datetime | None) -> None:
        if self._on_progress is None:
            return
        why = ""
        if wake_at is not None:
            is_failing = wake_at in {self._judge.resume_at, self._judge.pace.rest_until}
            why = "the source fails" if is_failing else "the request budget is used up"
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
        account, kinds = self._options.account, self._options.details.kinds
        now = self._clock()
        due, waiting = self._ask_database(lambda c: merge.count_queued(c, account, kinds, now))
        next_due_at = self._ask_database(lambda c: merge.next_due_at(c, account, kinds))
        ledger = self._position.state.ledger
        is_complete = bool(ledger.pieces) and not ledger.holes(replace(EVERYTHING, until=ledger.top))
        suspected, is_held = self._replica.held(self._position.live or 0)
        return Report(
            result,
            self._committer.counters,
            seconds,
            due,
            waiting,
            is_complete,
            next_due_at,
            suspected,
            is_held,
            unfinished=unfinished(self._position, result, is_complete=is_complete),
        )


def _seconds_until(at: datetime, now: datetime) -> float:
    return max(0.01, min((at - now).total_seconds(), float(HEARTBEAT_SECONDS)))


__all__ = ["Options", "Progress", "Report", "Run"]
