"""Keeps unfinished downloads in a folder, so that what broke off goes on where it was.

A part has a file, locked by the process that fills it, and a checkpoint: how many bytes are safely on the disk, their
SHA-256, and the validator of the file that they belong to. After a crash only the bytes of the checkpoint are believed,
and only if they still have that hash. The names hold the recording's id and nothing of the call; no link is stored.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.archive.recordings.failures import FetchError
from replicator.archive.recordings.queue_rules import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX, MARK, FRESH = ".part", ".json", ".new"
CHECKPOINT_BYTES = 16 * 1024 * 1024
"""A crash loses at most so much of a download."""
READ_BYTES = 1024 * 1024


class PartBusy(Exception):
    """Another process is filling this part."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What of a part is believed after a crash."""

    size: int
    sha256: str
    validator: str | None
    origin: str
    """The SHA-256 of the link without its parameters: bytes of one file are never joined to those of another."""
    total: int | None


class Part:
    """One unfinished download. Made by `opened`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self._safe = 0
        self.size = 0
        self.validator: str | None = None
        self.origin = ""
        self.total: int | None = None

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def restore(self, origin: str) -> None:
        """Go on from the checkpoint, where there is one of a file at `origin`; else begin with nothing."""
        found = _read(self._mark)
        self.begin(origin)
        if found is None or found.origin != origin or found.validator is None:
            return
        digest = hashlib.sha256()
        left = found.size
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while left and (block := os.read(self._descriptor, min(READ_BYTES, left))):
            digest.update(block)
            left -= len(block)
        if left or digest.hexdigest() != found.sha256:
            return
        self._hash, self.size, self._safe = digest, found.size, found.size
        self.validator, self.total = found.validator, found.total

    def begin(self, origin: str, validator: str | None = None, total: int | None = None) -> None:
        """Begin with nothing. What the file holds is overwritten, and cut off at the end."""
        self._hash, self.size, self._safe = hashlib.sha256(), 0, 0
        self.origin, self.validator, self.total = origin, validator, total

    def write(self, block: bytes) -> None:
        """Add to the file. Raises FetchError where the disk takes no more."""
        view = memoryview(block)
        try:
            while view:
                count = os.pwrite(self._descriptor, view, self.size)
                self._hash.update(view[:count])
                self.size += count
                view = view[count:]
            if self.validator is not None and self.size - self._safe >= CHECKPOINT_BYTES:
                self.checkpoint()
        except OSError:
            raise FetchError(Reason.STORE_FAILED) from None

    def checkpoint(self) -> None:
        """Make what is here safe, if it can be gone on from."""
        if self.validator is None or self.size == self._safe:
            return
        os.fdatasync(self._descriptor)
        mark = Checkpoint(self.size, self.sha256, self.validator, self.origin, self.total)
        fresh = self._mark.with_suffix(FRESH)
        fresh.write_text(json.dumps({name: getattr(mark, name) for name in Checkpoint.__slots__}), encoding="utf-8")
        fresh.rename(self._mark)
        self._safe = self.size

    def discard_mark(self) -> None:
        """Forget the checkpoint: nothing is to be gone on from."""
        self._mark.unlink(missing_ok=True)

    def head(self, size: int) -> bytes:
        """Return the first bytes."""
        return os.pread(self._descriptor, min(size, self.size), 0)

    def finish(self) -> None:
        """Flush the whole file to the disk. Raises FetchError where that fails."""
        try:
            os.ftruncate(self._descriptor, self.size)
            os.fchmod(self._descriptor, 0o400)
            os.fsync(self._descriptor)
        except OSError:
            raise FetchError(Reason.STORE_FAILED) from None

    def discard(self) -> None:
        """Remove the part: it is stored, or of no use."""
        for path in (self._mark.with_suffix(FRESH), self._mark, self.path):
            path.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path:
        return self.path.with_suffix(MARK)


@contextmanager
def opened(folder: Path, number: UUID) -> Iterator[Part]:
    """Yield the part of one recording, locked. Raises PartBusy, or FetchError where the folder cannot be written."""
    path = folder / f"{number}{SUFFIX}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _locked(path)
    except OSError:
        raise FetchError(Reason.STORE_FAILED) from None
    try:
        yield Part(path, descriptor)
    finally:
        os.close(descriptor)


def listed(folder: Path) -> list[UUID]:
    """Return the recordings of which the folder has a part, or what a crash has left of one."""
    found = set()
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.suffix in {SUFFIX, MARK, FRESH}:
            with suppress(ValueError):
                found.add(UUID(path.stem))
    return sorted(found)


def _locked(path: Path) -> int:
    """Return the file, open and locked. One that is finished is a link to what the store has: it is never opened for
    writing again, but taken away.
    """
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except PermissionError:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise PartBusy from None
        status = os.fstat(descriptor)
        if status.st_nlink and status.st_mode & 0o200:
            return descriptor
        if status.st_nlink:
            path.unlink(missing_ok=True)
        os.close(descriptor)  # taken away, by us or by another process before it was locked


def _read(path: Path) -> Checkpoint | None:
    try:
        return Checkpoint(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


__all__ = ["CHECKPOINT_BYTES", "Part", "PartBusy", "listed", "opened"]
