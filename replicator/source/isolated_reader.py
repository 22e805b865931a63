"""Reads the source in a separate process, so that an answer that kills its reader does not kill the main process.

No such answer is known; the limits prevent it. But a fault below Python, or a machine with less memory than an answer
needs, would end the whole program, and again after each start. So after some such ends (sync/recovery.py counts them),
answers are read here, one at a time. If a reader dies, its answer counts as unreadable: the engine narrows the page to
the row, steps over it, and goes on with everything else.

Run as a program, this file is that process: it reads requests from standard input and writes the results to standard
output.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self, cast

from replicator import child
from replicator.errors import SourceError, UnreadableAnswer
from replicator.source.client import Reader

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from replicator.records import Call, Page, Recording, Transcript
    from replicator.source.client import Answer

LENGTH = struct.Struct(">Q")
DEAD = LENGTH.pack(0)
"""What is sent instead of an answer when its reader has died."""
GRACE_SECONDS = 20.0
"""How long reading an answer may take beyond the request's own deadline."""


class CarefulReader:
    """A Reader that reads in the separate process while `is_apart` is set. `deaths` counts the processes that died."""

    def __init__(self, base_url: str, key: str, *, timeout_seconds: float = 120) -> None:
        self._reader = Reader(base_url, key, timeout_seconds=timeout_seconds)
        self._order = (base_url, key, timeout_seconds)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.is_apart = False
        self.deaths = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._reader!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, and kill the other process if there is one."""
        self._reader.close()
        self._bury()

    def list_calls(self, **asked: Any) -> Page:
        return cast("Page", self._ask("list_calls", asked))

    def get_call(self, call_id: UUID) -> Answer[Call]:
        return cast("Answer[Call]", self._ask("get_call", {"call_id": call_id}))

    def get_transcript(self, call_id: UUID) -> Answer[Transcript]:
        return cast("Answer[Transcript]", self._ask("get_transcript", {"call_id": call_id}))

    def get_recording(self, call_id: UUID) -> Answer[Recording]:
        return cast("Answer[Recording]", self._ask("get_recording", {"call_id": call_id}))

    def _ask(self, method: str, asked: dict[str, Any]) -> object:
        if not self.is_apart:
            return getattr(self._reader, method)(**asked)
        with self._lock:
            answer = self._ask_apart(method, asked)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    def _ask_apart(self, method: str, asked: dict[str, Any]) -> Any:
        if self._process is None or self._process.poll() is not None:
            self._bury()
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                child.command("replicator.source.isolated_reader"),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0,
            )  # fmt: skip
            _send(cast("IO[bytes]", self._process.stdin), self._order)
        until = time.monotonic() + self._order[2] + GRACE_SECONDS
        try:
            _send(cast("IO[bytes]", self._process.stdin), (method, asked))
            answer = _receive(cast("IO[bytes]", self._process.stdout), until)
        except (EOFError, OSError, pickle.UnpicklingError):
            self._bury()  # the next request starts a new process
            answer = None
        if answer is None:
            self.deaths += 1
            return UnreadableAnswer("the process that read the answer did not survive it", status=200)
        return answer

    def _bury(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)  # its readers too
        with suppress(OSError):
            process.communicate()


def _send(pipe: IO[bytes], thing: object) -> None:
    content = pickle.dumps(thing)
    pipe.write(LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: IO[bytes], until: float | None = None) -> Any:
    """Return the next object (None: the reader died). Raises EOFError at the end, TimeoutError after `until`."""
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size, until))
    if not length:
        return None
    return pickle.loads(_exactly(pipe, length, until))  # noqa: S301 - a pipe between two processes of ours


def _exactly(pipe: IO[bytes], length: int, until: float | None) -> bytes:
    content = bytearray()
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while len(content) < length:
            if not ready.select(None if until is None else max(0.0, until - time.monotonic())):
                raise TimeoutError
            part = os.read(
                pipe.fileno(), min(length - len(content), 1 << 20)
            )  # past the buffer, which `ready` cannot see
            if not part:
                raise EOFError
            content += part
    return bytes(content)


def serve() -> None:
    """Run as the separate process until there are no more requests: a parent that forks readers, because forking is
    fast.
    """
    with suppress(OSError):
        # If memory runs out, the system should kill this process first.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    order = _receive(sys.stdin.buffer)
    is_dead = True
    while is_dead:
        pid = os.fork()  # no thread has been started here
        if pid == 0:
            _read(*order)
            os._exit(0)
        is_dead = os.waitpid(pid, 0)[1] != 0
        if is_dead:
            sys.stdout.buffer.write(DEAD)
            sys.stdout.buffer.flush()


def _read(base_url: str, key: str, timeout_seconds: float) -> None:
    """Run as a reader until there are no more requests, or until it dies."""
    try:
        with suppress(EOFError), Reader(base_url, key, timeout_seconds=timeout_seconds) as reader:
            while True:
                method, asked = _receive(sys.stdin.buffer)
                try:
                    answer = getattr(reader, method)(**asked)
                except SourceError as error:
                    error.__context__ = error.__cause__ = None
                    answer = error.with_traceback(None)
                _send(sys.stdout.buffer, answer)
    except BaseException:  # noqa: BLE001 - such as a MemoryError: that is a death, too
        os._exit(1)


if __name__ == "__main__":
    serve()
