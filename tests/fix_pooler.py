"""A real PgBouncer in transaction mode in front of the tests' PostgreSQL.

It hands its few server connections out in turn, so that two transactions of one client hardly ever meet the same one:
what would leak from one to the next (a prepared statement, a setting, a session lock) shows at once.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replicator.store import embedded

SERVER_CONNECTIONS = 3
START_SECONDS = 10.0


def binary() -> str | None:
    """Return the program, or None where it is not installed. Debian's is not on everybody's PATH."""
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


@contextmanager
def running(program: str, server: embedded.Server, folder: Path) -> Iterator[int]:
    """Give the port of a pooler for every database of the server. Like PostgreSQL, it refuses to run as root."""
    account = server.account
    url = sa.make_url(server.tcp_url)
    folder.mkdir(mode=0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    files = {
        # A plain password serves both sides of SCRAM: to check the client's and to answer the server.
        "users": f'"{url.username}" "{url.password}"\n',
        "pooler.ini": f"""[databases]
* = host=127.0.0.1 port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder / "users"}
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
min_pool_size = {SERVER_CONNECTIONS}
server_round_robin = 1
max_client_conn = 200
""",
    }
    for name, text in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(text, encoding="utf-8")
    for path in (folder, *folder.iterdir()):
        os.chown(path, account.uid, account.gid)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [program, str(folder / "pooler.ini")], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            **account.popen,
        )  # fmt: skip
    try:
        # Not the template's database: a session that stays there would keep it from being cloned.
        _wait(process, url.set(port=port, database="postgres").render_as_string(hide_password=False), folder / "log")
        yield port
    finally:
        process.terminate()
        process.wait()


def through(url: str, port: int) -> str:
    """Return the URL of the same database behind the pooler."""
    return sa.make_url(url).set(port=port).render_as_string(hide_password=False)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"pgbouncer does not start:\n{log.read_text(encoding='utf-8')}") from None
            time.sleep(0.02)
        else:
            return
