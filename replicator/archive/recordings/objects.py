"""The one door to the archive's files: what a store is, whether it is a folder or a bucket of S3 (stores.py opens one).

A file's place is made of its SHA-256 (`aa/bb/<hash>`), and is the same in every store, so a store can be copied as it
is. A file that is there is never overwritten. What may be a file's place is checked here, so that a changed row of the
database cannot lead out of the store.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from replicator.errors import OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime
    from pathlib import Path

BLOCK_BYTES = 1024 * 1024
_PLACE = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}\Z")


class StoreFailed(OutputFailed):
    """The store cannot be read or written now: a full disk, a bucket that refuses, no connection."""

    fault = "the archive's store"
    waiting_helps = True
    advice = "see that REPLICATOR_ARCHIVE_STORE can be reached and has room; nothing that is stored is lost"


class ObjectGone(StoreFailed):
    """The store has no file at this place."""

    waiting_helps = False
    advice = (
        "the next `replicator archive run` fetches it again while the vendor has it; else restore the store's backup"
    )


class ObjectDiffers(StoreFailed):
    """Another content lies at the place of a file, so the file cannot be stored."""

    waiting_helps = False
    advice = "find out who changed the store: `replicator archive verify --objects all` names each such file"


class ObjectHeld(StoreFailed):
    """The store does not let this file go."""

    waiting_helps = False
    advice = (
        "give the bucket's user the rights s3:DeleteObjectVersion and s3:BypassGovernanceRetention, or wait until the lock of "
        "the file ends (mode COMPLIANCE cannot be bypassed); then run the same command again"
    )


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file of the store really is. `sha256` is None where there is no file."""

    place: str
    sha256: str | None
    bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether the bytes are those that the place's name stands for."""
        return self.sha256 is not None and self.sha256 == self.place.rpartition("/")[2]


class Store(Protocol):
    """Where the archive's files are. All methods raise StoreFailed where the store cannot be used."""

    @property
    def name(self) -> str:
        """What the store is called in messages, without secrets."""

    @property
    def working(self) -> Path:
        """A local folder for unfinished downloads; in a folder's case on the same disk."""

    def put(self, part: Path, sha256: str, media_type: str, retain_until: datetime | None = None) -> str:
        """Store a finished, flushed file under its hash; return its place. It may be there already.

        When it returns, the file outlives a crash of this machine. Raises ObjectDiffers where other bytes are there.
        """

    def size(self, place: str) -> int | None:
        """Return a file's size in bytes, or None where it is not there."""

    def open(self, place: str) -> AbstractContextManager[Iterator[bytes]]:
        """Yield a file's blocks. Raises ObjectGone where it is not there."""

    def remove(self, place: str) -> bool:
        """Remove a file for good; False where it is not there. Raises ObjectHeld where the store does not let it go."""

    def listed(self) -> Iterator[tuple[str, int]]:
        """Yield (place, size in bytes) of each file, by rising place."""

    def tidy(self) -> None:
        """Remove what broken uploads have left."""


def place_of(sha256: str) -> str:
    """Return the place of a file with this hash (hex)."""
    return checked(f"{sha256[:2]}/{sha256[2:4]}/{sha256}")


def checked(place: str) -> str:
    """Return the place. Raises StoreFailed where it is none."""
    if not _PLACE.match(place) or place[:2] + place[3:5] != place[6:10]:
        raise StoreFailed(
            "the database names a place that no file of the archive can have", advice="run: replicator archive verify"
        )
    return place


def examine(store: Store, place: str) -> Examined:
    """Read all bytes of a file, in flat memory, and return what they are."""
    digest, size = hashlib.sha256(), 0
    try:
        with store.open(place) as blocks:
            for block in blocks:
                digest.update(block)
                size += len(block)
    except ObjectGone:
        return Examined(place, None, 0)
    return Examined(place, digest.hexdigest(), size)


__all__ = ["BLOCK_BYTES", "Examined", "ObjectDiffers", "ObjectGone", "ObjectHeld", "Store", "StoreFailed", "checked", "examine",
           "place_of"]  # fmt: skip
