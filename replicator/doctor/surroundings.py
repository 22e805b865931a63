"""Turns the settings, their files and the state of this machine into findings. Pure, except `look`, which reads the
machine.
"""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from replicator import assembly, env_file, trusted_files
from replicator.doctor.findings import Finding, error, fine, of, warning
from replicator.errors import ReplicatorError
from replicator.store import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replicator.errors import ConfigurationError
    from replicator.settings import Settings

MEGABYTE = 1024 * 1024
LITTLE_SPACE, NO_SPACE = 1024 * MEGABYTE, 100 * MEGABYTE
LEAST_SHARED = 64 * MEGABYTE
SHARED = Path("/dev/shm")  # noqa: S108 - a mount
SECRET_FILES = ("truedy_api_key_file", "replicator_pseudonym_key_file")


@dataclass(frozen=True, slots=True)
class Here:
    """The state of the machine and the user, as far as it matters."""

    folder: str | None
    """The working directory; None where it no longer exists."""
    user: str
    uid: int
    has_account: bool
    has_home: bool
    data_dir: Path | None
    """The folder of the embedded database, whether it exists or not; None where another database is used."""
    data_owner: int | None
    """The user id that owns that folder; None where it does not exist."""
    data_mode: int
    is_writable: bool
    """This user may make that folder, or write into it."""
    free_bytes: int | None
    shared_bytes: int | None
    """Size of the machine's shared memory file system."""
    binaries: Path | ReplicatorError | None


def look(settings: Settings) -> Here:
    """Read the state of the machine. Nothing here raises: what cannot be read is None."""
    try:
        folder: str | None = str(Path.cwd())
    except OSError:
        folder = None
    uid = os.geteuid()
    try:
        has_account, home = True, pwd.getpwuid(uid).pw_dir
    except KeyError:
        has_account, home = False, ""
    data_dir = None if settings.names_a_database else assembly.data_dir(settings)
    owner, mode, writable, left = None, 0, False, None
    if data_dir is not None:
        try:
            facts = data_dir.stat()
            owner, mode = facts.st_uid, facts.st_mode & 0o7777
        except OSError:
            pass
        there = _nearest(data_dir)
        writable = os.access(there, os.W_OK | os.X_OK)
        left = free(there)
    return Here(
        folder, trusted_files.user_name(uid), uid, has_account, Path(settings.home or home or "/nowhere").is_dir(),
        data_dir, owner, mode, writable, left, _size(SHARED) if data_dir else None,
        _binaries() if data_dir else None,
    )  # fmt: skip


def of_settings(
    settings: Settings, problems: Sequence[ConfigurationError], *, with_source: bool = True
) -> Iterator[Finding]:
    """Yield the findings about the settings. `problems` are the errors because of which they cannot be used as they
    are.
    """
    yield from (of("settings", problem) for problem in problems)
    for place, names in settings.by_origin().items():
        yield fine("settings", f"from {place}: {', '.join(names)}")
    if settings.env_file.path is not None:
        yield fine("settings", f"the file {settings.env_file.path} was read")
    for one in settings.unknown:
        yield warning("settings", str(one), "correct or remove it: it has no effect")
    for note in settings.env_file.notes:
        yield warning("settings", note, "correct the file")
    yield from _secrets(settings, with_source=with_source)
    yield from _pseudonyms(settings)
    yield from _readable_files(settings)
    yield from _libpq(settings)
    if settings.proxies:
        yield fine(
            "settings", f"{', '.join(settings.proxies)} set, and not used: the source is always reached directly"
        )


def _secrets(settings: Settings, *, with_source: bool) -> Iterator[Finding]:
    try:
        if not with_source and not settings.has_api_key:
            yield fine("settings", "no API key is set: sync, serve and verify need one")
            return
        keys = settings.api_keys()
        yield fine("settings", f"{len(keys)} API key{'s' if len(keys) > 1 else ''}")
    except ReplicatorError as failure:
        yield of("settings", failure)


def _pseudonyms(settings: Settings) -> Iterator[Finding]:
    try:
        if settings.pseudonym_key() is not None:
            yield fine("settings", "a secret for pseudonyms is set")
        elif settings.names_a_database:
            yield warning(
                "settings",
                "no secret for pseudonyms: other_party_key and our_number_key are null",
                "set REPLICATOR_PSEUDONYM_KEY_FILE if you want to count calls of the same number",
            )
    except ReplicatorError as failure:
        yield of("settings", failure)


def _readable_files(settings: Settings) -> Iterator[Finding]:
    files = [(name.upper(), getattr(settings, name)) for name in SECRET_FILES]
    for name, path in [*files, (env_file.NAME, settings.env_file.path)]:
        if path is None:
            continue
        try:
            found = trusted_files.look(path)
        except (OSError, ValueError):
            continue  # a finding above already says that it cannot be read
        if isinstance(found, trusted_files.Found) and found.is_readable_by_others:
            yield warning(
                "settings",
                f"{name}: others on this machine may read {path} (mode {found.mode:04o})",
                f"chmod 600 {path}; in a separate container no change is necessary",
            )


def _libpq(settings: Settings) -> Iterator[Finding]:
    names = settings.libpq_variables
    if not names:
        return
    said = f"libpq's variables are set: {', '.join(names)}"
    if settings.database_url is None and not settings.names_a_database:
        yield fine("settings", f"{said}; none of them names a database, so the embedded one is used")
    else:
        yield warning(
            "settings",
            f"{said}. They apply to every connection to the database where DATABASE_URL gives no value",
            "unset those that are not meant for the replica, or put the values into DATABASE_URL",
        )
    if "PGPASSWORD" in names and settings.origin("database_url") != "the environment" and settings.database_url:
        yield warning(
            "settings",
            f"PGPASSWORD of the environment is sent to the server that DATABASE_URL of {settings.origin('database_url')} names",
            "keep both in one place",
        )


def of_machine(here: Here) -> Iterator[Finding]:
    """Yield the findings about this machine and the folder of the embedded database."""
    yield fine("machine", f"runs as {here.user} in {here.folder or 'a folder that is gone'}")
    if here.folder is None:
        yield warning("machine", "the working directory does not exist any more", "change into another folder")
    if not here.has_account:
        yield warning(
            "machine",
            f"user id {here.uid} has no account on this machine",
            "programs that look for its name or home may fail: give it a line in /etc/passwd, or set HOME",
        )
    if here.data_dir is None:
        return
    if not here.has_home and here.uid:
        yield warning("machine", "there is no home folder", "set REPLICATOR_DATA_DIR, or HOME")
    yield from _data_folder(here)
    if isinstance(here.binaries, ReplicatorError):
        yield of("machine", here.binaries)
    elif here.binaries is not None:
        yield fine("machine", f"PostgreSQL's programs are in {here.binaries}")
    if here.shared_bytes is not None and here.shared_bytes < LEAST_SHARED:
        yield warning(
            "machine",
            f"{SHARED} holds {here.shared_bytes // MEGABYTE} MB, which is little for PostgreSQL",
            "give the container more: docker run --shm-size=256m",
            "this machine",
        )


def _data_folder(here: Here) -> Iterator[Finding]:
    if here.data_owner is None and not here.is_writable:
        yield error(
            "machine",
            f"the folder of the embedded database, {here.data_dir}, is not there and cannot be made by {here.user}",
            "set REPLICATOR_DATA_DIR to a folder that this user may write to, or set DATABASE_URL",
            exit_code=2,
            fault="the configuration",
        )
    elif here.data_owner is None:
        yield fine(
            "machine", f"the embedded database will be made in {here.data_dir} by the first command that needs it"
        )
    elif here.data_owner != here.uid:
        owner = trusted_files.user_name(here.data_owner)
        yield error(
            "machine",
            f"the folder of the embedded database, {here.data_dir}, belongs to {owner}, and this is {here.user}",
            f"run as {owner}, or set REPLICATOR_DATA_DIR",
            exit_code=2,
            fault="the configuration",
        )
    elif here.data_mode & 0o022:
        yield error(
            "machine",
            f"others may write the folder of the embedded database, {here.data_dir} (mode {here.data_mode:04o})",
            f"chmod go-w {here.data_dir}",
            exit_code=2,
            fault="the configuration",
        )
    else:
        yield fine("machine", f"the embedded database is in {here.data_dir} (mode {here.data_mode:04o})")
    yield from space(here.free_bytes, str(here.data_dir))


def space(left: int | None, where: str) -> Iterator[Finding]:
    """Yield the findings about the disk space at a place."""
    if left is None:
        return
    said = f"{left / MEGABYTE:,.0f} MB are free at {where}"
    if left < NO_SPACE:
        yield error(
            "machine", said, "free space: a sync would end with exit code 4", exit_code=4, fault="this machine's disk"
        )
    elif left < LITTLE_SPACE:
        yield warning("machine", said, "a million calls with transcripts take some gigabytes", "this machine's disk")
    else:
        yield fine("machine", said)


def _nearest(path: Path) -> Path:
    """Return the folder, or the nearest parent that exists."""
    for folder in (path, *path.absolute().parents):
        try:
            if folder.is_dir():
                return folder
        except OSError:
            continue
    return Path("/")


def free(path: Path) -> int | None:
    """Return the free bytes at a place; None where they cannot be read."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def _size(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).total
    except OSError:
        return None


def _binaries() -> Path | ReplicatorError:
    try:
        return embedded.find_binaries()
    except ReplicatorError as failure:
        return failure


__all__ = ["Here", "free", "look", "of_machine", "of_settings", "space"]
