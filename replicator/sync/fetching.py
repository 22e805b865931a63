"""Performs requests on a few threads and hands the outcomes back. The decision what to ask stays in one thread.

Threads wait well; the answers' parsing happens here too. An outcome is either a value or a SourceError: nothing else
leaves a worker, and nothing is retried here, because every attempt is charged to the budget before it is sent.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from replicator.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Call, Page, Recording, Transcript
    from replicator.store.rows import Kind
    from replicator.sync.walking import Lane, Walk


class Answered(Protocol):
    """A detail's answer: the value, and the server's clock where it said so."""

    @property
    def value(self) -> object: ...
    @property
    def server_time(self) -> datetime | None: ...


class Reading(Protocol):
    """What the engine needs of the source: reading, and nothing else."""

    def list_calls(self, *, limit: int, offset: int) -> Page: ...
    def get_transcript(self, call_id: UUID) -> Answered: ...
    def get_recording(self, call_id: UUID) -> Answered: ...


@dataclass(frozen=True, slots=True)
class Detail:
    """One due detail of a call."""

    kind: Kind
    call_id: UUID
    call_created_at: datetime | None
    attempts: int
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """One request to be made: a page of a walk, or a detail. `key` says whose budget it was charged to."""

    lane: Lane
    key: int
    limit: int = 0
    offset: int = 0
    walk: Walk | None = None
    is_head: bool = False
    detail: Detail | None = None

    def __str__(self) -> str:
        if self.detail is not None:
            return f"GET /calls/{self.detail.call_id}/{self.detail.kind}"
        return f"GET /calls?limit={self.limit}&offset={self.offset}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. Times are our clock's."""

    request: Request
    sent_at: datetime
    received_at: datetime
    server_time: datetime | None
    page: Page | None = None
    found: Call | Transcript | Recording | None = None
    error: SourceError | None = None


class Fetcher:
    """A pool of worker threads over one reader per key."""

    def __init__(self, readers: Sequence[Reading], workers: int, clock: Callable[[], datetime]) -> None:
        self._readers = readers
        self._clock = clock
        self._todo: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self.in_flight = 0
        # Daemons: a worker that waits for a slow server must not hold up a stop.
        self._threads = [
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, request: Request) -> None:
        self.in_flight += 1
        self._todo.put(request)

    def collect(self, timeout_seconds: float, most: int) -> list[Outcome]:
        """Wait for at least one outcome, at most so long, and return what has come in, at most `most`."""
        outcomes: list[Outcome] = []
        try:
            while len(outcomes) < most:
                done = self._done.get(timeout=timeout_seconds) if not outcomes else self._done.get_nowait()
                self.in_flight -= 1
                if isinstance(done, BaseException):
                    raise done
                outcomes.append(done)
        except queue.Empty:
            pass
        return outcomes

    def close(self) -> None:
        for _ in self._threads:
            self._todo.put(None)

    def _work(self) -> None:
        while (request := self._todo.get()) is not None:
            try:
                self._done.put(self._perform(request))
            except BaseException as error:  # noqa: BLE001 - handed to the deciding thread, which raises it
                self._done.put(error)

    def _perform(self, request: Request) -> Outcome:
        reader, sent_at = self._readers[request.key], self._clock()
        try:
            if request.detail is None:
                page = reader.list_calls(limit=request.limit, offset=request.offset)
                return Outcome(request, sent_at, self._clock(), page.server_time, page=page)
            get = reader.get_transcript if request.detail.kind == "transcript" else reader.get_recording
            answer = get(request.detail.call_id)
            return Outcome(request, sent_at, self._clock(), answer.server_time, found=answer.value)  # type: ignore[arg-type]
        except SourceError as error:
            return Outcome(request, sent_at, self._clock(), error.server_time, error=error)
