"""Writes an output to a file that appears only when it is complete, or to standard output.

A file is written under another name in the same folder, readable for its owner only, and flushed to the disk; then it
gets its name and the folder is flushed. So its name shows the earlier file, or none, until the new one is complete. If
a killed program left a file under the other name, the next program that writes the same file removes it. A lock
distinguishes it from a file that is still being written: the lock ends with its process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from replicator.errors import ConfigurationError, OutputFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNFINISHED = ".part"
NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
"""The error numbers of file systems without hard links."""


class Sink:
    """Takes bytes, counts and hashes them, and writes them; it has the methods of a file."""

    def __init__(self, descriptor: int, *, is_hashed: bool) -> None:
        self._descriptor: int | None = descriptor
        self._hash = hashlib.sha256() if is_hashed else None
        self.bytes = 0
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        """Write all of it. Raises OutputFailed where there is no room."""
        if self._descriptor is None:
            return len(data)
        view = memoryview(data).cast("B")
        if self._hash is not None:
            self._hash.update(view)
        size = len(view)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except BrokenPipeError:
            raise  # the reader of standard output wants no more; the command ends with 1, without a message
        except OSError as error:
            raise failed(error) from None
        self.bytes += size
        return size

    def end(self) -> None:
        """Ignore all further writes. Otherwise an abandoned Parquet writer would still write its footer, below an
        incomplete file or into another file that has the descriptor's number by then.
        """
        self._descriptor = None

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def close(self) -> None:
        """Do nothing: the code that opened the file closes it."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    @property
    def sha256(self) -> str | None:
        return None if self._hash is None else self._hash.hexdigest()


def failed(error: OSError) -> OutputFailed:
    """Return our error for one of the system's while writing."""
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return OutputFailed(
        f"the file could not be written: {error.strerror}",
        advice="make room, or choose another folder; no partial file is left" if is_full else None,
    )


def check(path: Path, *, may_replace: bool) -> None:
    """Raise ConfigurationError where the file cannot or may not be written. Writes nothing."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _refused(path, error) from None
    if not stat.S_ISREG(mode):
        # A rename would put a file in place of the device, the pipe or the link.
        raise ConfigurationError(
            f"{path} is no ordinary file", advice="name a file, or use --output - for standard output and a pipe"
        )
    if not may_replace:
        raise _exists(path)


@contextmanager
def replacing(path: Path, *, may_replace: bool) -> Iterator[Sink]:
    """Yield a sink; if the block ends without an error, its content becomes the file. Otherwise nothing changes."""
    check(path, may_replace=may_replace)
    mark = f".replicator-export-{hashlib.sha256(path.name.encode(errors='surrogateescape')).hexdigest()[:12]}-"
    folder = _open_folder(path)
    try:
        _remove_abandoned(folder, mark)
        name, descriptor = _begin(path, folder, mark)
        try:
            sink = Sink(descriptor, is_hashed=True)
            yield sink
            try:
                os.fsync(descriptor)
                _appear(path, folder, name, may_replace=may_replace)
            except OSError as error:
                raise failed(error) from None
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            os.close(descriptor)
        _flush_folder(folder)
    finally:
        os.close(folder)


@contextmanager
def standard_output() -> Iterator[Sink]:
    """Yield a sink whose bytes go to standard output at once."""
    sys.stdout.flush()
    sink = Sink(sys.stdout.fileno(), is_hashed=False)
    try:
        yield sink
    finally:
        sink.end()


def try_beside(path: Path) -> None:
    """Make a file in the folder of a file that is to be written later, and remove it again. Raises ConfigurationError where
    that fails: what cannot be undone is done only after it.
    """
    folder = _open_folder(path)
    try:
        name, descriptor = _begin(path, folder, ".replicator-trial-")
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def write(path: Path, text: str) -> None:
    """Write a text file; it replaces an earlier one."""
    content = text.encode()
    with replacing(path, may_replace=True) as sink:
        sink.write(content)


def _open_folder(path: Path) -> int:
    try:
        return os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _refused(path, error) from None


def _begin(path: Path, folder: int, mark: str) -> tuple[str, int]:
    """Return the name and the descriptor of a new file, which is locked by this process."""
    while True:
        name = f"{mark}{secrets.token_hex(8)}{UNFINISHED}"
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        except OSError as error:
            raise _refused(path, error) from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)  # another process removed it as abandoned, before it was locked


def _remove_abandoned(folder: int, mark: str) -> None:
    for name in os.listdir(folder):
        if not (name.startswith(mark) and name.endswith(UNFINISHED)):
            continue
        with suppress(OSError):
            # Another user's pipe with such a name would block: so it is refused.
            descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def _appear(path: Path, folder: int, name: str, *, may_replace: bool) -> None:
    """Give the file its name in one step. Unlike a rename, a link fails where another file came first."""
    if not may_replace:
        try:
            os.link(name, path.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise _exists(path) from None
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        else:
            return
    check(path, may_replace=may_replace)
    os.rename(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)


def _flush_folder(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some file systems cannot do this
            raise OutputFailed(
                f"the file is there, but the disk did not confirm its name: {error.strerror}",
                advice="look after the disk, then write it again",
            ) from None


def _exists(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{path} exists", advice="name another file, or add --overwrite")


def _refused(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"no file can be written at {path}: {error.strerror}",
        advice="name a file in a folder that exists and that this user may write to",
    )
