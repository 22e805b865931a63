"""Runs psql on the same database as this program, without showing secrets to other users of the machine.

Every user can read the arguments of a process, so no part of the connection is given as an argument. What
`DATABASE_URL` says is passed in libpq's environment variables. The few parameters without a variable are in a service
file that only its owner can read and that exists as long as psql runs: in memory where the system can do that, so that
nothing is left when this program is killed. The user's own variables have an effect on psql only where they have one on
this program.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from psycopg import pq

from replicator.errors import ConfigurationError
from replicator.store import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
    from types import FrameType

SERVICE: Final = "replicator"
ELSEWHERE: Final = frozenset({"PGSERVICE", "PGSERVICEFILE", "PGCLUSTER"})
"""Variables that choose a server beside the parameters: a service, and what Debian's psql uses."""
OURS_ALONE: Final = frozenset({"fallback_application_name", "service"})
"""Parameters that psql sets itself, or that are already resolved."""
DESCRIPTORS: Final = "/proc/self/fd"
"""Where a process finds its open files by their numbers (Linux)."""


def run(
    conninfo: str,
    arguments: Sequence[str],
    environment: MutableMapping[str, str],
    *,
    packaged: Callable[[], Path],
    is_own_server: bool = False,
) -> int:
    """Run psql on a database; return its exit code. `packaged` finds the folder of a psql if there is none on PATH.

    `environment` is this process's own, which libpq reads too. No variable that begins with PG is passed on for our own
    server.
    """
    program = shutil.which("psql") or str(packaged() / "psql")
    where = target.read(conninfo)
    parts = dict(where.parts) if is_own_server else _resolved(where.parts, environment)
    with _child(parts, environment, is_own_server=is_own_server) as (child, descriptors):
        try:
            code = _wait_for([program, *arguments], child, descriptors)
        except OSError as error:
            raise ConfigurationError(
                f"psql cannot be run: {error.strerror}", advice="install PostgreSQL's client"
            ) from None
        return code if code >= 0 else 128 - code


def _wait_for(command: Sequence[str], environment: Mapping[str, str], descriptors: Sequence[int]) -> int:
    """Run a command, which inherits these file descriptors, to its end. Ctrl-C is its own; where this program is to end, the command is ended first, as its database
    may be stopped with this program. What this process ignores (nohup) stays ignored.
    """
    started: list[subprocess.Popen[bytes]] = []
    is_over = False

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_over
        is_over = True
        for process in started:
            process.terminate()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None] | signal.Handlers] = {
        signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: end, signal.SIGHUP: end,
    }  # fmt: skip
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        started.append(subprocess.Popen(command, env=environment, pass_fds=descriptors))  # noqa: S603 - our own program, no shell
        if is_over:  # the signal came while it was started
            started[0].terminate()
        return started[0].wait()
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def _resolved(parts: Mapping[str, str], environment: MutableMapping[str, str]) -> dict[str, str]:
    """Return all parameters as libpq combines them: those given, then those of the service, then the variables."""
    before = environment.get("PGSERVICE")
    if "service" in parts:
        environment["PGSERVICE"] = parts["service"]
    try:
        filled = {
            option.keyword.decode(): option.val.decode()
            for option in pq.Conninfo.get_defaults()
            if option.val and option.val != option.compiled
        }
    finally:
        if before is None:
            environment.pop("PGSERVICE", None)
        else:
            environment["PGSERVICE"] = before
    return {**filled, **parts}


@contextmanager
def _child(
    parts: Mapping[str, str], environment: Mapping[str, str], *, is_own_server: bool
) -> Iterator[tuple[dict[str, str], Sequence[int]]]:
    """Yield the environment for a psql that connects with exactly these parameters, and the file descriptors it needs."""
    variables = {
        option.keyword.decode(): option.envvar.decode() for option in pq.Conninfo.get_defaults() if option.envvar
    }
    dropped = ELSEWHERE | set(variables.values())
    child = {
        name: value
        for name, value in environment.items()
        if not (name in dropped or (is_own_server and name.startswith("PG")))
    }
    named = {name: value for name, value in parts.items() if name not in OURS_ALONE}
    child |= {variables[name]: value for name, value in named.items() if name in variables}
    unnamed = {name: value for name, value in named.items() if name not in variables}
    if not unnamed:
        yield child, ()
        return
    with _service_file(unnamed) as (path, descriptors):
        yield {**child, "PGSERVICEFILE": path, "PGSERVICE": SERVICE}, descriptors


@contextmanager
def _service_file(parameters: Mapping[str, str]) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the path of a service file with these parameters, readable for its owner only, which exists while psql
    runs, and the file descriptors that psql needs for it.
    """
    lines = [f"[{SERVICE}]", *(f"{name}={value}" for name, value in parameters.items())]
    if any("\n" in line or line != line.strip() for line in lines):
        raise ConfigurationError(
            "a parameter of DATABASE_URL cannot be given to psql: it begins or ends with a space, or has several lines",
            advice="put it into a service file or a password file of your own",
        )
    descriptor, path = _new_file()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        try:
            file.write("\n".join(lines) + "\n")
            file.flush()
            if path is None:
                yield f"{DESCRIPTORS}/{descriptor}", (descriptor,)
            else:
                yield path, ()
        finally:
            if path is not None:
                Path(path).unlink(missing_ok=True)


def _new_file() -> tuple[int, str | None]:
    """Return the descriptor of a new file, with mode 0600, and its path. None: it has no path, as it is in memory."""
    if hasattr(os, "memfd_create") and Path(DESCRIPTORS).is_dir():
        descriptor = os.memfd_create("replicator-service")
        os.fchmod(descriptor, 0o600)
        return descriptor, None
    return tempfile.mkstemp(prefix="replicator-", suffix=".conf")
