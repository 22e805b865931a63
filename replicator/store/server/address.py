"""Chooses where the server listens: a socket in a private folder for ourselves, a port of this machine for other tools.

Only the server's account, or root, can put a socket into that folder. So what answers there is the server, and it gets
the password. Any program can take a port first, so we never connect to the port.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from replicator.errors import DatabaseError

if TYPE_CHECKING:
    from replicator.store.server.account import Account

LOOPBACK: Final = "127.0.0.1"
LONGEST: Final = 100
"""The longest path of a socket, in bytes: Linux allows 107, macOS 103."""
PLAIN: Final = re.compile(r"/[A-Za-z0-9/._+~-]*\Z")
"""Paths that mean the same in PostgreSQL's settings, in a connection string and in a URL."""
NAME: Final = ".s.PGSQL.65535"


def folder_for_sockets(home: Path, account: Account, kept: str | None) -> Path:
    """Return the cluster's own folder, or a short one elsewhere: the `kept` one if it is still private."""
    if _can_hold_sockets(home):
        return home
    if kept is not None and is_private(Path(kept), account):
        return Path(kept)
    for parent in (*(["/run"] if os.geteuid() == 0 else []), "/tmp", "/var/tmp", tempfile.gettempdir()):  # noqa: S108 - the folder is made anew, and private
        if not PLAIN.match(parent) or len(parent) > LONGEST - 50:
            continue
        with suppress(OSError):
            return _made(parent, account)
    raise DatabaseError(
        f"no folder was found for the socket of the database in {home}: its own path is too long or not plain",
        advice="set REPLICATOR_DATA_DIR to a shorter path of letters, digits and dashes",
    )


def is_private(path: Path, account: Account) -> bool:
    """Say whether only the account and root can put anything into this folder."""
    try:
        facts = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == account.uid and not facts.st_mode & 0o077


def free_port(wanted: int) -> int:
    """Return a port of this machine on which nothing listens: `wanted` if it is free."""
    problem = ""
    for port in dict.fromkeys((wanted, 0)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except (OSError, OverflowError) as error:
                problem = str(error)
                continue
            return int(probe.getsockname()[1])
    raise DatabaseError(
        f"no port of {LOOPBACK} is free: {problem}", advice=f"see that this machine has its loopback address {LOOPBACK}"
    )


def url(user: str, password: str, database: str, *, port: int, sockets: Path | None) -> str:
    """Return a URL that libpq, SQLAlchemy and every release of psql read alike: by socket, or by port without one."""
    who, name = f"{user}:{quote(password, safe='')}", quote(database, safe="")
    if sockets is None:
        return f"postgresql://{who}@{LOOPBACK}:{port}/{name}"
    return (
        f"postgresql://{who}@/{name}?host={quote(str(sockets), safe='')}&port={port}&sslmode=disable&gssencmode=disable"
    )


def _made(parent: str, account: Account) -> Path:
    made = Path(tempfile.mkdtemp(prefix="truedy-replicator-", dir=parent))
    descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(descriptor, 0o700)
        if account.is_other and os.fstat(descriptor).st_uid == os.geteuid():
            os.fchown(descriptor, account.uid, account.gid)
    finally:
        os.close(descriptor)
    return made


def _can_hold_sockets(home: Path) -> bool:
    """Say whether the path is short and plain, and its file system can hold sockets; some shared
    by containers cannot.
    """
    if not PLAIN.match(str(home)) or len(os.fsencode(home / NAME)) > LONGEST:
        return False
    probe = home.parent / f".probe.{secrets.token_hex(2)}"
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(str(probe))
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)
    return True
