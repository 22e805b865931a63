"""Performs requests on a few threads and returns the outcomes. Which requests to make is decided in one other thread.

The threads wait for answers and parse them. An outcome holds a value, a SourceError, or "not sent": a request is
returned unsent if its charge expired while it waited in the queue, or if its key was refused. Nothing is retried here,
because every attempt must be charged to the budget before it is sent.
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
        """One token for each waiting request (false: the worker ends). A free worker chooses which request to take."""
        self._pages: deque[Request] = deque()
        self._details: deque[Request] = deque()
        self._done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
        self._refused: set[int] = set()
        self.in_flight = 0
        # Daemons, because a worker that waits for a slow server must not delay a stop.
        self._threads = [
            threading.Thread(target=self._work, name=f"fetch-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request that is charged and may be sent now. Pages go before details, because each page decides the
        next one.
        """
        self.in_flight += 1
        self._refused.discard(request.key)
        (self._details if request.walk is None else self._pages).append(request)
        self._waiting.put(True)

    def collect(self, timeout_seconds: float, most: int) -> list[Outcome]:
        """Wait up to `timeout_seconds` for one outcome, then a moment for more; return at most `most` outcomes.

        The moment makes batches of details larger. There is no such wait after a page, because the next page depends on
        it.
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
        """Let each worker end after the request that it is performing; requests still in the queue are not sent."""
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
            return self._details.popleft()  # each token stands for one waiting request: if it is no page, it is here

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
    """Return an error without its traceback and context: their frames would keep the answer's body in memory."""
    error.__context__ = None
    return error.with_traceback(None)
