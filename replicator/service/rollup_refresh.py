"""Keeps the reports' roll-ups, and the statistics of grown tables, up to date beside a run, in a thread of its own.

Reports are right without it, as days that were touched are counted from the calls; this makes them fast again. It rests
ten times as long as it works, so that a long first sync loses little to it, and it needs no lease: it computes what
anybody would compute.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.errors import DatabaseError, DatabaseUnavailable, ReportingUnusable
from replicator.store import rollups, statistics
from replicator.store.migrate import bundled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replicator.store.database import Database

PAUSE_SECONDS = 2.0
AT_MOST_WAITED_SECONDS = 5.0
"""A stop does not wait longer for days that are being computed: they stay touched, and their transaction ends with us."""
REST = 10
"""Seconds of rest for each second of work."""
AT_THE_END_SECONDS = 60.0

log = logging.getLogger(__name__)


@contextmanager
def refreshed(
    database: Database, stop: threading.Event, *, at_the_end_seconds: float = AT_THE_END_SECONDS
) -> Iterator[None]:
    """Refresh roll-ups while the body runs, and at its end for so many seconds, or until `stop`; the rest stays touched.

    Raises the DatabaseError that refreshing ends with. One in the middle is not fatal: it is said, and tried again. Nor is a
    setting that no report can be made with: the calls are copied, and the days stay touched until it is mended.
    """
    kept = rollups.daily(bundled("sql"))
    over = threading.Event()
    thread = threading.Thread(target=_keep, args=(database, kept, over), name="roll-ups", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(AT_MOST_WAITED_SECONDS)
    until = time.monotonic() + at_the_end_seconds

    def go_on() -> bool:
        return not stop.is_set() and time.monotonic() < until

    statistics.refresh(database, go_on=go_on)
    try:
        rollups.refresh(database, kept, go_on=go_on)
    except ReportingUnusable as error:
        log.warning("calls are copied, reports cannot be made: %s. What to do: %s", error.message, error.hint)
    statistics.refresh(database, go_on=go_on)


def _keep(database: Database, kept: Sequence[rollups.Rollup], over: threading.Event) -> None:
    pause, said = PAUSE_SECONDS, ""
    while not over.wait(pause):
        began = time.monotonic()
        try:
            statistics.refresh(database, go_on=lambda: not over.is_set())
            rollups.refresh(database, kept, go_on=lambda: not over.is_set())
        except DatabaseError as error:
            pause = PAUSE_SECONDS * REST
            # A database that is away is said by the run beside it. What stays wrong is said once, until it is another thing.
            if not isinstance(error, DatabaseUnavailable) and error.message != said:
                said = error.message
                log.warning(
                    "days stay to be computed, tried again every %g s: %s. What to do: %s", pause, said, error.hint
                )
        else:
            pause, said = max(PAUSE_SECONDS, REST * (time.monotonic() - began)), ""
