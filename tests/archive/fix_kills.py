"""Runs of the lane in processes of their own that kill themselves (SIGKILL) at a chosen step.

Run as a program, this file forks one child for each order: {"url", "store", "at"}. The child counts the steps, before and
after each: what it does to files and folders, what it sends, each statement of the queue and of the seal, and each
commit. At step `at` it dies. The answer is [exit code or negative signal, the step's name].
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOP = Path(__file__).resolve().parents[2]


class Mortals:
    """Orders runs that die."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, url: str, store: Path, at: int) -> tuple[int, str]:
        """Return how a run ended that dies at this step, and which step it was."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"url": url, "store": str(store), "at": at}) + "\n")
        self._process.stdin.flush()
        code, name = json.loads(self._process.stdout.readline())
        return code, name


@contextmanager
def mortals(folder: Path) -> Iterator[Mortals]:
    """Give a process that starts them."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.archive.fix_kills", str(folder / "step")], cwd=TOP,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Mortals(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def serve(note: Path) -> None:
    """Fork one child for each line of standard input."""
    from tests.archive import fix_queue  # noqa: F401, PLC0415 - imported once, for all children

    for line in sys.stdin:
        order = json.loads(line)
        note.write_text("", encoding="utf-8")
        child = os.fork()
        if child == 0:
            _live(order, note)
        _, status = os.waitpid(child, 0)
        answer = [os.waitstatus_to_exitcode(status), note.read_text(encoding="utf-8")]
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _live(order: dict[str, Any], note: Path) -> None:
    """Be the child, to its end."""
    code = 1
    try:
        from replicator.archive import sealing  # noqa: PLC0415 - the child's own
        from replicator.archive.recordings import connection, parts  # noqa: PLC0415 - the child's own
        from replicator.store import archived, database, sealed  # noqa: PLC0415
        from tests.archive import fix_queue  # noqa: PLC0415

        left = [order["at"]]

        def step(name: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                note.write_text(name, encoding="utf-8")
                os.kill(os.getpid(), signal.SIGKILL)

        parts.CHECKPOINT_BYTES = 50_000
        for owner, names in (
            (os, ("pwrite", "fdatasync", "fsync", "link", "ftruncate", "fchmod")),
            (Path, ("rename", "unlink", "write_text")),
            (archived, ("claim", "intend", "mark_stored", "queue_from_before")),
            (sealed, ("lock", "add_records", "add_block")),
            (sealing, ("append",)),
            (database, ("_commit",)),
            (connection.Connection, ("send", "close")),
        ):
            for name in names:
                _wrap(owner, name, step)
        opened = database.Database(order["url"])
        fix_queue.perform(opened, Path(order["store"]), claim_seconds=0.01, downloads=1, compare_every_seconds=1e9)
        code = 0
    finally:
        os._exit(code)


def _wrap(owner: Any, name: str, step: Callable[[str], None]) -> None:
    real = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if name == "write_text" and arguments[0].name == "step":
            return real(*arguments, **named)
        step(f"before {name}")
        found = real(*arguments, **named)
        step(f"after {name}")
        return found

    setattr(owner, name, wrapped)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
