"""Keeps the reports' roll-ups and the statistics of grown tables up to date during a run, in a separate thread.

Reports are correct without it, because days with changes are counted from the calls; it makes the reports fast again.
After it has computed days, it rests for twice the time that this took: with a longer rest a run had to wait for its days at the
end, with a shorter one it was slowed down. It needs no lease, because every process computes the same values.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.errors import DatabaseError, DatabaseUnavailable, ReportingUnusable
from replicator.store import rollups, statistics
from replicator.store.schema_check import bundled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replicator.store.database import Database

PAUSE_SECONDS = 1.0
AT_MOST_WAITED_SECONDS = 5.0
"""The longest wait for days being computed at a stop. They stay marked as touched; their transaction ends with the
process.
"""
REST = 2
"""Seconds of rest for each second of work on days."""
PAUSES_AFTER_ERROR = 20
AT_THE_END_SECONDS = 60.0

log = logging.getLogger(__name__)


@contextmanager
def refreshed(
    database: Database, stop: threading.Event, *, at_the_end_seconds: float = AT_THE_END_SECONDS
) -> Iterator[None]:
    """Refresh roll-ups while the body runs, and after it until `at_the_end_seconds` are over or `stop` is set.

    Days that are not refreshed stay marked as touched. Raises the DatabaseError of the last refresh. An earlier one is
    logged, and the refresh is tried again. A setting that makes reports impossible (ReportingUnusable) is logged too:
    calls are copied, and the days stay touched until it is corrected.
    """
    kept = rollups.kept(bundled("sql"))
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
    pause, said, days_are_due_at = PAUSE_SECONDS, "", 0.0

    def go_on() -> bool:
        return not over.is_set()

    while not over.wait(pause):
        began = time.monotonic()
        try:
            # Each call is computed once, so that waiting would save nothing. A day is computed for each time it is touched.
            rollups.refresh_calls(database, kept, go_on=go_on)
            if began >= days_are_due_at:
                statistics.refresh(database, go_on=go_on)
                rollups.refresh(database, kept, go_on=go_on)
                days_are_due_at = time.monotonic() + REST * (time.monotonic() - began)
        except DatabaseError as error:
            pause = PAUSE_SECONDS * PAUSES_AFTER_ERROR
            # The run itself reports an unavailable database. Another error is logged once, until a different one comes.
            if not isinstance(error, DatabaseUnavailable) and error.message != said:
                said = error.message
                log.warning(
                    "days stay to be computed, tried again every %g s: %s. What to do: %s", pause, said, error.hint
                )
        else:
            pause, said = PAUSE_SECONDS, ""
