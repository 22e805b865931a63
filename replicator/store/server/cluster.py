"""Creates, starts, finds and stops the server. Everything in the server's folder is done as its account.

Three lock files lie in our folder. `lock` is held while a process starts or stops the server. `users` is held, shared,
by every process that uses the server, so the last one that leaves knows it is the last. `running` is held by the server
itself: it and its children inherit the open file, so the lock ends when the last of them has ended, for whatever
reason. All three work across containers, because the kernel keeps them with the file; process ids and ports differ
between containers.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

from replicator.errors import ConfigurationError, DatabaseError, DatabaseUnavailable
from replicator.store.server import address, binaries, creation
from replicator.store.server.account import chosen
from replicator.store.server.creation import USER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replicator.store.server.folder import Folder

DATABASE: Final = "truedy"
START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
EARLIER_SECONDS: Final = 3.0
ORPHANS_SECONDS: Final = 5.0
"""How long the remaining processes of a killed server may need to notice it."""
STARTS: Final = 5
"""How often a start is tried, because a port that was free may be taken a moment later."""

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": address.LOOPBACK,
    "unix_socket_permissions": "0700",
    "max_connections": "50",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # No part of a row gets into the log: an error quotes values in its detail and in its message. The client that ran
    # the statement still receives them.
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
STARTING: Final = """
if [ -L server.log ] || [ ! -f server.log ]; then rm -rf server.log; else chmod 600 server.log; fi
exec "$@" >>server.log 2>&1
"""
"""Run by a shell as the account, in the cluster's folder: so the log is opened with the server's own rights, and is a
file.
"""
LEAST_ROOM: Final = 1 << 20

left_running: Final[list[subprocess.Popen[bytes]]] = []
"""Servers that this process started and other processes still use."""


@atexit.register
def _let_go() -> None:
    """End the watch over these servers without a warning: each goes on until the last of its users stops it."""
    for child in left_running:
        child.returncode = child.poll() or 0


class Cluster:
    """The server of a folder. `attach` and `leave` are called while the folder is locked."""

    def __init__(self, folder: Folder, settings: Mapping[str, str], bin_dir: Path | None) -> None:
        self.folder = folder
        self.settings = {**SETTINGS, **settings}
        self.bin_dir = bin_dir
        self.account = chosen(folder.owner_of("cluster"))
        self.home = folder.path / creation.HOME
        self.data = folder.path / creation.DATA
        self.log = self.home / "server.log"
        self.password = ""
        self.port = 0
        self.sockets = self.home
        self._child: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the server's folder, and check that its account can reach it. Raises ConfigurationError."""
        self.folder.give("cluster", self.account, 0o700)
        if self.account.run(["test", "-x", self.home]).returncode != 0:
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and the account that it runs as ({self.account.name}) cannot reach "
                f"{self.folder.path}",
                advice="set REPLICATOR_DATA_DIR to a folder outside of private homes, such as /var/lib/truedy-replicator",
            )

    # Found or started -----------------------------------------------------------------------------------------------

    def attach(self, users: int) -> None:
        """Find the running server of this folder, or start it; this sets `port`, `sockets` and `password`."""
        self.password = self.folder.secret("password")
        if self.folder.read("server.json") is None:
            self._end_an_earlier_release(users)
        until, starts = time.monotonic() + START_SECONDS, 0
        while True:
            running = self._free()
            if running is not None:
                try:
                    if self._child is not None:
                        self._child.wait()
                        self._judge_its_end(starts)
                    starts += 1
                    self._start(running)
                finally:
                    os.close(running)
            problem = self._connect()
            if problem is None:
                return
            if time.monotonic() > until:
                raise DatabaseUnavailable(
                    f"the embedded PostgreSQL in {self.folder.path} does not answer after {START_SECONDS:g} s: {problem}",
                    advice=f"see {self.log}; end processes that still use {self.data}",
                )
            time.sleep(0.05)

    def _free(self) -> int | None:
        """Return a descriptor that holds the lock `running`; None where a server, or the rest of one, holds it."""
        descriptor = self.folder.lock_file("running")
        if self.folder.take(descriptor):
            return descriptor
        os.close(descriptor)
        return None

    def _start(self, running: int) -> None:
        """Start the server, which inherits the lock."""
        programs = binaries.usable(self.account, self.folder, self.bin_dir)
        creation.make_or_check(self.account, self.folder.path, programs, self.password)
        record = self._record()
        self.sockets = address.folder_for_sockets(self.home, self.account, record.get("sockets"))
        self.port = address.free_port(_number(self.folder.read("port")))
        # No server runs, whatever these files say: their process ids may belong to other processes by now.
        self._run("rm", "-f", str(self.data / "postmaster.pid"), *self._sockets_left())
        self.folder.write("port", str(self.port))
        self.folder.write("server.json", json.dumps({"sockets": str(self.sockets), **_whereabouts()}))
        settings = {**self.settings, "port": str(self.port), "unix_socket_directories": str(self.sockets)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command: list[str | Path] = ["/bin/sh", "-c", STARTING, "sh", programs / "postgres", "-D", self.data, *options]
        self._child = self.account.start(command, cwd=self.home, kept_open=running)

    def _sockets_left(self) -> list[str]:
        listed = self.account.run(["ls", "-A", self.sockets]).stdout.splitlines()
        return [str(self.sockets / name) for name in listed if name.startswith(".s.PGSQL.")]

    def _judge_its_end(self, starts: int) -> None:
        """Raise DatabaseError if a server that ended at once would do so again."""
        said = self._last_words(8)
        if "Address already in use" in said and starts < STARTS:
            return
        if (
            "shared memory block" in said
        ):  # a remaining process of a killed server still holds its memory, and ends within seconds
            time.sleep(0.5)
            return
        if self._is_full():
            raise DatabaseError(
                f"the embedded PostgreSQL does not start: the disk of {self.folder.path} is full",
                advice="make room there",
            )
        raise DatabaseError(
            f"the embedded PostgreSQL does not start: {creation.the_reason(said)}", advice=f"see {self.log}"
        )

    def _is_full(self) -> bool:
        return shutil.disk_usage(self.folder.path).free < LEAST_ROOM

    # Whose server it is ---------------------------------------------------------------------------------------------

    def _record(self) -> dict[str, str]:
        """Return the record of the process that started the server: its sockets, and where it runs."""
        try:
            record = json.loads(self.folder.read("server.json") or "{}")
        except ValueError:
            return {}
        return {str(name): str(value) for name, value in record.items()} if isinstance(record, dict) else {}

    def _is_elsewhere(self, record: Mapping[str, str]) -> bool:
        """Say whether the server runs where its processes are not visible from here: in another
        container or machine.
        """
        here = _whereabouts()
        return any(record.get(name, here[name]) != here[name] for name in ("boot", "processes"))

    def _end_an_earlier_release(self, users: int) -> None:
        """Stop a server that a release without these locks left running. Raises
        DatabaseUnavailable where it is in use.
        """
        until = time.monotonic() + EARLIER_SECONDS
        while not self.folder.take(users):
            if time.monotonic() > until:
                raise DatabaseUnavailable(
                    f"an earlier release of the replicator uses the database in {self.folder.path}",
                    advice="stop its commands (the service first), then try again",
                )
            time.sleep(0.05)
        self.folder.take(users, is_shared=True)
        pid = self._pid()
        if pid is not None:
            self._signal(signal.SIGINT, pid)
        until = time.monotonic() + STOP_SECONDS
        while self._pid() is not None and time.monotonic() < until:
            time.sleep(0.05)

    # Left and stopped -----------------------------------------------------------------------------------------------

    def leave(self, users: int) -> None:
        """Stop the server if no other process uses it."""
        if not self.folder.take(users):
            if self._child is not None:
                left_running.append(self._child)
            return
        if not self._is_elsewhere(self._record()):
            self._stop()
        self.folder.drop(users)

    def _stop(self) -> None:
        for number, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if self._is_gone(0):
                break
            pid = self._pid()
            if pid is None:
                self._is_gone(ORPHANS_SECONDS)
                break
            self._signal(number, pid)
            if self._is_gone(patience):
                break
        if self.sockets != self.home:
            with suppress(OSError):
                self.sockets.rmdir()
        if self._child is not None:
            self._child.wait()

    def _is_gone(self, patience: float) -> bool:
        until = time.monotonic() + patience
        while True:
            if self._child is not None:
                self._child.poll()
            descriptor = self._free()
            if descriptor is not None:
                os.close(descriptor)
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)

    def _pid(self) -> int | None:
        """Return the process id of this folder's server; a pid file that names another process does not count."""
        if self._child is not None and self._child.poll() is None:
            return self._child.pid
        lines = self._run("cat", str(self.data / "postmaster.pid"), seconds=5).stdout.splitlines()
        pid = _number(lines[0]) if lines else 0
        words = _command(pid) if pid else []
        is_ours = bool(words) and Path(words[0]).name == "postgres" and str(self.data) in words
        return pid if is_ours and self._is_of_the_account(pid) else None

    def _is_of_the_account(self, pid: int) -> bool:
        try:
            return Path("/proc", str(pid)).stat().st_uid == self.account.uid
        except OSError:
            return not Path("/proc/self").exists()

    def _signal(self, number: signal.Signals, pid: int) -> None:
        """Send a signal as the account, which can end only its own processes, whatever its files say."""
        self._run("/bin/sh", "-c", 'kill -s "$1" "$2"', "sh", number.name.removeprefix("SIG"), str(pid))

    # Connections ----------------------------------------------------------------------------------------------------

    def _connect(self) -> str | None:
        """Connect, check that it is our server, and make the database; return None, or why it cannot be reached yet."""
        record = self._record()
        if self._is_elsewhere(record):
            raise DatabaseUnavailable(
                f"the data folder {self.folder.path} is in use from another container or machine, {record.get('host')}",
                advice="run the command in that one, wait until it ends, or use a folder of its own; containers that share "
                "a database need a server: set DATABASE_URL",
            )
        self.sockets = Path(record.get("sockets", self.home))
        self.port = _number(self.folder.read("port"))
        if not address.is_private(self.sockets, self.account):
            raise DatabaseUnavailable(
                f"the socket of the database in {self.folder.path} was to lie in {self.sockets}, which is not there, or not "
                f"private to {self.account.name}, as seen from here",
                advice="end the processes that use the database, then try again; a service with PrivateTmp has a /tmp of its own",
            )
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2, autocommit=True) as connection:
                self._make_database(connection)
        except psycopg.OperationalError as error:
            said = str(error)
            if "password authentication failed" in said:
                raise DatabaseError(
                    f"the password kept in {self.folder.path} is not the server's",
                    advice="restore the folder as a whole",
                ) from None
            return said.splitlines()[-1] if said else "no answer"
        return None

    def _make_database(self, connection: psycopg.Connection[Any]) -> None:
        row = connection.execute("SELECT current_setting('data_directory'), current_setting('port')").fetchone()
        if row is None or row[0].encode() != os.fsencode(self.data):
            raise DatabaseError(
                f"what answers in {self.sockets} is not the server of {self.folder.path}",
                advice="end the processes that use the database, then try again",
            )
        self.port = int(row[1])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")

    def url(self, database: str) -> str:
        return address.url(USER, self.password, database, port=self.port, sockets=self.sockets)

    # As the account -------------------------------------------------------------------------------------------------

    def _run(self, *command: str | Path, text: str = "", seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return self.account.run(command, cwd=self.home, text=text, seconds=seconds)

    def _last_words(self, lines: int) -> str:
        """Return the end of the server's log, read as the account, without control characters for a terminal."""
        return self._run("tail", "-n", str(lines), str(self.log), seconds=5).stdout


def _whereabouts() -> dict[str, str]:
    """Return where this process runs: the machine's boot, the container's process namespace, and a
    name for messages.
    """
    found = {"host": socket.gethostname(), "boot": "", "processes": ""}
    with suppress(OSError):
        found["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    with suppress(OSError):
        found["processes"] = str(Path("/proc/self/ns/pid").readlink())
    return found


def _number(text: str | None) -> int:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text.strip()) else 0


def _command(pid: int) -> list[str]:
    """Return the arguments of a process; an empty list where it does not exist or is a zombie."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return [os.fsdecode(word) for word in (proc / str(pid) / "cmdline").read_bytes().split(b"\0") if word]
        except OSError:
            return []
    said = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)  # noqa: S603 - a constant program
    return said.stdout.split()
