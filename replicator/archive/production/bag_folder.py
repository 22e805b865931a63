"""Writes a bag's folder: under another name until it is complete, each file hashed as it is written.

The folder gets its name by one rename, after everything was flushed to the disk. So a folder with that name is a
complete bag. One that a killed export left has the other name and no tag manifest, which no verifier accepts, and the
next export into the same place removes it: a lock on it tells whether its export still runs.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicator.archive.production import bag
from replicator.atomic_file import failed
from replicator.errors import ConfigurationError, OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import BinaryIO

VERIFIER = Path(__file__).with_name("verify_file.py")


class Folder:
    """A bag that is being written. All names are the bag's own (bag.py); paths of others never come here."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.files = self.bytes = 0
        self._manifest = self._open(bag.MANIFEST)
        self._tags: dict[str, str] = {}
        self._open_files: dict[str, tuple[BinaryIO, Any]] = {}

    def write(self, name: str, parts: Iterable[bytes]) -> str:
        """Write a payload file from its parts; return its SHA-256 in hex. Raises OutputFailed where there is no room."""
        total, size = sha256(), 0
        with self._open(name) as file:
            for part in parts:
                total.update(part)
                size += self._put(file, part)
        self._list(name, total.hexdigest(), size)
        return total.hexdigest()

    def append(self, name: str, line: bytes) -> None:
        """Write a line to a payload file that grows until `finish`."""
        if name not in self._open_files:
            self._open_files[name] = (self._open(name), sha256())
        file, total = self._open_files[name]
        total.update(line)
        self._put(file, line)

    def remove(self, name: str) -> None:
        """Remove a payload file that could not be written as a whole; it was not listed yet."""
        with suppress(FileNotFoundError):
            (self.place / name).unlink()

    def finish(self) -> None:
        """Close the growing files and the manifest: the payload is complete."""
        for name, (file, total) in sorted(self._open_files.items()):
            size = file.tell()
            self._close(file)
            self._list(name, total.hexdigest(), size)
        self._open_files.clear()
        self._close(self._manifest)

    def write_tags(self, tags: Mapping[str, bytes]) -> dict[str, str]:
        """Write tag files, the verifier among them; return by name the SHA-256 (hex) of all so far, the manifest's too."""
        tags = {**tags, bag.VERIFIER: VERIFIER.read_bytes()}
        for name, content in tags.items():
            self._write(name, content)
        self._tags |= {name: self._hash(name) for name in [*tags, bag.MANIFEST]}
        return dict(self._tags)

    def complete(self, export: bytes) -> None:
        """Write the proof of the export, the declaration, and last the manifest of all tag files."""
        for name, content in ((bag.EXPORT, export), ("bagit.txt", bag.DECLARATION)):
            self._write(name, content)
            self._tags[name] = sha256(content).hexdigest()
        lines = [bag.manifest_line(name, digest) for name, digest in sorted(self._tags.items())]
        self._write(bag.TAG_MANIFEST, b"".join(lines))

    def _write(self, name: str, content: bytes) -> None:
        with self._open(name) as file:
            self._put(file, content)

    def close(self) -> None:
        """Close what is open, after an error."""
        for file in (self._manifest, *(file for file, _ in self._open_files.values())):
            with suppress(OSError):
                file.close()

    def _list(self, name: str, digest: str, size: int) -> None:
        self.files += 1
        self.bytes += size
        self._put(self._manifest, bag.manifest_line(name, digest))

    def _hash(self, name: str) -> str:
        with (self.place / name).open("rb") as file:
            total = sha256()
            while part := file.read(2**20):
                total.update(part)
        return total.hexdigest()

    def _open(self, name: str) -> BinaryIO:
        path = os.path.join(self.place, name)  # noqa: PTH118 - pathlib keeps every part of every path for good
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120 - the same
            return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
        except OSError as error:
            raise failed(error) from None

    @staticmethod
    def _put(file: BinaryIO, data: bytes) -> int:
        try:
            return file.write(data)
        except OSError as error:
            raise failed(error) from None

    @staticmethod
    def _close(file: BinaryIO) -> None:
        try:
            file.close()
        except OSError as error:
            raise failed(error) from None


@contextmanager
def making(target: Path) -> Iterator[Folder]:
    """Yield a new bag; if the block ends without an error it gets its name. Otherwise nothing of it is left.

    Raises ConfigurationError where the target is there and not an empty folder, or cannot be made.
    """
    check(target)
    target = Path(os.path.abspath(target))  # noqa: PTH100 - a link in it stays a link
    _remove_abandoned(target)
    place = target.parent / f".{target.name}-{secrets.token_hex(8)}.part"
    try:
        place.mkdir(mode=0o700)
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(
            f"no folder can be made at {target}: {error.strerror}",
            advice="name a folder inside one that exists and that this user may write to",
        ) from None
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder = Folder(place)
    try:
        yield folder
        os.sync()
        check(target)
        os.rename(place, target)  # noqa: PTH104 - an empty folder is replaced, a full one is refused by the system
        _flush(target.parent)
    except OSError as error:
        raise failed(error) from None
    finally:
        folder.close()
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def check(target: Path) -> None:
    """Raise ConfigurationError where the target is there and not an empty folder."""
    try:
        is_free = not target.is_symlink() and next(target.iterdir(), None) is None
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be a bag: {error.strerror}", advice="name a new folder") from None
    if not is_free:
        raise ConfigurationError(f"{target} is not an empty folder", advice="name a new folder for the bag")


def _remove_abandoned(target: Path) -> None:
    unfinished = re.compile(rf"\.{re.escape(target.name)}-[0-9a-f]{{16}}\.part")
    with suppress(FileNotFoundError, PermissionError):
        for found in target.parent.iterdir():
            if unfinished.fullmatch(found.name) and not found.is_symlink():
                with suppress(OSError):
                    descriptor = os.open(found, os.O_RDONLY | os.O_DIRECTORY)
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(found, ignore_errors=True)
                    finally:
                        os.close(descriptor)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OutputFailed(
            f"the bag is there, but the disk did not confirm its name: {error.strerror}", advice="look after the disk"
        ) from None
    finally:
        os.close(descriptor)


__all__ = ["Folder", "check", "making"]
