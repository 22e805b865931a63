"""Reads rows ahead in a thread of its own, so that the database works while earlier rows are looked at."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROWS = 2_000
BATCHES = 4
TURN_SECONDS = 0.1

T = TypeVar("T")


@contextmanager
def reading(rows: Iterable[T]) -> Iterator[Iterator[T]]:
    """Yield the same rows, which another thread reads ahead by a few thousand until the block ends. An error of the
    reading is raised where its row would have come.
    """
    batches: queue.Queue[list[T] | BaseException | None] = queue.Queue(BATCHES)
    over = threading.Event()

    def put(item: list[T] | BaseException | None) -> None:
        while not over.is_set():
            try:
                batches.put(item, timeout=TURN_SECONDS)
            except queue.Full:
                continue
            return

    def read() -> None:
        stream = iter(rows)
        try:
            while not over.is_set() and (batch := list(islice(stream, ROWS))):
                put(batch)
            put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that takes the rows
            put(error)

    def taken() -> Iterator[T]:
        while (batch := batches.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield from batch

    thread = threading.Thread(target=read, name="archive-rows", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        over.set()
        thread.join()


__all__ = ["reading"]
