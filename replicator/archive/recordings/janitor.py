"""Brings the store's files and the rows of archive.objects together again after a crash, or after a loss.

- A crashed run had put a file, and not yet written so: the row names the file, and it is found in the store.
- A crashed run had not put it: the row is downloaded again, from where its part is.
- A row's file is gone from the store: the recording is queued again. Where many are gone the store is probably not the
  right one, and nothing is changed.
- A file belongs to no row, as after the restore of an older database: it is counted and told, and never removed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replicator.archive.recordings import parts
from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.objects import StoreFailed, examine, place_of
from replicator.store import archived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from replicator.archive.recordings.objects import Store
    from replicator.store.archived import Claimed
    from replicator.store.database import Database

BATCH = 5000
STAMP = ".compared"
MOST_LOST = 10
MOST_LOST_SHARE = 0.01
"""If more files are missing than both of these, the store is taken for a wrong or an unmounted one."""


@dataclass(slots=True)
class Compared:
    """What a comparison of all files with all rows found: hashes of lost and of damaged files, places of stray ones."""

    files: int = 0
    lost: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    strays: int = 0


def is_in_store(store: Store, row: Claimed) -> bool:
    """Say whether the file that a crashed run was putting is in the store, whole."""
    if row.putting_sha256 is None:
        return False
    place = place_of(row.putting_sha256)
    return store.size(place) == row.putting_bytes and examine(store, place).is_whole


def remove_finished_parts(database: Database, store: Store) -> int:
    """Remove the parts of recordings that are not waited for any more; return how many."""
    found = parts.listed(store.working)
    if not found:
        return 0
    with database.connection() as connection:
        over = archived.not_pending(connection, found)
    removed = 0
    for number in over:
        with suppress(parts.PartBusy, FetchError), parts.opened(store.working, number) as part:
            part.discard()
            removed += 1
    return removed


def is_comparison_due(store: Store, every_seconds: float) -> bool:
    """Say whether the last comparison from this machine is longer ago than this."""
    try:
        return time.time() - (store.working / STAMP).stat().st_mtime >= every_seconds
    except OSError:
        return True


def compare(
    database: Database, store: Store, account: str, go_on: Callable[[], bool] = lambda: True
) -> Compared | None:
    """Compare all files of the store with the rows, in flat memory; None where it was stopped."""
    found = Compared()
    files, rows = store.listed(), _rows(database)
    file, row = next(files, None), next(rows, None)
    while file is not None or row is not None:
        if not go_on():
            return None
        place = place_of(row[0]) if row is not None else ""
        if row is None or (file is not None and file[0] < place):
            found.files, found.strays = found.files + 1, found.strays + 1
            file = next(files, None)
            continue
        sha256, size, accounts, is_putting = row
        if file is None or place < file[0]:
            if account in accounts and not is_putting:
                found.lost.append(sha256)
        else:
            found.files += 1
            if file[1] != size and account in accounts:
                found.damaged.append(sha256)
            file = next(files, None)
        row = next(rows, None)
    return found


def mend(
    database: Database, store: Store, account: str, found: Compared, now: datetime, *, is_loss_accepted: bool = False
) -> int:
    """Queue the recordings of lost files again; return how many. Raises StoreFailed where too many are lost."""
    lost = [sha256 for sha256 in found.lost if store.size(place_of(sha256)) is None]  # not put in the meantime
    if not lost:
        return 0
    with database.connection() as connection:
        stored = archived.count_stored(connection, account)
    if len(lost) > max(MOST_LOST, MOST_LOST_SHARE * stored) and not is_loss_accepted:
        raise StoreFailed(
            f"{len(lost):,} of {stored:,} recordings are not in the store {store.name}",
            advice="see that it is the right one and mounted, or restore it from its backup. If they are lost, have them "
            "fetched again, as far as the vendor has them: replicator archive run --fetch-lost",
        )
    with database.transaction() as tx:
        return archived.mark_lost(tx, account, lost, now)


def stamp(store: Store) -> None:
    """Note that a comparison was made now."""
    with suppress(OSError):  # a comparison too many does no harm
        store.working.mkdir(mode=0o700, parents=True, exist_ok=True)
        (store.working / STAMP).touch()


def _rows(database: Database) -> Iterator[tuple[str, int, list[str], bool]]:
    after = ""
    while True:
        with database.connection() as connection:
            found = archived.stored_after(connection, after, BATCH)
        yield from found
        if len(found) < BATCH:
            return
        after = found[-1][0]


__all__ = ["Compared", "compare", "is_comparison_due", "is_in_store", "mend", "remove_finished_parts", "stamp"]
