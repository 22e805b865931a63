"""Verifies stored recordings: each row against its sealed record and, where wanted, each file's bytes against its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from replicator.archive.recordings.objects import examine
from replicator.archive.verification.verification import Fault
from replicator.store import sealed_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replicator.archive.recordings.objects import Store
    from replicator.store.database import Database
    from replicator.store.sealed_objects import Pair

REMOVED = frozenset({"erased", "disposed"})


class Sealed(msgspec.Struct):
    """What a record of kind `recording` says of its file."""

    sha256: str
    bytes: int


def compare(pair: Pair) -> Fault | None:
    """Return what is wrong between a recording's record and its row."""
    about = f"the recording of call {pair.call_id}"
    if pair.sequence is None:
        return Fault(None, "recording_unsealed", f"{about} is stored, and no record says so")
    if pair.content is None:
        if pair.state in REMOVED:
            return None
        return Fault(pair.sequence, "recording_kept", f"{about} is erased in its record, and its row says {pair.state}")
    try:
        sealed = msgspec.json.decode(pair.content, type=Sealed)
    except msgspec.MsgspecError:
        return Fault(pair.sequence, "recording_unreadable", f"the record of {about} cannot be read")
    if pair.state != "stored":
        return Fault(pair.sequence, "recording_lost", f"{about} is sealed, and is not in the store ({pair.state})")
    if (sealed.sha256, sealed.bytes) != (pair.sha256, pair.size):
        return Fault(pair.sequence, "recording_changed", f"{about} is sealed as another file than its row says")
    return None


def check_file(store: Store, pair: Pair) -> Fault | None:
    """Read all bytes of a stored recording; return what is wrong with them. Raises StoreFailed."""
    found = examine(store, pair.place or "")
    if found.sha256 is None:
        return Fault(
            pair.sequence, "file_missing", f"the file {pair.place} of call {pair.call_id} is gone from the store"
        )
    if (found.sha256, found.bytes) != (pair.sha256, pair.size):
        return Fault(pair.sequence, "file_changed", f"the file {pair.place} of call {pair.call_id} has other bytes")
    return None


def verify(
    database: Database,
    account: str,
    store: Store | None,
    most: int | None,
    tell: Callable[[int], None] = lambda _: None,
) -> Iterator[Fault]:
    """Yield each fault of the account's recordings. With a `store`, the bytes of `most` files are read, chosen by chance, or
    of all (None); `tell` gets how many were. Raises a DatabaseError or StoreFailed.
    """
    with database.connection() as connection:
        chosen = None if store is None or most is None else sealed_objects.sample(connection, account, most)
        read = 0
        for pair in sealed_objects.pairs(connection, account):
            fault = compare(pair)
            if fault is None and store is not None and pair.place and (chosen is None or pair.call_id in chosen):
                fault = check_file(store, pair)
                read += 1
                tell(read)
            if fault is not None:
                yield fault


__all__ = ["check_file", "compare", "verify"]
