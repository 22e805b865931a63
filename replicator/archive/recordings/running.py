"""One run of the archive's lane for recordings: mends, queues what is from before, and downloads what is due.

Downloads have a lane of their own: they need no lease, and several runs on several machines share the queue by claims.
Each recording goes through these steps, and a crash between any two of them loses nothing:

1. its row is claimed for a short time, which is prolonged while the run lives;
2. it is downloaded into a part, checked, and flushed;
3. the row names the file that is about to be put;
4. the file is put into the store, where it outlives a crash;
5. the row is marked stored and the recording sealed, in one transaction;
6. the part is removed.
"""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from replicator.archive import chain, sealing
from replicator.archive.governance import holds
from replicator.archive.kinds import Kind
from replicator.archive.recordings import janitor, parts, queue_rules
from replicator.archive.recordings.bandwidth import Bandwidth
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.fetch import Fetched, Limits, fetch
from replicator.archive.recordings.objects import ObjectDiffers, StoreFailed, place_of
from replicator.archive.recordings.queue_rules import Reason, Standing, State
from replicator.store import archived, stored_details

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event
    from uuid import UUID

    import psycopg

    from replicator.archive.recordings.objects import Store
    from replicator.archive.recordings.renewing import Renewer
    from replicator.store.archived import Claimed, Counts
    from replicator.store.database import Database

QUEUE_BATCH = 5000
TURN_SECONDS = 0.25
LEAVE_SECONDS = 3.0
"""How long a stop waits for the downloads under way, which look at each block whether they are to stop."""
BUSY_PAUSE = timedelta(minutes=1)
MOST_UNREACHED = 8
"""After so many downloads in a row that reached nothing, a run begins no more: this machine has no network, and each name may
take a resolver's time limit.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the operator decides about a run."""

    account: str = "default"
    vendor_keeps: timedelta = timedelta(days=14)
    downloads: int = 4
    """How many are under way at once."""
    bytes_per_second: float | None = None
    """For all downloads together; None: no limit."""
    limits: Limits = field(default_factory=Limits)
    claim_seconds: float = 60.0
    """How long a row stays claimed after the run's last sign of life."""
    compare_every_seconds: float = 86_400.0
    """How often all files of the store are compared with the rows."""
    is_loss_accepted: bool = False
    """Fetch lost files again, however many they are."""


@dataclass(slots=True)
class Report:
    """What a run did, and what is left. Numbers of recordings, but for `bytes`."""

    queued: int = 0
    stored: int = 0
    bytes: int = 0
    failed: int = 0
    """Attempts that failed, and are repeated later."""
    missing: int = 0
    refused: int = 0
    links_renewed: int = 0
    found_again: int = 0
    """Files that a crashed run had put without writing so."""
    lost: int = 0
    """Files that are gone from the store: queued again."""
    damaged: int = 0
    """Files of another size than they had: `archive verify` names them."""
    strays: int = 0
    """Files that belong to no row."""
    reasons: dict[str, int] = field(default_factory=dict)
    """How often an attempt failed for which reason."""
    is_stopped: bool = False
    source_error: str = ""
    """Why the source gives no more links; then nothing more is begun."""
    left: Counts | None = None


class Runner:
    """Downloads the recordings of one account. `renewer` is None where no link may be asked for."""

    def __init__(
        self,
        database: Database,
        store: Store,
        renewer: Renewer | None,
        plan: Plan,
        *,
        stop: Event,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._store = store
        self._renewer = renewer
        self._plan = plan
        self._stop = stop
        self._clock = clock
        self._run = uuid.uuid4()
        self._bandwidth = Bandwidth(plan.bytes_per_second)
        self._until: float | None = None
        self._broken: StoreFailed | None = None
        self._unreached = 0
        self._report = Report()
        self._counting = threading.Lock()

    def perform(self, max_seconds: float | None = None) -> Report:
        """Work until nothing is due, the time is over, or a stop is asked for.

        Raises StoreFailed where the store takes no more, or a DatabaseError. What is stored stays.
        """
        self._until = None if max_seconds is None else time.monotonic() + max_seconds
        self._mend()
        self._queue_from_before()
        self._download()
        if self._broken is not None:
            raise self._broken
        now = self._clock()
        with self._database.connection() as connection:
            self._report.left = archived.counts(connection, self._plan.account, now, queue_rules.WARN_BEFORE)
        self._report.is_stopped = self._is_over()
        if self._renewer is not None:
            self._report.links_renewed = self._renewer.requests
            self._report.source_error = self._renewer.refusal.message if self._renewer.refusal is not None else ""
        return self._report

    def _is_over(self) -> bool:
        return self._stop.is_set() or (self._until is not None and time.monotonic() >= self._until)

    # Mending ------------------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        """Bring rows and files together: what a crashed run left, and, once a day, all of them."""
        plan, store = self._plan, self._store
        while not self._is_over():
            with self._database.transaction() as tx:
                rows = archived.claim(
                    tx, plan.account, self._run, plan.claim_seconds, self._clock(), plan.downloads, is_putting=True
                )
            if not rows:
                break
            for row in rows:
                self._report.found_again += self._found_again(row)
                with self._database.transaction() as tx:
                    archived.release(tx, row.id, self._run)
        janitor.remove_finished_parts(self._database, store)
        if not janitor.is_comparison_due(store, plan.compare_every_seconds):
            return
        found = janitor.compare(self._database, store, plan.account, lambda: not self._is_over())
        if found is None:
            return
        self._report.damaged, self._report.strays = len(found.damaged), found.strays
        self._report.lost = janitor.mend(
            self._database, store, plan.account, found, self._clock(), is_loss_accepted=plan.is_loss_accepted
        )
        store.tidy()
        janitor.stamp(store)

    def _found_again(self, row: Claimed) -> bool:
        """Finish what a crashed run had put into the store; else note that it had not."""
        if janitor.is_in_store(self._store, row):
            assert row.putting_sha256 is not None  # noqa: S101 - it is in the store
            return self._stored(row, Fetched(row.putting_sha256, row.putting_bytes or 0, row.putting_media_type or ""))
        with self._database.transaction() as tx:
            archived.forget_intent(tx, row.id, self._run)
        return False

    def _queue_from_before(self) -> None:
        while not self._is_over():
            with self._database.transaction() as tx:
                count = archived.queue_from_before(
                    tx, self._plan.account, self._plan.vendor_keeps, self._clock(), QUEUE_BATCH
                )
            self._report.queued += count
            if count < QUEUE_BATCH:
                return

    # Downloading --------------------------------------------------------------------------------------------------

    def _download(self) -> None:
        """Keep as many downloads under way as the plan says, until nothing is due."""
        under_way: dict[Future[None], Claimed] = {}
        prolonged_at = time.monotonic()
        left_at: float | None = None
        try:
            while True:
                room = self._plan.downloads - len(under_way)
                for row in self._claimed(room) if room and self._goes_on() else ():
                    under_way[self._begun(row)] = row
                if self._stop.is_set():
                    left_at = left_at or time.monotonic() + LEAVE_SECONDS
                if not under_way or (left_at is not None and time.monotonic() >= left_at):
                    return
                done, _ = wait(under_way, TURN_SECONDS, FIRST_COMPLETED)
                for one in done:
                    del under_way[one]
                    one.result()
                if under_way and time.monotonic() - prolonged_at >= self._plan.claim_seconds / 3:
                    with self._database.transaction() as tx:
                        ids = [row.id for row in under_way.values()]
                        archived.prolong(tx, self._run, ids, self._plan.claim_seconds)
                    prolonged_at = time.monotonic()
        except (
            BaseException
        ):  # a Ctrl-C, too: the downloads under way are to end, and have a moment to keep their parts
            self._until = time.monotonic()
            wait(under_way, LEAVE_SECONDS)
            raise

    def _begun(self, row: Claimed) -> Future[None]:
        """Take a recording through all steps in a thread of its own. It is a daemon: storage that has ceased to answer holds up
        no stop. What it leaves is what a crash leaves: the part, and the claim until it ends.
        """
        ended: Future[None] = Future()

        def work() -> None:
            try:
                self._one(row)
            except BaseException as error:  # noqa: BLE001 - raised where the result is taken
                ended.set_exception(error)
            else:
                ended.set_result(None)

        threading.Thread(target=work, name="recording", daemon=True).start()
        return ended

    def _goes_on(self) -> bool:
        """Say whether more may be begun: not where each would fail for the same reason."""
        can_renew = self._renewer is None or self._renewer.can_ask
        is_reached = self._unreached < MOST_UNREACHED
        return not self._is_over() and self._broken is None and can_renew and is_reached

    def _claimed(self, room: int) -> list[Claimed]:
        with self._database.transaction() as tx:
            return archived.claim(tx, self._plan.account, self._run, self._plan.claim_seconds, self._clock(), room)

    def _one(self, row: Claimed) -> None:
        """Take one recording through all steps."""
        try:
            if row.putting_sha256 is not None and self._found_again(row):
                self._count(found_again=1)
                return
            with parts.opened(self._store.working, row.id) as part:
                found = self._fetched(row, part)
                with self._database.transaction() as tx:
                    if not archived.intend(tx, row.id, self._run, found.sha256, found.bytes, found.media_type):
                        return  # another run has it
                    # As late as possible, so that a store that locks its files gets the time of the present classes.
                    holds.prolong(tx, self._plan.account, [row.call_id])
                    retain_until = archived.retain_until(tx, row.id)
                self._store.put(part.path, found.sha256, found.media_type, retain_until)
                self._unreached = 0
                if self._stored(row, found):
                    self._count(stored=1, bytes=found.bytes)
                part.discard()
        except parts.PartBusy:
            self._failed(row, FetchError(Reason.STOPPED), BUSY_PAUSE)
        except ObjectDiffers:
            self._failed(row, FetchError(Reason.STORE_FAILED))
        except StoreFailed as error:
            self._broken = error
            self._failed(row, FetchError(Reason.STORE_FAILED))
        except FetchError as error:
            if error.reason is Reason.STORE_FAILED:
                self._broken = StoreFailed(f"a download could not be written into {self._store.working}")
            self._failed(row, error)

    def _fetched(self, row: Claimed, part: parts.Part) -> Fetched:
        """Download with the stored link; renew it where it has expired or is refused. Raises FetchError."""
        with self._database.connection() as connection:
            stored = stored_details.recording_url(connection, self._plan.account, row.call_id)
        url, expires_at = stored if stored is not None else (None, None)
        is_fresh = False
        if url is None or not queue_rules.is_link_good(url, expires_at, self._clock()):
            url, is_fresh = self._renewed(row), True
        try:
            return self._fetch(url, part)
        except FetchError as error:
            if error.reason is not Reason.LINK_REFUSED or is_fresh:
                raise
        return self._fetch(self._renewed(row), part)

    def _fetch(self, url: str, part: parts.Part) -> Fetched:
        return fetch(url, part, self._plan.limits, self._bandwidth, self._is_over)

    def _renewed(self, row: Claimed) -> str:
        if self._renewer is None:
            raise FetchError(Reason.SOURCE_FAILED)
        return self._renewer.renew(row.call_id, row.deadline_at, self._is_over)

    def _stored(self, row: Claimed, found: Fetched) -> bool:
        """Mark the recording stored, and seal it, in one transaction; False where another run has it, or it was erased
        meanwhile: then its file goes again.
        """
        at = self._clock()
        with self._database.transaction() as tx:
            if archived.mark_stored(tx, row.id, self._run, place_of(found.sha256), at):
                seal(tx, self._plan.account, row.call_id, found, at)
                return True
            if archived.is_left_over(tx, row.id, found.sha256):
                self._store.remove(place_of(found.sha256))
        return False

    def _failed(self, row: Claimed, error: FetchError, pause: timedelta | None = None) -> None:
        with self._counting:
            self._unreached = self._unreached + 1 if error.reason is Reason.UNREACHABLE else 0
        now = self._clock()
        standing = Standing(
            row.queued_at, row.deadline_at, row.attempts, row.failures,
            Reason(row.reason) if row.reason in set(Reason) else None, row.failing_since,
        )  # fmt: skip
        verdict = queue_rules.after_failure(standing, error.reason, now, retry_after=error.retry_after)
        next_try_at = verdict.next_try_at if pause is None else now + pause
        with self._database.transaction() as tx:
            archived.mark_failed(
                tx, row.id, self._run, state=verdict.state, reason=verdict.reason, attempts=verdict.attempts,
                failures=verdict.failures, failing_since=verdict.failing_since, next_try_at=next_try_at, at=now,
            )  # fmt: skip
        if error.reason is not Reason.STOPPED:
            became = {State.MISSING: "missing", State.REFUSED: "refused"}.get(verdict.state, "failed")
            self._count(error.reason, **{became: 1})

    def _count(self, reason: Reason | None = None, **numbers: int) -> None:
        with self._counting:
            for name, number in numbers.items():
                setattr(self._report, name, getattr(self._report, name) + number)
            if reason is not None:
                self._report.reasons[reason] = self._report.reasons.get(reason, 0) + 1


def seal(tx: psycopg.Connection[object], account: str, call_id: UUID, found: Fetched, at: datetime) -> None:
    """Seal a stored recording as a record of its own. `source_at` is when its last byte was received."""
    content = chain.canonical(
        {
            "kind": Kind.RECORDING,
            "account": account,
            "call_id": str(call_id),
            "sha256": found.sha256,
            "bytes": found.bytes,
            "media_type": found.media_type,
            "source_at": chain.instant(at),
        }
    )
    sealing.append(tx, account, [sealing.Entry(Kind.RECORDING, call_id, at, content)], at)


__all__ = ["Plan", "Report", "Runner", "seal"]
