"""The service's clock: APScheduler triggers syncs, one at a time, until a stop is asked for.

It only triggers. What is due is decided by the ledger, who may write by the lease, so nothing is lost when a tick is
missed and nothing is stored in the scheduler. The one module that knows APScheduler.
"""

from __future__ import annotations

import logging
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from replicator.errors import (
    BadKey,
    ConfigurationError,
    DatabaseError,
    LeaseHeld,
    LeaseLost,
    NotTheApi,
    ReplicatorError,
    SchemaTooNew,
    SchemaTooOld,
)
from replicator.store import lease

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from replicator.store.database import Database
    from replicator.sync.run import Report

log = logging.getLogger("replicator.serve")

STOP_SECONDS = 9.0
"""A stop is over within ten seconds, whatever is under way."""
HEARTBEAT_SECONDS = 10

HOPELESS = (ConfigurationError, BadKey, NotTheApi, SchemaTooOld, SchemaTooNew)
"""What the first sync may show that no waiting changes: the service then ends with that error."""


class Service:
    """Runs `sync` every `poll_seconds` under one lease that is held for the service's whole life."""

    def __init__(
        self,
        database: Database,
        sync: Callable[[lease.Lease], Report],
        *,
        poll_seconds: float,
        stop: Event,
    ) -> None:
        self._database = database
        self._sync = sync
        self._poll_seconds = poll_seconds
        self._stop = stop
        self._held: lease.Lease | None = None
        self._fatal: ReplicatorError | None = None
        self._is_idle = True
        self._has_synced = False

    def run(self) -> None:
        """Sync until the stop event is set; raise what makes it pointless to go on."""
        self._held = lease.acquire(self._database, "serve")
        scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1), "beat": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        # A sync that takes longer than the interval is no event: it polls the head itself.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        now = datetime.now(UTC)
        scheduler.add_job(self._tick, "interval", seconds=self._poll_seconds, next_run_time=now, id="sync")
        scheduler.add_job(self._beat, "interval", seconds=HEARTBEAT_SECONDS, id="heartbeat", executor="beat")
        scheduler.start()
        try:
            self._stop.wait()
        finally:
            self._stop.set()
            scheduler.pause()
            self._wait_until_idle()
            scheduler.shutdown(wait=False)
            self._release()
        if self._fatal is not None:
            raise self._fatal

    def _tick(self) -> None:
        if self._stop.is_set():
            return
        self._is_idle = False
        try:
            self._held = self._held or lease.acquire(self._database, "serve")
            report = self._sync(self._held)
            self._has_synced = True
            log.info("%s", describe(report))
        except LeaseLost as error:
            log.warning("%s", error.message)
            self._held = None
        except LeaseHeld as error:
            self._end_with(error)
        except ReplicatorError as error:
            if isinstance(error, HOPELESS) and not self._has_synced:
                self._end_with(error)
            else:
                log.error("sync failed, and is tried again in %g s: %s", self._poll_seconds, error.message)  # noqa: TRY400 - a known error needs no traceback
        except Exception as error:  # noqa: BLE001 - see below
            # A defect of ours must not leave a service that looks alive. Its text may quote a row: the place will do.
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.critical("the service ends by a defect: %s\n%s", type(error).__name__, frames)
            self._end_with(ReplicatorError(f"a defect of the replicator: {type(error).__name__}", advice="report it"))
        finally:
            self._is_idle = True

    def _beat(self) -> None:
        """Keep the lease while nothing is to do."""
        held = self._held
        if held is None or not self._is_idle or self._stop.is_set():
            return
        try:
            with self._database.transaction() as tx:
                lease.hold(tx, held)
        except LeaseLost as error:
            log.warning("%s", error.message)
            self._held = None
        except DatabaseError as error:
            log.warning("%s", error.message)

    def _end_with(self, error: ReplicatorError) -> None:
        self._fatal = error
        self._stop.set()

    def _wait_until_idle(self) -> None:
        until = time.monotonic() + STOP_SECONDS
        while not self._is_idle and time.monotonic() < until:
            time.sleep(0.02)

    def _release(self) -> None:
        if self._held is None:
            return
        try:
            lease.release(self._database, self._held)
        except DatabaseError as error:
            log.warning("the lease could not be given back, and frees itself: %s", error.message)


def describe(report: Report) -> str:
    """Return one line about a run, for people."""
    counters = report.counters
    parts = [
        f"{counters.requests} requests",
        f"{counters.calls_inserted} new and {counters.calls_changed} changed calls",
        f"{counters.transcripts_stored} transcripts",
        f"{counters.recordings_stored} recordings",
    ]
    if counters.rows_quarantined:
        parts.append(f"{counters.rows_quarantined} rows quarantined")
    if counters.calls_deleted:
        parts.append(f"{counters.calls_deleted} deletions confirmed")
    if report.suspected:
        parts.append(f"{report.suspected} deletions suspected{' and held' if report.is_held else ''}")
    if report.details_due:
        parts.append(f"{report.details_due} details left")
    if report.details_waiting:
        parts.append(f"{report.details_waiting} details not there yet")
    return f"sync {report.result} in {report.seconds:.1f} s: {', '.join(parts)}"
