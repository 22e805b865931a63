"""Downloads recordings beside the syncs of `serve`, in a thread of its own.

A run begins when the service starts, and again after each pause. An error is logged once, until a different one comes,
and the run is tried again: syncs go on meanwhile.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.errors import DatabaseUnavailable, ReplicatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replicator.archive.recordings.running import Report

log = logging.getLogger("replicator.serve")

MOST_RUN_SECONDS = 600.0
"""A run ends after this time, so that its report is logged; the next one goes on."""
STOP_SECONDS = 5.0
"""How long a stop waits for downloads; their parts stay, and are gone on from."""


@contextmanager
def beside(
    perform: Callable[[float], Report],
    stop: threading.Event,
    *,
    every_seconds: float,
    lines: Callable[[Report], Iterator[str]],
) -> Iterator[None]:
    """Run `perform(most seconds)` regularly while the body runs. `lines` says of a report what is to be logged."""
    over = threading.Event()
    thread = threading.Thread(
        target=_keep, args=(perform, stop, over, every_seconds, lines), name="recordings", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(STOP_SECONDS)


def _keep(
    perform: Callable[[float], Report],
    stop: threading.Event,
    over: threading.Event,
    every_seconds: float,
    lines: Callable[[Report], Iterator[str]],
) -> None:
    said = ""
    while not (stop.is_set() or over.is_set()):
        try:
            for line in lines(perform(MOST_RUN_SECONDS)):
                log.info("%s", line)
        except ReplicatorError as error:
            # The syncs report an unavailable database.
            if not isinstance(error, DatabaseUnavailable) and error.message != said:
                said = error.message
                log.warning(
                    "recordings are not stored, tried again in %g s: %s. What to do: %s",
                    every_seconds,
                    said,
                    error.hint,
                )
        except Exception as error:  # noqa: BLE001 - a defect here must not end the syncs; its text may quote a row
            log.critical("recordings are not stored, by a defect: %s", type(error).__name__)
        else:
            said = ""
        stop.wait(every_seconds)


__all__ = ["beside"]
