"""Caches encoded answers up to a total size, so that a million calls need no more memory than five thousand."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ByteCache:
    """Bytes by call and revision; the least recently used are removed when all together exceed `limit_bytes`."""

    def __init__(self, limit_bytes: int = 128 * 2**20) -> None:
        self._kept: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        self._limit = limit_bytes
        self._weight = 0

    def get(self, index: int, revision: int, make: Callable[[], bytes]) -> bytes:
        """Return the bytes of a call at a revision; `make` makes them where they are not cached."""
        found = self._kept.get(index)
        if found is not None:
            if found[0] == revision:
                self._kept.move_to_end(index)
                return found[1]
            self._weight -= len(found[1])
        made = make()
        self._kept[index] = (revision, made)
        self._kept.move_to_end(index)
        self._weight += len(made)
        while self._weight > self._limit and len(self._kept) > 1:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._weight -= len(dropped)
        return made

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._weight = 0
