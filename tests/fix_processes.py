"""Starts hundreds of real processes of the real command line for the price of one.

Starting Python and importing everything takes a second. A process of its own, the nursery, does that once and then
forks: each child is a process like any other, with an environment of its own, and dies by a signal like any other.
Run as a program, this file is the nursery; `Nursery` is the test's end of it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Nursery:
    """Orders children and buries them."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log
        """What the children said, all of them."""

    def start(self, *arguments: str, environment: Mapping[str, str]) -> int:
        """Start a command; return its process id."""
        return self._ask({"arguments": arguments, "environment": dict(environment)})

    def poll(self, pid: int) -> int | None:
        """Return the exit code of a child that has ended (negative: by which signal), None while it lives."""
        return self._ask({"pid": pid, "flags": os.WNOHANG})

    def wait(self, pid: int) -> int:
        """Wait for a child's end; return its exit code."""
        code = self._ask({"pid": pid, "flags": 0})
        assert code is not None
        return code

    def kill(self, pid: int) -> bool:
        """Send SIGKILL to a child that was not waited for yet, and bury it; say whether that was what it died of."""
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid) == -signal.SIGKILL

    def _ask(self, order: object) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: int | None = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def running(folder: Path, environment: Mapping[str, str]) -> Iterator[Nursery]:
    """Give a nursery."""
    log = folder / "children.log"
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), str(log)], cwd=folder, env=dict(environment),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Nursery(process, log)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def serve(log: Path) -> None:
    """Fork children on demand. Nothing here starts a thread: a child begins as a fresh program does."""
    import gc  # noqa: PLC0415 - the nursery's own

    # Imported once, for all children: the command line, and what its commands import when they are run.
    from replicator import assembly, settings  # noqa: F401, PLC0415
    from replicator.cli import main  # noqa: PLC0415
    from replicator.report import progress, terminal  # noqa: F401, PLC0415
    from replicator.service import rollup_refresh, schedule  # noqa: F401, PLC0415
    from replicator.source import isolated_reader  # noqa: F401, PLC0415
    from replicator.store import embedded, migrate, schema  # noqa: F401, PLC0415
    from replicator.sync import run  # noqa: F401, PLC0415

    if "PLANT" in os.environ:
        from tests import fix_planted_bugs  # noqa: PLC0415 - the children have the same bug as the tests

        fix_planted_bugs.plant(os.environ["PLANT"])
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        if "pid" in order:
            pid, status = os.waitpid(order["pid"], order["flags"])
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                _live(main, order, log)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _live(main: object, order: dict[str, object], log: Path) -> None:
    """Be the child, to the end."""
    assert callable(main)
    assert isinstance(order["arguments"], list)
    code: object = 0
    try:
        null, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for wanted, given in ((0, null), (1, output), (2, output)):
            os.dup2(given, wanted)
        os.environ.clear()
        os.environ.update(order["environment"])  # type: ignore[arg-type]
        sys.argv = ["replicator", *order["arguments"]]
        main()
    except SystemExit as ending:
        code = ending.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
