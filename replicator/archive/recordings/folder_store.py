"""A store that is a folder: `aa/bb/<hash>`, each file written once, flushed with its folder, readable for its owner only."""

from __future__ import annotations

import errno
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from replicator.archive.recordings.objects import (
    BLOCK_BYTES,
    ObjectDiffers,
    ObjectGone,
    StoreFailed,
    checked,
    examine,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP}
"""Some file systems cannot flush a folder."""
_SHARD = re.compile(r"[0-9a-f]{2}\Z")
_FILE = re.compile(r"[0-9a-f]{64}\Z")


class FolderStore:
    """The store in one folder, on one disk. It is safe for several processes at once."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        return str(self._root)

    @property
    def working(self) -> Path:
        return self._root / "unfinished"

    def put(self, part: Path, sha256: str, media_type: str, retain_until: datetime | None = None) -> str:  # noqa: ARG002 - a folder has neither
        place = place_of(sha256)
        path = self._root / place
        try:
            self._make(path.parent)
            try:
                os.link(part, path, follow_symlinks=False)
            except FileExistsError:
                if not examine(self, place).is_whole:
                    raise ObjectDiffers(f"another content lies at the place of {sha256} in the store") from None
            _flush(path.parent)
        except OSError as error:
            raise _failed(error) from None
        return place

    def size(self, place: str) -> int | None:
        try:
            return (self._root / checked(place)).stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(error) from None

    @contextmanager
    def open(self, place: str) -> Iterator[Iterator[bytes]]:
        try:
            descriptor = os.open(self._root / checked(place), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ObjectGone(f"the store has no file {place}") from None
        except OSError as error:
            raise _failed(error) from None
        try:
            yield _blocks(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, place: str) -> bool:
        path = self._root / checked(place)
        try:
            path.unlink()
            _flush(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failed(error) from None
        return True

    def listed(self) -> Iterator[tuple[str, int]]:
        try:
            for first in _names(self._root, _SHARD):
                for second in _names(self._root / first, _SHARD):
                    folder = self._root / first / second
                    for name in _names(folder, _FILE):
                        yield f"{first}/{second}/{name}", (folder / name).stat(follow_symlinks=False).st_size
        except OSError as error:
            raise _failed(error) from None

    def tidy(self) -> None:
        """Do nothing: a link is there, or is not."""

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it; the name of each new one is flushed, too."""
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for one in reversed(missing):
            one.mkdir(mode=0o700, exist_ok=True)
            _flush(one.parent)


def _blocks(descriptor: int) -> Iterator[bytes]:
    try:
        while block := os.read(descriptor, BLOCK_BYTES):
            yield block
    except OSError as error:
        raise _failed(error) from None


def _names(folder: Path, pattern: re.Pattern[str]) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if pattern.match(path.name))
    except FileNotFoundError:
        return []


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def _failed(error: OSError) -> StoreFailed:
    return StoreFailed(f"the archive's folder cannot be used: {error.strerror or type(error).__name__}")


__all__ = ["FolderStore"]
