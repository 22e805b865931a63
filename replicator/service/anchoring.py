"""Writes the signed head of the archive outside at regular intervals, beside the syncs of a service.

It has a thread of its own: a place or an authority that is slow or away holds up no sync. What failed is logged and
tried again at the next turn; nothing is lost by it but that the open window is longer, which `archive status` says.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from replicator.archive.heads import anchor_places, anchors, timestamps
from replicator.errors import ReplicatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.archive.heads.signing import Signer
    from replicator.store.database import Database

log = logging.getLogger("replicator.serve")
END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where heads are written and how often. `authority` is asked for time stamps, if there is one."""

    to: str
    every_seconds: float
    authority: str | None = None


@contextmanager
def anchored(
    database: Database, account: str, signer: Signer, schedule: Schedule, stop: threading.Event
) -> Iterator[None]:
    """Write heads inside the block, the first one at once, and a last one when the block ends: where the place and the
    authority answer in END_SECONDS, so that they hold up no stop.

    Raises ConfigurationError, before the block begins, where the place or the authority can never be used as it is set.
    """
    anchor_places.of(schedule.to)
    if schedule.authority is not None:
        timestamps.check_address(schedule.authority)
    over = threading.Event()

    def work() -> None:
        is_over = False
        while not is_over:
            once(database, account, signer, schedule)
            is_over = over.wait(schedule.every_seconds)
        if stop.is_set():
            once(database, account, signer, schedule)

    thread = threading.Thread(target=work, name="anchors", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(END_SECONDS)


def once(database: Database, account: str, signer: Signer, schedule: Schedule) -> bool:
    """Write the newest head, and say whether it and all time stamps are there. What failed is logged."""
    try:
        place = anchor_places.of(schedule.to)
        done = anchors.anchor(database, account, signer, place, lambda: datetime.now(UTC), authority=schedule.authority)
    except ReplicatorError as error:
        log.warning("the archive's head could not be written outside, which is tried again: %s", error.message)
        return False
    except Exception as error:  # noqa: BLE001 - the open window would grow unseen; its text may quote a setting
        log.critical(
            "the archive's head could not be written outside, by a defect, which is tried again: %s",
            type(error).__name__,
        )
        return False
    if done.token_error is not None:
        log.warning("%d heads of the archive wait for their time stamp: %s", done.waiting, done.token_error)
    return done.token_error is None


__all__ = ["Schedule", "anchored", "once"]
