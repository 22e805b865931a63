"""Starts a sync at regular intervals with APScheduler, one at a time, until a stop is asked for.

It only starts them. The ledger decides what is due and the lease who may write. So nothing is lost if a tick is missed,
and nothing is stored in the scheduler. No other module uses APScheduler.

APScheduler sleeps until a time of day, and if a job hangs, it silently skips all later ones. So the main thread watches
(watchdog.py). If the machine's clock was changed, the jobs become due at once. If nothing moves any more, or a stop
takes too long, the process ends, and its supervisor (systemd, a container runtime) starts another.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from replicator.errors import (
    AnotherAccount,
    BadKey,
    ConfigurationError,
    DatabaseError,
    DatabaseMisconfigured,
    LeaseHeld,
    LeaseLost,
    NotTheApi,
    ReplicatorError,
    RightMissing,
    SchemaTooNew,
    SchemaTooOld,
)
from replicator.report.run_line import describe
from replicator.service.watchdog import Watch
from replicator.store import lease
from replicator.store.schema_check import check
from replicator.sync.clock import steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from replicator.store.database import Database
    from replicator.sync.run import Report

log = logging.getLogger("replicator.serve")

STOP_SECONDS = 9.0
"""A stop is complete within ten seconds, whatever is under way."""
HEARTBEAT_SECONDS = 10
TURN_SECONDS = 0.5
JOB_DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
"""A late tick still runs, as one tick however many were missed, and never two at once."""

HOPELESS = (
    AnotherAccount, ConfigurationError, DatabaseMisconfigured, RightMissing, BadKey, NotTheApi, SchemaTooOld, SchemaTooNew,
)  # fmt: skip
"""Errors of the first sync that waiting does not change: the service then ends with that error."""


class Service:
    """Runs `sync` every `poll_seconds`, under the account's lease, which is held as long as the service runs.

    `sync` gets the lease, and a function that it calls regularly to show that it is alive. After `hang_seconds` without
    a sign of life the process ends.
    """

    def __init__(
        self,
        database: Database,
        sync: Callable[[lease.Lease, Callable[[], None]], Report],
        *,
        account: str,
        poll_seconds: float,
        hang_seconds: float,
        stop: threading.Event,
    ) -> None:
        self._database = database
        self._sync = sync
        self._account = account
        self._poll_seconds = poll_seconds
        self._watch = Watch(hang_seconds, TURN_SECONDS)
        self._stop = stop
        self._held: lease.Lease | None = None
        self._fatal: ReplicatorError | None = None
        self._idle, self._quiet = threading.Event(), threading.Event()
        """Set while no sync (`_idle`) and no heartbeat (`_quiet`) is under way."""
        self._idle.set()
        self._quiet.set()
        self._has_synced = False
        self._signs = 0

    def run(self) -> None:
        """Sync until the stop event is set. Raises the error that makes it impossible to go on. A hang ends the
        process.
        """
        scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1), "beat": ThreadPoolExecutor(1)},
            job_defaults=JOB_DEFAULTS,
        )
        # If a sync takes longer than the interval, that needs no message: the sync polls the head itself.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        now = datetime.now(UTC)
        scheduler.add_job(self._tick, "interval", seconds=self._poll_seconds, next_run_time=now, id="sync")
        scheduler.add_job(self._beat, "interval", seconds=HEARTBEAT_SECONDS, id="heartbeat", executor="beat")
        scheduler.start()
        try:
            self._watch_over(scheduler)
        finally:
            self._stop.set()
            scheduler.pause()
            if not self._comes_to_rest():
                _end_at_once("the service was told to stop and something under way does not end: it is left behind")
            scheduler.shutdown(wait=False)
        if self._fatal is not None:
            raise self._fatal

    def _watch_over(self, scheduler: BackgroundScheduler) -> None:
        """Check at every turn that something moves and that the clock was not changed, until a stop is asked for."""
        steady = steady_clock()
        while not self._stop.wait(TURN_SECONDS):
            now = datetime.now(UTC)
            if self._watch.was_set(now - steady()):
                log.warning(
                    "the machine's clock was set by %+.0f s: the next sync begins now",
                    self._watch.drift.total_seconds(),
                )
                for job in ("sync", "heartbeat"):
                    scheduler.modify_job(job, next_run_time=now)
            if self._watch.is_hung(self._signs, self._poll_seconds if self._idle.is_set() else 0):
                _end_at_once(
                    f"the service hangs: no sign of life for {self._watch.hang_seconds:g} s. What is committed stays; "
                    "started again, it goes on from there"
                )

    def _show_life(self) -> None:
        self._signs += 1

    def _tick(self) -> None:
        if self._stop.is_set():
            return
        self._idle.clear()
        self._show_life()
        try:
            if self._held is None:
                check(self._database)
                self._held = lease.acquire(self._database, self._account, "serve")
            report = self._sync(self._held, self._show_life)
            self._has_synced = True
            log.info("%s; %s", describe(report), report.last_line)
        except LeaseLost as error:
            self._lose(error)
        except LeaseHeld as error:
            self._end_with(error)
        except ReplicatorError as error:
            if isinstance(error, HOPELESS) and not self._has_synced:
                self._end_with(error)
            else:
                log.error("sync failed, and is tried again in %g s: %s", self._poll_seconds, error.message)  # noqa: TRY400 - a known error needs no traceback
        except Exception as error:  # noqa: BLE001 - see below
            # After a defect the service must not seem to work. The error's text may quote a row, so only the place is
            # logged.
            log.critical("the service ends by a defect: %s", type(error).__name__)
            for frame in "".join(traceback.format_tb(error.__traceback__)).splitlines():
                log.critical("%s", frame)
            self._end_with(ReplicatorError(f"a defect of the replicator: {type(error).__name__}", advice="report it"))
        finally:
            self._idle.set()

    def _beat(self) -> None:
        """Renew the lease while no sync is under way."""
        held = self._held
        if held is None or not self._idle.is_set() or self._stop.is_set():
            return
        self._quiet.clear()
        try:
            with self._database.transaction() as tx:
                lease.hold(tx, held)
        except LeaseLost as error:
            self._lose(error)
        except DatabaseError as error:
            log.warning("%s", error.message)
        finally:
            self._quiet.set()

    def _lose(self, error: LeaseLost) -> None:
        """Forget the lost lease; the next tick asks for a new one."""
        log.warning("%s", error.message)
        if self._held is not None:
            lease.forget(self._database, self._held)
        self._held = None

    def _end_with(self, error: ReplicatorError) -> None:
        self._fatal = error
        self._stop.set()

    def _comes_to_rest(self) -> bool:
        """Wait for the work under way and release the lease; False where that takes too long."""
        until = time.monotonic() + STOP_SECONDS
        for rest in (self._idle, self._quiet):
            if not rest.wait(max(0.0, until - time.monotonic())):
                return False
        # The database may begin to hang at this point.
        releasing = threading.Thread(target=self._release, name="release", daemon=True)
        releasing.start()
        releasing.join(max(0.5, until - time.monotonic()))
        return not releasing.is_alive()

    def _release(self) -> None:
        if self._held is None:
            return
        try:
            lease.release(self._database, self._held)
        except DatabaseError as error:
            log.warning("the lease could not be given back, and frees itself: %s", error.message)


def _end_at_once(message: str) -> None:
    """End the process with exit code 1, whatever its threads do, and log where they are (places in the
    code, no data).
    """
    log.critical("%s", message)
    faulthandler.dump_traceback(all_threads=True)
    logging.shutdown()
    os._exit(1)
