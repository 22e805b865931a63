"""The cluster's beginning: initdb, as the server's account, and what is read of a cluster that is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replicator.errors import ConfigurationError, DatabaseError
from replicator.store.server import binaries

if TYPE_CHECKING:
    from replicator.store.server.account import Account

USER: Final = "replica"
"""Named like none of our schemas: PostgreSQL would put the schema of that name first in the search path."""
HOME: Final = Path("cluster")
DATA: Final = HOME / "data"
INIT_SECONDS: Final = 600.0
READ_SECONDS: Final = 5.0
OWN_LOCALES_SINCE: Final = 17


def make_or_check(account: Account, folder: Path, programs: Path, password: str) -> None:
    """Make the cluster where there is none; raise ConfigurationError where the programs do not fit the one that is there."""
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
    """Make it under another name first, so that a killed initdb leaves nothing that looks whole."""
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
    """Return a locale that the machine need not know: PostgreSQL's own from 17 on, which sorts by code point alike."""
    if int(version) >= OWN_LOCALES_SINCE:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8"]


def the_reason(said: str) -> str:
    """Return the line that says why, of what PostgreSQL wrote."""
    lines = [printable(line) for line in said.splitlines() if line.strip()]
    for telling in (r"No space left|quota", r"FATAL|PANIC|error:|could not|not found", ""):
        found = [line for line in lines if re.search(telling, line)]
        if found:
            return found[-1]
    return "nothing was logged"


def printable(text: str) -> str:
    """Return the text without what a terminal would take for an order: the server's account wrote it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:500]
