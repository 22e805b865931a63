"""Runs an embedded PostgreSQL for machines that have none: the programs come from a PyPI package.

One folder holds everything. `cluster/` has the data and the server's log. It belongs to the account that runs the
server, which for root is `postgres` or `nobody`; root itself touches nothing in it. The rest belongs to us alone:
`password`, `port`, facts about the server (`server.json`), three lock files (`server/cluster.py` says what they mean),
and a copy of the programs if the server's account cannot reach the installed ones.

No account is created, and no file mode outside the folder is changed.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from replicator.errors import ConfigurationError, DatabaseUnavailable
from replicator.store.server import address
from replicator.store.server.binaries import find_binaries
from replicator.store.server.cluster import DATABASE, Cluster
from replicator.store.server.creation import USER
from replicator.store.server.folder import ADVICE, Folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from replicator.store.server.account import Account


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. Its URLs hold the password.

    `url` goes through its socket, `tcp_url` to a port of this machine.
    """

    port: int
    bin_dir: Path
    data_dir: Path
    sockets: Path
    account: Account
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """For our own processes: only this server can answer there, whatever else listens on this machine."""
        return self.url_of(DATABASE)

    @property
    def tcp_url(self) -> str:
        """For tools that need a host and a port."""
        return self.tcp_url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return address.url(USER, self.password, database, port=self.port, sockets=self.sockets)

    def tcp_url_of(self, database: str) -> str:
        return address.url(USER, self.password, database, port=self.port, sockets=None)


def default_data_dir() -> Path:
    """Return the default data folder. Raises ConfigurationError where there is no home folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/truedy-replicator")
    try:
        found = Path(platformdirs.user_data_dir("truedy-replicator"))
    except RuntimeError:  # there is neither HOME nor an entry in /etc/passwd
        found = Path()
    if not found.is_absolute():
        raise ConfigurationError(
            "this user has no home folder, in which the embedded database would lie",
            advice=ADVICE,
        )
    return found


@contextmanager
def running(
    data_dir: Path, *, settings: Mapping[str, str] | None = None, bin_dir: Path | None = None
) -> Iterator[Server]:
    """Yield the server of this folder, created and started where necessary; stop it when its last user leaves.

    Meanwhile libpq's own variables are removed from this process's environment. Raises ConfigurationError where the
    folder or the programs do not fit, DatabaseError where PostgreSQL fails.
    """
    with _without_libpq_variables(), Folder(data_dir) as folder:
        cluster = Cluster(folder, settings or {}, bin_dir)
        users = folder.lock_file("users")
        try:
            server = _joined(folder, cluster, users)
            try:
                yield server
            finally:
                with folder.locked():
                    cluster.leave(users)
        finally:
            os.close(users)


def _joined(folder: Folder, cluster: Cluster, users: int) -> Server:
    """Register this process as a user of the server, and start it if necessary. If that fails, no server is left
    without users.
    """
    with folder.locked():
        cluster.prepare()
        folder.wait_for(users, is_shared=True)
        try:
            cluster.attach(users)
        except DatabaseUnavailable:
            raise  # it may still be recovering from a crash; stopping it would make that begin again
        except BaseException:  # a Ctrl-C, too: whoever cannot use the server must not keep it running
            cluster.leave(users)
            raise
    return Server(
        port=cluster.port, bin_dir=cluster.bin_dir or find_binaries(), data_dir=folder.path, sockets=cluster.sockets,
        account=cluster.account, password=cluster.password,
    )  # fmt: skip


@contextmanager
def _without_libpq_variables() -> Iterator[None]:
    """Remove from the environment the variables that libpq, psycopg and psql read: all whose names begin with PG.

    A host, a TLS mode or options for another server would keep us from ours, or change its answers. Child processes do
    not get them either.
    """
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(taken)


def kept_secret(data_dir: Path, name: str) -> bytes:
    """Return the secret of this name in the database's folder; a random one is made where there is none yet.

    The file appears complete or not at all, readable for its owner only. Two processes that make it at once get the
    same secret.
    """
    with Folder(data_dir) as folder:
        return folder.secret(name).encode()


__all__ = ["DATABASE", "USER", "Server", "default_data_dir", "find_binaries", "kept_secret", "running"]
