"""Chooses the account that runs the server, and runs programs as that account.

PostgreSQL refuses to run as root. For root it runs as `postgres` or `nobody`, whichever already owns the cluster. No
account is created.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from replicator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES: Final = ("postgres", "nobody")
NOT_RUN, TOO_LONG = 126, 124
"""Exit codes for a program that could not be run, and for one that did not end in time."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user and a group by number: our own, or for root another one."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        return self.uid != os.geteuid()

    @property
    def name(self) -> str:
        """The account's name, or its number where it has none."""
        return name_of(self.uid)

    @property
    def popen(self) -> dict[str, Any]:
        """Return the arguments with which a child process runs as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}

    def run(
        self, command: Sequence[str | Path], *, cwd: Path | str = "/", text: str = "", seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with `text` as its input. Where it could not be run, or did not end, the exit code says so."""
        try:
            return subprocess.run(  # noqa: S603 - our own program and our own arguments, no shell
                command, cwd=cwd, input=text, timeout=seconds, check=False, capture_output=True, encoding="utf-8",
                errors="replace", env=environment(), umask=0o077, start_new_session=True, **self.popen,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, TOO_LONG, "", f"no end after {seconds:g} s")
        except OSError as error:
            return subprocess.CompletedProcess(command, NOT_RUN, "", error.strerror or type(error).__name__)

    def start(self, command: Sequence[str | Path], *, cwd: Path, kept_open: int) -> subprocess.Popen[bytes]:
        """Start a program that continues without us, in its own session, so that Ctrl-C does not reach it."""
        return subprocess.Popen(  # noqa: S603 - our own program and our own arguments
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment(), umask=0o077, start_new_session=True, pass_fds=(kept_open,), **self.popen,
        )  # fmt: skip

    def naming(self) -> list[str]:
        """Return the prefix for a command that needs a name for its user id; nothing where the id has a name.

        initdb needs one. A user namespace gives it the name of another account; the files that it makes still belong to
        this one. Containers often forbid that: then ConfigurationError is raised.
        """
        if _entry(self.uid) is not None:
            return []
        unshare = shutil.which("unshare")
        for name in reversed(NAMES):
            entry = _named(name)
            if unshare is not None and entry is not None:
                prefix = [unshare, "--user", f"--map-user={entry.uid}", f"--map-group={entry.gid}", "--"]
                if self.run([*prefix, "true"]).returncode == 0:
                    return prefix
        raise ConfigurationError(
            f"the embedded PostgreSQL cannot be set up: user id {self.uid} has no entry in /etc/passwd, and initdb needs a name",
            advice="run as a user that has an entry (in a container: --user NAME, or a line for this id in its /etc/passwd), "
            "or set DATABASE_URL to a server of yours. Once set up, the data folder works without an entry too",
        )


def chosen(owner: int | None) -> Account:
    """Return the account that runs the server. `owner` is the user id that owns the cluster, if there is one.

    Raises ConfigurationError where no account may.
    """
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise ConfigurationError(
                f"the embedded database belongs to {name_of(owner or 0)}, and this is {name_of(os.geteuid())}",
                advice="run as the user that made it, or set REPLICATOR_DATA_DIR to another folder",
            )
        return Account(os.geteuid(), os.getegid())
    found = [account for account in map(_named, NAMES) if account is not None]
    if not found:
        raise ConfigurationError(
            "PostgreSQL does not run as root, and neither the account postgres nor nobody exists here",
            advice="run as an ordinary user, or set DATABASE_URL",
        )
    fitting = [account for account in found if owner in {None, account.uid}]
    if not fitting:
        raise ConfigurationError(
            f"the embedded database belongs to {name_of(owner or 0)}; for root it runs as {' or '.join(NAMES)}",
            advice="run as the user that made it, or set REPLICATOR_DATA_DIR to another folder",
        )
    tried = fitting[0].run(["true"])
    if tried.returncode != 0:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and this process may not become {fitting[0].name}: {tried.stderr.strip()}",
            advice="run as an ordinary user, or set DATABASE_URL; in a container allow the capabilities SETUID and SETGID",
        )
    return fitting[0]


def environment() -> dict[str, str]:
    """Return the whole environment of programs that run as the account: from the user's own, only
    where programs are.
    """
    return {"PATH": os.pathsep.join([*os.get_exec_path(), "/usr/bin", "/bin"]), "LC_ALL": "C"}


def name_of(uid: int) -> str:
    entry = _entry(uid)
    return f"user {uid}" if entry is None else entry.pw_name


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid) if entry.pw_uid else None
