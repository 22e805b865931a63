"""Keeps open connections for the next transaction: a few at rest, more while many are needed, none too old.

Only migrations need SQLAlchemy, whose pool is of no use without loading all of it: half of the start of a command.

Connections belong to an epoch. `renew` begins another one, and no connection of an earlier epoch is lent again. The
connections at rest are lent in turn, so that none of them rests for long while others work.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_MORE: Final = 10
"""So many connections more than those at rest may be open, while they are needed."""
PATIENCE_SECONDS: Final = 30.0
"""How long a connection is waited for when all are lent."""


class NoneFreeError(Exception):
    """All connections are lent, and none came back in time."""


@dataclass(slots=True, eq=False)
class Lent:
    """A connection, lent to one transaction."""

    connection: psycopg.Connection[Any]
    epoch: int
    opened: tuple[float, float]
    is_new: bool = True
    """Whether this is its first transaction."""


class Pool:
    """Lends connections that `connect` opens. Any thread may ask."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        size: int,
        most_age_seconds: float,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._connect = connect
        self._size = size
        self._most_age_seconds = most_age_seconds
        self._patience_seconds = patience_seconds
        self._at_rest: deque[Lent] = deque()
        self._lent = 0
        """How many are lent or being opened."""
        self._epoch = 0
        # Its lock may be taken again by the thread that has it: the garbage collector can end an abandoned transaction,
        # which gives its connection back, at any point.
        self._changed = threading.Condition(threading.RLock())

    def lend(self) -> Lent:
        """Return a connection. Raises psycopg's error where none can be opened, and NoneFreeError."""
        lent = self._reserved()
        if lent is not None:
            return lent
        try:
            epoch, opened = self._epoch, _now()  # before it is opened: it may have seen what was then
            return Lent(self._connect(), epoch, opened)
        except BaseException:  # a Ctrl-C, too: its place would stay taken for ever
            self._leave()
            raise

    def take_back(self, lent: Lent, *, is_good: bool) -> None:
        """Take a connection back. It is closed if it is not good, of an earlier epoch, or more than are to rest."""
        lent.is_new = False
        with self._changed:
            is_kept = is_good and lent.epoch == self._epoch and len(self._at_rest) < self._size
            if is_kept:
                self._at_rest.append(lent)
            self._leave()
        if not is_kept:
            _close([lent])

    def renew(self) -> None:
        """Begin another epoch: all connections are opened anew."""
        with self._changed:
            self._epoch += 1

    def close(self) -> None:
        """Close the connections at rest, and the others when they come back."""
        with self._changed:
            self.renew()
            at_rest, self._at_rest = self._at_rest, deque()
        _close(at_rest)

    def _reserved(self) -> Lent | None:
        """Return a connection at rest, or None where the caller may open one."""
        past: list[Lent] = []
        try:
            with self._changed:
                if not self._changed.wait_for(self._has_room, self._patience_seconds):
                    raise NoneFreeError
                self._lent += 1
                while self._at_rest:
                    lent = self._at_rest.popleft()
                    if lent.epoch == self._epoch and _age(lent) <= self._most_age_seconds:
                        return lent
                    past.append(lent)
                return None
        finally:
            _close(past)

    def _has_room(self) -> bool:
        return bool(self._at_rest) or self._lent < self._size + MOST_MORE

    def _leave(self) -> None:
        with self._changed:
            self._lent -= 1
            self._changed.notify()


def _now() -> tuple[float, float]:
    return time.monotonic(), time.time()


def _age(lent: Lent) -> float:
    """Return the age in seconds. The time of day also counts while a machine sleeps; the other clock cannot be set."""
    return max(now - then for now, then in zip(_now(), lent.opened, strict=True))


def _close(several: Iterable[Lent]) -> None:
    for lent in several:
        with suppress(psycopg.Error):
            lent.connection.close()


__all__ = ["MOST_MORE", "Lent", "NoneFreeError", "Pool"]
