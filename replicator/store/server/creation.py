"""Creates the database cluster by initdb, as the server's account, or checks an existing one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replicator.errors import ConfigurationError, DatabaseError
from replicator.store.server import binaries

if TYPE_CHECKING:
    from replicator.store.server.account import Account

USER: Final = "replica"
"""The name of no schema of ours: PostgreSQL puts the schema with the user's name first in the search path."""
HOME: Final = Path("cluster")
DATA: Final = HOME / "data"
INIT_SECONDS: Final = 600.0
READ_SECONDS: Final = 5.0
OWN_LOCALES_SINCE: Final = 17


def make_or_check(account: Account, folder: Path, programs: Path, password: str) -> None:
    """Make the cluster if there is none. Raises ConfigurationError where the programs do not fit an existing one."""
    version = binaries.version(account, programs)
    data = folder / DATA
    if account.run(["test", "-e", data]).returncode != 0:
        _make(account, folder, programs, version, password)
    stored = printable(account.run(["cat", data / "PG_VERSION"], seconds=READ_SECONDS).stdout.strip())
    if not stored:
        raise ConfigurationError(
            f"{data} holds no whole database", advice="restore it, or move it away and a new one is made"
        )
    if stored != version:
        raise ConfigurationError(
            f"the data in {folder} is of PostgreSQL {stored}, the binaries are of {version}",
            advice="use the release of the replicator that made it, dump and restore, or set REPLICATOR_DATA_DIR",
        )


def _make(account: Account, folder: Path, programs: Path, version: str, password: str) -> None:
    """Make the cluster under another name first, so that a killed initdb leaves nothing that looks complete."""
    unfinished, secret = folder / HOME / "data.new", folder / HOME / "password.new"
    naming = account.naming()
    account.run(["rm", "-rf", unfinished, secret])
    account.run(["/bin/sh", "-c", 'cat >"$1"', "sh", secret], text=password)
    done = account.run(
        [
            *naming, programs / "initdb", "--pgdata", unfinished, "--username", USER, "--pwfile", secret,
            "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--data-checksums", "--encoding=UTF8",
            *_locale(version), "--no-instructions",
        ],
        cwd=folder / HOME,
        seconds=INIT_SECONDS,
    )  # fmt: skip
    account.run(["rm", "-f", secret])
    if done.returncode == 0:
        done = account.run(["mv", unfinished, folder / DATA])
    if done.returncode != 0:
        account.run(["rm", "-rf", unfinished])
        raise DatabaseError(
            f"the embedded PostgreSQL cannot be set up: {the_reason(done.stderr)}",
            advice=f"make room where {folder} lies, if that is what is missing; "
            "else set REPLICATOR_DATA_DIR to another folder, or DATABASE_URL",
        )


def _locale(version: str) -> list[str]:
    """Return a locale that the machine need not have: from 17 on PostgreSQL's own, which also sorts by code point."""
    if int(version) >= OWN_LOCALES_SINCE:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def the_reason(said: str) -> str:
    """Return the line of PostgreSQL's output that gives the reason."""
    lines = [printable(line) for line in said.splitlines() if line.strip()]
    for telling in (r"No space left|quota", r"FATAL|PANIC|error:|could not|not found", ""):
        found = [line for line in lines if re.search(telling, line)]
        if found:
            return found[-1]
    return "nothing was logged"


def printable(text: str) -> str:
    """Return the text without control characters for a terminal: the server's account wrote it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:500]
