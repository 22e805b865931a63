"""One run of the replicator: it performs the engine's actions until nothing is left to do or a bound is reached.

All decisions are made in `engine/`: what to send, with which key, when to commit, how long to wait. This module has
what the engine does not know: the database and how long to wait for it, the threads that send, the clock, the lease and
the run's row. If the process is killed at any moment, only answers that are not committed are lost, and they are asked
for again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from replicator.archive.governance.suppressing import Suppressing
from replicator.budget.durable import DurableBudget
from replicator.errors import CommitsLost, DatabaseUnavailable, LeaseLost, ReplicatorError, SourceError
from replicator.source.isolated_reader import CarefulReader
from replicator.store import lease, quarantine, runs, source_state, stored_details, stored_payment
from replicator.store.schema_check import check
from replicator.sync.clock import steady_clock
from replicator.sync.commit import Committer, load_ledger
from replicator.sync.coverage.ledger import EVERYTHING, HEAD_MARGIN
from replicator.sync.engine.completeness import Found, gaps
from replicator.sync.engine.engine import BATCH_SIZE, Engine
from replicator.sync.engine.position import unfinished
from replicator.sync.engine.presence import Presence
from replicator.sync.options import Options, Progress, Report, Result
from replicator.sync.protocol.actions import (
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
from replicator.sync.protocol.questions import answer
from replicator.sync.pseudonyms import catch_up
from replicator.sync.recovery import APART_FOR, Recovered, begin
from replicator.sync.replica import StoredReplica, waves_of
from replicator.sync.retry import Retry
from replicator.sync.workers import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from threading import Event

    from replicator.source.reading import Reading
    from replicator.store.database import Database
    from replicator.sync.protocol.actions import Action
    from replicator.sync.protocol.actions import Event as EngineEvent
    from replicator.sync.protocol.results import Committed

T = TypeVar("T")

LONGEST_WAIT_SECONDS = 1.0
"""The longest single wait for answers, so that the run shows regularly that it is alive."""
STOP_LOOK_SECONDS = 0.25
"""The same where the run has a `stop` event: it looks so often whether the event is set."""
SHORTEST_WAIT_SECONDS = 0.01


class Run:
    """One run. `readers` are pairs of (key, reader that uses it); a reader cannot write to the source.

    `pulse` is called regularly while the run is alive, so that a watchdog can see that it does not hang.
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
        self._retrying = Retry(options.database_patience_seconds, stop, pulse)
        self._pulse = pulse
        self._options = options
        self._stop = stop
        self._on_progress = on_progress
        self._clock = clock = clock or steady_clock()
        self._key_budgets = [DurableBudget(database, options.account, key, options.limits) for key, _ in readers]
        self._readers = [reader for _, reader in readers]
        self._careful = [reader for reader in self._readers if isinstance(reader, CarefulReader)]
        self._deaths = sum(reader.deaths for reader in self._careful)
        self._replica = StoredReplica(options.account, self._ask_database)
        self._engine: Engine
        self._committer: Committer

    def perform(self, held: lease.Lease | None = None) -> Report:
        """Bring the replica up to date, under the lease `held`, or under one that is taken for this run.

        Raises the SourceError that made it impossible to go on, a DatabaseError, or LeaseHeld. What was committed
        before stays.
        """
        started = time.monotonic()
        self._retrying(lambda: check(self._database))
        is_ours = held is None
        held = held or self._retrying(
            lambda: lease.acquire(self._database, self._options.account, self._options.command)
        )
        pool = WorkerPool(self._readers, self._options.workers, self._clock)
        outcome, message, failure = "failed", None, None
        try:
            self._begin(held)
            result = self._loop(pool)
            outcome, report = result.value, self._report(result, time.monotonic() - started)
            message = report.unfinished or None
        except BaseException as error:
            failure = error
            outcome = "failed" if isinstance(error, Exception) else "stopped"
            message = f"{type(error).__name__}: {error}" if isinstance(error, SourceError) else type(error).__name__
            if isinstance(error, Exception) and not isinstance(error, ReplicatorError):
                message = runs.DEFECT + message
            raise
        finally:
            pool.close()
            self._end(held, outcome, message, failure, pool.in_flight, is_ours=is_ours)
        return report

    def _begin(self, held: lease.Lease) -> None:
        """Open the run, and start from the state that the previous run left."""
        guard, account = self._options.guard, self._options.account
        if guard is not None:
            self._retrying(lambda: guard.begin(self._database, account, self._clock(), self._pulse))
        now, keys = self._clock(), [key_budget.key.key_id for key_budget in self._key_budgets]
        for key_budget in self._key_budgets:
            self._retrying(partial(key_budget.load, now))

        def write() -> Recovered:
            with self._database.transaction() as tx:
                if not self._options.seals:
                    stored_payment.note_unwatched(tx, self._options.account)
                return begin(tx, held, self._options, keys, now)

        recovered = self._retrying(write)
        after, is_same = self._options.confirm_after, self._options.is_same_account
        presence = Presence(after, tuple(recovered.remembered), len(keys), is_same_account=is_same)
        room = 1 if recovered.is_apart and self._careful else None
        self._engine = Engine(self._options, recovered.position, presence, self._key_budgets, self._clock(), room=room)
        details = replace(self._options.details, stages=recovered.stages)
        # One `sync` by itself; the short runs of a service by the hour.
        since = now if self._options.command == "sync" else now.replace(minute=0, second=0, microsecond=0)
        for key_budget in self._key_budgets if recovered.was_killed else ():
            key_budget.assume_lost(now, self._options.workers)
        suppressing = Suppressing(account, guard.keys if guard is not None else None)
        seals = self._options.seals
        self._committer = Committer(
            account,
            held,
            recovered.run_id,
            details,
            self._key_budgets,
            since,
            seals=seals,
            vendor_keeps=self._options.vendor_keeps,
            suppressing=suppressing,
            payment_data=self._options.payment_data,
        )
        for reader in self._careful:
            reader.is_apart = recovered.is_apart
        # From here on the run's row can be finished, whatever fails.
        wanted = self._options.pseudonyms
        self._committer.pseudonyms = self._retrying(
            partial(catch_up, self._database, held, account, wanted, self._stop, self._pulse)
        )

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
                    for key_budget in self._key_budgets:
                        if in_flight:
                            # This run does not wait for these answers any longer, but the source will count their requests.
                            key_budget.assume_lost(self._clock(), min(in_flight, self._options.workers))
                        # What answers moved to another window since the last commit is stored, too.
                        key_budget.save(tx)
                    if sum(reader.deaths for reader in self._careful) > self._deaths:
                        source_state.read_apart(tx, self._options.account, self._clock() + APART_FOR)
                    runs.save_run(tx, self._committer.run_id, self._counters, outcome, message, failure)
            if is_ours:
                lease.release(self._database, held)
        except (DatabaseUnavailable, LeaseLost):
            # The database is unavailable, or another process has the lease. The lease expires by itself, and the next
            # run marks this run lost.
            if is_ours:
                lease.forget(self._database, held)

    # What the engine wants done -----------------------------------------------------------------------------------

    def _loop(self, pool: WorkerPool) -> Result:
        """Perform the engine's actions until it finishes."""
        while True:
            self._pulse()
            if self._stop is not None and self._stop.is_set():
                self._engine.receive(Stopped())
            for action in self._engine.actions(self._clock()):
                if isinstance(action, Finish):
                    return action.result
                event = self._perform(action, pool)
                if event is not None:
                    self._engine.receive(event)

    def _perform(self, action: Action, pool: WorkerPool) -> EngineEvent | None:
        """Perform an action; return the event that answers it, if any. Raises the error of a `Fail` action."""
        match action:
            case Ask(question):
                return Known(answer(self._replica, question))
            case Charge(key, requests, at):
                return Charged(self._retrying(partial(self._key_budgets[key].charge, at, requests)))
            case Commit():
                return self._commit(action)
            case Send(requests_made):
                for request in requests_made:
                    pool.submit(request)
            case Close():
                pool.close()
            case Wait():
                self._tell(action)
                return CameIn(tuple(pool.collect(self._seconds(action), BATCH_SIZE)))
            case Fail(error):
                raise error
            case Finish():
                pass
        return None

    def _seconds(self, wait: Wait) -> float:
        """Return how many seconds to wait before the engine is asked again: meanwhile the run may have been told to
        stop.
        """
        longest = LONGEST_WAIT_SECONDS if self._stop is None else STOP_LOOK_SECONDS
        return max(SHORTEST_WAIT_SECONDS, min((wait.until - self._clock()).total_seconds(), longest))

    # The database ------------------------------------------------------------------------------------------------

    def _commit(self, action: Commit) -> Committed:
        """Commit what has come in. If the connection breaks, it is unknown whether the commit succeeded: then the
        ledger is read again and the batch is written again, which changes nothing if the first commit did succeed.
        """
        self._committer.counters = self._counters

        def write() -> Committed:
            with self._database.transaction() as tx:
                if action.is_late:
                    self._committer.reload_stages(tx)
                stored = load_ledger(tx, self._options.account) if tries else action.position.stored
                return self._committer.commit(tx, replace(action.position, stored=stored), action.batch, self._clock())

        tries: list[int] = []
        try:
            found = self._retrying(write, tries)
        except CommitsLost:
            with self._database.transaction() as tx:
                for key_budget in self._key_budgets:
                    key_budget.restore(tx)
            raise
        self._committer.committed()
        return found

    def _ask_database(self, ask: Callable[[Any], T]) -> T:
        def read() -> T:
            with self._database.connection() as connection:
                return ask(connection)

        return self._retrying(read)

    # What to tell ------------------------------------------------------------------------------------------------

    @property
    def _counters(self) -> runs.Counters:
        """What the run has done so far: the counters of its commits, with the engine's counts of requests."""
        tally = self._engine.tally
        return replace(
            self._committer.counters, requests=tally.requests, refusals=tally.refusals, failures=tally.failures
        )

    def _tell(self, wait: Wait) -> None:
        if self._on_progress is None:
            return
        engine = self._engine
        due = sum(engine.details.by_lane().values())
        total = engine.position.source.total
        self._on_progress(Progress(self._counters, total, due, engine.in_flight, wait.held_until, wait.why))

    def _report(self, result: Result, seconds: float) -> Report:
        account, kinds = self._options.account, self._options.details.kinds
        now = self._clock()
        due, waiting = self._ask_database(lambda c: stored_details.count_queued(c, account, kinds, now))
        next_due_at = self._ask_database(lambda c: stored_details.next_due_at(c, account, kinds))
        position = self._engine.position
        ledger = position.state.ledger
        is_listed = bool(ledger.pieces) and not ledger.holes(replace(EVERYTHING, until=ledger.top))
        suspected, is_held = self._replica.held(position.live or 0)
        unreadable = self._ask_database(lambda c: quarantine.count_missing(c, account))
        waves = self._ask_database(lambda c: waves_of(c, account, kinds, now))
        missing, head_at = gaps(position, result, Found(due, suspected, unreadable, waves)), position.source.head_at
        return Report(
            result,
            self._counters,
            seconds,
            due,
            waiting,
            is_listed,
            next_due_at,
            suspected,
            is_held,
            gaps=missing,
            proven_at=None if missing or head_at is None else head_at - HEAD_MARGIN,
            oldest_look_at=min((piece.verified_at for piece in ledger.pieces), default=None),
            unfinished=unfinished(position, result, is_complete=is_listed),
        )


__all__ = ["Options", "Progress", "Report", "Run"]
