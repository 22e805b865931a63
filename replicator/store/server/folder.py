"""The folder of the embedded database: checks who may write to it, accesses files by descriptor, holds locks.

Only we write to it: it belongs to us, others have no right to write, and links and other users' files in it are not
followed. So its content can be trusted. Every mode is set explicitly, whatever the umask is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from replicator.errors import ConfigurationError, DatabaseError, DatabaseUnavailable
from replicator.store.server.account import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from replicator.store.server.account import Account

OURS: Final = frozenset(
    {
        "cluster", "password", "port", "lock", "users", "running", "server.json", "postgresql", "pseudonym-key", "demo",
        "archive", "archive-unfinished", "archive-signing-key", "suppressions.jsonl",
    }
)  # fmt: skip
"""What may lie in a folder whose mode we correct, beside unfinished files and what the demo leaves there."""
UNFINISHED: Final = re.compile(
    r"\.(probe|replicator-export|password|port|server\.json|pseudonym-key)[.-]|demo-report\.html"
)
LOCK_SECONDS: Final = 120.0
"""How long another process may take to start or stop the server."""
LONGEST_PATH: Final = 900
"""The longest path in bytes: PostgreSQL's own paths below it must stay under 1024."""
LEAST_DESCRIPTOR: Final = 3
WRITERS: Final = stat.S_IWGRP | stat.S_IWOTH
ADVICE: Final = "set REPLICATOR_DATA_DIR to a folder that this user may write to, or set DATABASE_URL"


class Folder:
    """The open folder of the embedded database; it is made where there is none. `path` contains no links."""

    def __init__(self, wanted: Path) -> None:
        """Open the folder. Raises ConfigurationError where it cannot be ours."""
        with refusing(wanted):
            absolute = _absolute(wanted)
            _refuse_links_of_others(absolute)
            self.path = Path(os.path.realpath(absolute))
            if len(os.fsencode(self.path)) > LONGEST_PATH:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            self._fd = _opened(self.path)
            try:
                self._make_ours()
            except BaseException:  # a Ctrl-C, too: nothing else would close it
                os.close(self._fd)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def _make_ours(self) -> None:
        facts = os.fstat(self._fd)
        if facts.st_uid != os.geteuid():
            raise ConfigurationError(
                f"the data folder {self.path} belongs to {name_of(facts.st_uid)}, and this is {name_of(os.geteuid())}",
                advice="set REPLICATOR_DATA_DIR to a folder of this user's own (a new one within it is made where allowed)",
            )
        mode = stat.S_IMODE(facts.st_mode)
        right = (mode & ~WRITERS) | (stat.S_IXOTH if os.geteuid() == 0 else 0)
        if mode != right and not self._holds_others_things():
            os.fchmod(self._fd, right)
        elif mode & WRITERS:
            raise ConfigurationError(
                f"others may write to the data folder {self.path} (mode {mode:04o}), and it holds more than the database",
                advice="set REPLICATOR_DATA_DIR to a folder of its own, or take the right away: chmod go-w",
            )
        if os.geteuid() == 0:
            _refuse_parents_of_others(self.path)

    def _holds_others_things(self) -> bool:
        with os.scandir(self._fd) as entries:
            return any(entry.name not in OURS and not UNFINISHED.match(entry.name) for entry in entries)

    # Files --------------------------------------------------------------------------------------------------------

    def read(self, name: str) -> str | None:
        """Return a file's text, or None where there is none."""
        with refusing(self.path):
            try:
                descriptor = self._open(name, os.O_RDONLY)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
                return file.read().strip()

    def write(self, name: str, text: str) -> None:
        """Write a file that only we can read; it appears complete, and replaces an earlier one."""
        with refusing(self.path):
            made = self._made(name, text)
            os.rename(made, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def secret(self, name: str) -> str:
        """Return the secret of this name; a random one is made where there is none. Two processes at once get the same
        one.
        """
        kept = self.read(name)
        if kept is None:
            with refusing(self.path):
                made = self._made(name, secrets.token_urlsafe(32))
                try:
                    os.link(made, name, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)
                except FileExistsError:
                    pass
                except OSError:  # a file system without links
                    os.rename(made, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
                with suppress(FileNotFoundError):
                    os.unlink(made, dir_fd=self._fd)
            kept = self.read(name)
        if not kept:
            raise ConfigurationError(f"{self.path / name} is empty", advice="restore the folder as a whole")
        return kept

    def _made(self, name: str, text: str) -> str:
        """Return the name of a new file with this text, after it was written to the disk."""
        made = f".{name}.{secrets.token_hex(8)}"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self._fd)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:  # a Ctrl-C, too: a half-written file would stay
            os.unlink(made, dir_fd=self._fd)
            raise
        return made

    def _open(self, name: str, flags: int) -> int:
        """Open a file of our own. A link, a pipe or another user's file is refused, without waiting."""
        try:
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600, dir_fd=self._fd)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENXIO}:
                raise self._foreign(name) from None
            raise
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            os.close(descriptor)
            raise self._foreign(name)
        if flags & os.O_CREAT or stat.S_IMODE(facts.st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
        return _above_streams(descriptor)

    def _foreign(self, name: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.path / name} is not a file of this user's own",
            advice="find out who put it there; then remove it, or set REPLICATOR_DATA_DIR to another folder",
        )

    # The server's own folder ----------------------------------------------------------------------------------------

    def owner_of(self, name: str) -> int | None:
        """Return the user id that owns a folder inside this one, or None where it does not exist."""
        with refusing(self.path):
            try:
                facts = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
            except FileNotFoundError:
                return None
        if not stat.S_ISDIR(facts.st_mode):
            raise self._foreign(name)
        return facts.st_uid

    def give(self, name: str, account: Account | None, mode: int) -> Path:
        """Make a folder inside this one, for the account or for ourselves; return its path."""
        with refusing(self.path):
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=self._fd)
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._fd)
            try:
                facts = os.fstat(descriptor)
                uid = os.geteuid() if account is None else account.uid
                if facts.st_uid not in {uid, os.geteuid()}:
                    raise self._foreign(name)
                if facts.st_uid != uid and account is not None:
                    os.fchown(descriptor, account.uid, account.gid)
                if stat.S_IMODE(facts.st_mode) != mode:
                    os.fchmod(descriptor, mode)
            finally:
                os.close(descriptor)
        return self.path / name

    # Locks --------------------------------------------------------------------------------------------------------

    def lock_file(self, name: str) -> int:
        """Return the descriptor of a lock file. Its locks end when the last process that has it open ends."""
        with refusing(self.path):
            return self._open(name, os.O_RDWR | os.O_CREAT)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder while the server is started or stopped."""
        descriptor = self.lock_file("lock")
        try:
            self.wait_for(descriptor)
            yield
        finally:
            os.close(descriptor)

    def wait_for(self, descriptor: int, *, is_shared: bool = False) -> None:
        """Wait for a lock that others hold only while they start or stop the server. Raises DatabaseUnavailable."""
        until = time.monotonic() + LOCK_SECONDS
        while not self.take(descriptor, is_shared=is_shared):
            if time.monotonic() > until:
                raise DatabaseUnavailable(
                    f"another process has been starting or stopping the database in {self.path} for {LOCK_SECONDS:g} s",
                    advice=f"see which it is (fuser {self.path / 'lock'}), and end it if it hangs",
                )
            time.sleep(0.02)

    def drop(self, descriptor: int) -> None:
        """Release a lock."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def take(self, descriptor: int, *, is_shared: bool = False) -> bool:
        """Take a lock without waiting; say whether it was free. If not, a lock already held on this descriptor is lost
        too.

        It works across containers, because the kernel keeps the lock with the file.
        """
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ConfigurationError(
                f"the file system of {self.path} keeps no locks: {error.strerror}",
                advice="set REPLICATOR_DATA_DIR to a folder on a local disk, or set DATABASE_URL",
            ) from None
        return True


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Replace the system's errors by ours."""
    try:
        yield
    except OSError as error:
        said = f"the data folder {path} cannot be used: {error.strerror or type(error).__name__}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DatabaseError(said, advice="make room on that disk, or set REPLICATOR_DATA_DIR to another") from None
        raise ConfigurationError(said, advice=ADVICE) from None


def _absolute(wanted: Path) -> Path:
    try:
        name = os.fsencode(wanted).decode()
    except UnicodeDecodeError:
        raise ConfigurationError("the data folder's name is not in UTF-8", advice=ADVICE) from None
    if not name.isprintable():
        raise ConfigurationError("the data folder's name has control characters in it", advice=ADVICE)
    try:
        return wanted.absolute()
    except FileNotFoundError:
        raise ConfigurationError(
            "the working directory does not exist any more, and the data folder is named from it",
            advice="go to a folder that exists, or set REPLICATOR_DATA_DIR to an absolute path",
        ) from None


def _opened(path: Path) -> int:
    """Open a folder; it and its parents are made where they are missing.

    Only this user can read a new folder; if this user is root, the server's account can pass through it.
    """
    missing = []
    for folder in (path, *path.parents):
        if folder.exists():
            break
        missing.append(folder)
    is_root = os.geteuid() == 0
    for folder in reversed(missing):
        with suppress(FileExistsError):
            folder.mkdir(0o700)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        if os.fstat(descriptor).st_uid == os.geteuid():
            os.fchmod(descriptor, (0o711 if folder == path else 0o755) if is_root else 0o700)
        os.close(descriptor)
    return _above_streams(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW))


def _above_streams(descriptor: int) -> int:
    """Return the same file with a number above those of the standard streams, which may all be closed."""
    if descriptor >= LEAST_DESCRIPTOR:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR)
    os.close(descriptor)
    return moved


def _refuse_links_of_others(path: Path) -> None:
    for part in (path, *path.parents):
        with suppress(FileNotFoundError):
            facts = part.lstat()
            if stat.S_ISLNK(facts.st_mode) and facts.st_uid not in {0, os.geteuid()}:
                raise ConfigurationError(
                    f"{part} is a link that {name_of(facts.st_uid)} made",
                    advice="set REPLICATOR_DATA_DIR to the folder itself",
                )


def _refuse_parents_of_others(path: Path) -> None:
    """As root, refuse parents that another user may rename: that user could put another folder in the place of ours."""
    for part in path.parents:
        facts = part.stat()
        is_sticky = facts.st_mode & stat.S_ISVTX
        if facts.st_uid not in {0, os.geteuid()} or (facts.st_mode & WRITERS and not is_sticky):
            raise ConfigurationError(
                f"others than root may change {part} (of {name_of(facts.st_uid)}, mode {stat.S_IMODE(facts.st_mode):04o}), "
                f"in which the data folder {path} lies",
                advice="run as that user, or set REPLICATOR_DATA_DIR to a folder below root's own, such as /var/lib/truedy-replicator",
            )
