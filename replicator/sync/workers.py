"""Performs requests on a few threads and hands the outcomes back. The decision what to ask stays in one thread.

Threads wait well; the answers' parsing happens here too. An outcome is a value, a SourceError, or "not sent": a
request that had to wait in the queue until its charge was no longer good, or until its key was refused, is given back
unsent. Nothing is retried here, because every attempt is charged to the budget before it is sent.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from replicator.errors import RateLimited, SourceError
from replicator.sync.protocol.requests import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from replicator.records import Recording, Transcript
    from replicator.source.reading import Answered, Reading
    from replicator.sync.protocol.requests import Request

LINGER_SECONDS = 0.04


class WorkerPool:
    """A pool of worker threads over one reader per key."""

    def __init__(self, readers: Sequence[Reading], workers: int, clock: Callable[[], datetime]) -> None:
        self._readers = readers
        self._clock = clock
        self._waiting: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """One token for each request that waits (false: the end); which one is taken is decided when a worker is free."""
        self._pages: deque[Request] = deque()
        self._details: deque[Request] = deque()
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._refused: set[int] = set()
        self.in_flight = 0
        # Daemons: a worker that waits for a slow server must not hold up a stop.
        self._threads = [
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request whose budget says that it may be sent now. A page goes before all details: it aims the next."""
        self.in_flight += 1
        self._refused.discard(request.key)
        (self._details if request.walk is None else self._pages).append(request)
        self._waiting.put(True)

    def collect(self, timeout_seconds: float, most: int) -> list[Outcome]:
        """Wait for at least one outcome, at most so long, then a moment for more, and return at most `most`.

        The moment makes larger batches of details. A page is not held up: the next one is aimed by it.
        """
        outcomes: list[Outcome] = []
        until = time.monotonic() + timeout_seconds
        try:
            while len(outcomes) < most and (self.in_flight or not outcomes):
                done = self._done.get(timeout=max(0.0, until - time.monotonic()))
                if not outcomes:
                    until = time.monotonic() + LINGER_SECONDS
                self.in_flight -= 1
                if isinstance(done, BaseException):
                    raise done
                outcomes.append(done)
                if done.page is not None:
                    until = 0.0
        except queue.Empty:
            pass
        return outcomes

    def close(self) -> None:
        """Let the workers end after the requests that they are in; those still queued are dropped."""
        self._refused.update(range(len(self._readers)))
        for _ in self._threads:
            self._waiting.put(False)

    def _work(self) -> None:
        while self._waiting.get():
            try:
                self._done.put(self._perform(self._next()))
            except BaseException as error:  # noqa: BLE001 - handed to the deciding thread, which raises it
                self._done.put(error)

    def _next(self) -> Request:
        try:
            return self._pages.popleft()
        except IndexError:
            return self._details.popleft()  # each token stands for one request: if it is no page, it is a detail

    def _perform(self, request: Request) -> Outcome:
        reader, sent_at = self._readers[request.key], self._clock()
        if sent_at >= request.expires_at or request.key in self._refused:
            return Outcome(request, sent_at, sent_at, is_sent=False)
        try:
            if request.walk is not None:
                filters: dict[str, Any] = dict(request.walk.filter)
                page = reader.list_calls(limit=request.walk.limit, offset=request.walk.offset, **filters)
                return Outcome(request, sent_at, self._clock(), page.server_time, page=page)
            if request.probe is not None:
                one = reader.get_call(request.probe.call_id)
                return Outcome(request, sent_at, self._clock(), one.server_time, call=one.value)
            if request.detail is None:
                raise AssertionError("a request is for a page, a detail or a call")
            answer: Answered[Transcript | Recording]
            if request.detail.kind == "transcript":
                answer = reader.get_transcript(request.detail.call_id)
            else:
                answer = reader.get_recording(request.detail.call_id)
            return Outcome(request, sent_at, self._clock(), answer.server_time, found=answer.value)
        except SourceError as error:
            if isinstance(error, RateLimited):
                self._refused.add(request.key)
            return Outcome(request, sent_at, self._clock(), error.server_time, error=_bare(error))


def _bare(error: SourceError) -> SourceError:
    """Return an error without the frames that it came from, which hold the answer's body."""
    error.__context__ = None
    return error.with_traceback(None)
