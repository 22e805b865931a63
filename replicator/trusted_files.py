"""Reads files with settings and secrets, only if no user other than this one and root could have written them.

One rule applies to all of them. The file, and every folder and link on the way to it, belongs to this user or to root,
and no other user may write the file or put another one in its place. Others may read it: Docker and Kubernetes mount
secrets that way (owner root, mode 0444, behind symbolic links), and `doctor` reports it. Symbolic links are followed if
they keep the rule themselves. Anything but an ordinary file is refused without being opened, so that a FIFO cannot
block a command.
"""

from __future__ import annotations

import codecs
import errno
import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from replicator.errors import ConfigurationError

MOST_BYTES = 64 * 1024
MOST_LINKS = 40
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
READABLE_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
ENCODINGS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks; of those that begin alike, the longer one is first. PowerShell's `>` writes UTF-16."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a file is not used, and what to do about it."""

    why: str
    advice: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file that keeps the rule: its real path, and its mode."""

    path: Path
    mode: int

    @property
    def is_readable_by_others(self) -> bool:
        """Say whether other accounts may read it."""
        return bool(self.mode & READABLE_BY_OTHERS)


def look(path: Path) -> Found | Refused:
    """Follow the path to the file and say whether it may be used. Opens nothing. Raises OSError like `os.lstat`."""
    left = [part for part in path.absolute().parts[1:] if part != "."]
    here, links = Path("/"), 0
    here_facts = os.lstat(here)
    while True:
        refused = _refused(here, here_facts, is_last=not left)
        if refused is not None:
            return refused
        if not left:
            return Found(here, stat.S_IMODE(here_facts.st_mode))
        part = left.pop(0)
        there = here.parent if part == ".." else here / part
        facts = os.lstat(there)
        if not stat.S_ISLNK(facts.st_mode):
            here, here_facts = there, facts
            continue
        links += 1
        if links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not _is_trusted(facts.st_uid):
            return _foreign(there, facts.st_uid, "the symbolic link")
        target = there.readlink()
        left = [*(part for part in target.parts if part not in ("/", ".")), *left]
        if target.is_absolute():
            here, here_facts = Path("/"), os.lstat("/")


def read(path: Path, *, most_bytes: int = MOST_BYTES) -> str | Refused:
    """Return the text of the file, or why it is refused. Raises OSError where it does not exist or cannot be read."""
    found = look(path)
    if isinstance(found, Refused):
        return found
    descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        # The opened file is checked again: the path belongs to us, but a mode can change at any time.
        refused = _refused(found.path, os.fstat(file.fileno()), is_last=True)
        content = b"" if refused else file.read(most_bytes + 1)
    if refused is not None:
        return refused
    if len(content) > most_bytes:
        return Refused(f"it is larger than {most_bytes:,} bytes", "check the path: this is not the file that is meant")
    return decoded(content)


def decoded(content: bytes) -> str | Refused:
    """Return the text of bytes in UTF-8, with or without a byte order mark, or in UTF-16 or UTF-32 with one."""
    encoding, mark = next(((name, mark) for mark, name in ENCODINGS if content.startswith(mark)), ("utf-8", b""))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return Refused(f"line {line} is no text in {encoding.upper()}", "save it in UTF-8")
    if "\0" in text:
        return Refused("it holds NUL characters, so it is no text in UTF-8", "save it in UTF-8")
    return text


def secret(name: str, path: Path) -> str:
    """Return the text of a secret file that the setting `name` names, without white space around it.

    Raises ConfigurationError, with the setting and the path but never the content, where it cannot be used.
    """
    advice = "expected a text file with the secret in it, readable by this user"
    try:
        text = read(path)
    except OSError as error:
        raise ConfigurationError(f"{name} cannot be read: {path}: {said(error)}", advice=advice) from None
    except ValueError:  # a NUL character in the path
        raise ConfigurationError(f"{name} cannot be read: this is no path", advice=advice) from None
    if isinstance(text, Refused):
        raise ConfigurationError(f"{name} is not used: {path}: {text.why}", advice=text.advice)
    if not text.strip():
        raise ConfigurationError(f"{name} is empty: {path}", advice=advice)
    return text.strip()


def _refused(path: Path, facts: os.stat_result, *, is_last: bool) -> Refused | None:
    kind = stat.S_IFMT(facts.st_mode)
    if is_last and kind != stat.S_IFREG:
        what = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}.get(kind, "a device")
        return Refused(f"{path} is {what} and no file", "name an ordinary file")
    if not is_last and kind != stat.S_IFDIR:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not _is_trusted(facts.st_uid):
        return _foreign(path, facts.st_uid, "the file" if is_last else "the folder")
    writable = facts.st_mode & WRITABLE_BY_OTHERS
    if is_last:
        if writable:
            return Refused(f"others may write the file (mode {_mode(facts)})", f"close it: chmod go-w {path}")
    elif writable and not facts.st_mode & stat.S_ISVTX and not _is_private(facts):
        return Refused(
            f"others may replace it, because they may write the folder {path} (mode {_mode(facts)})",
            f"close the folder (chmod go-w {path}), or move the file to one that only you may write",
        )
    return None


def _is_trusted(owner: int) -> bool:
    return owner in {0, os.geteuid()}


def _is_private(facts: os.stat_result) -> bool:
    """Say whether the group that may write is this user's own group, which many distributions make for each user."""
    if facts.st_mode & stat.S_IWOTH:
        return False
    try:
        group, user = grp.getgrgid(facts.st_gid), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _foreign(path: Path, owner: int, what: str) -> Refused:
    us = user_name(os.geteuid())
    remedy = "move the file to a folder of yours" if what == "the folder" else f"make it yours: chown -h {us} {path}"
    return Refused(
        f"{what} {path} belongs to {user_name(owner)}, who could change what it says to {us}",
        f"if you trust it, {remedy}",
    )


def user_name(uid: int) -> str:
    """Return the name of an account, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


def _mode(facts: os.stat_result) -> str:
    return f"{stat.S_IMODE(facts.st_mode):04o}"


def said(error: OSError) -> str:
    """Return the system's message, without the path."""
    return (error.strerror or type(error).__name__).lower()


__all__ = ["MOST_BYTES", "Found", "Refused", "decoded", "look", "read", "said", "secret", "user_name"]
