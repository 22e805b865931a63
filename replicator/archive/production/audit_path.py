"""Computes audit paths: the hashes that lead from one record of a block to the block's Merkle root. Pure.

A bag holds only some records of a block. The path of each (RFC 9162, 2.1.3.1; at most 63 hashes) proves that it lies in
the block at its place, without showing anything of the others.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from replicator.archive import chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SIZE = chain.HASH_BYTES


class Tree:
    """The Merkle tree over a block's leaves. It takes 64 bytes for each leaf."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = bytearray(b"".join(leaves))
        if not level:
            raise ValueError("a block has at least one record")
        self._levels = [level]
        while len(level) > SIZE:
            above = bytearray()
            for place in range(0, len(level), 2 * SIZE):
                pair = level[place : place + 2 * SIZE]
                above += sha256(b"\1" + pair).digest() if len(pair) == 2 * SIZE else pair
            level = above
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        return bytes(self._levels[-1])

    def path(self, index: int) -> Sequence[bytes]:
        """Return the audit path of the leaf at this place, from below."""
        found = []
        for level in self._levels[:-1]:
            other = (index ^ 1) * SIZE
            if other < len(level):
                found.append(bytes(level[other : other + SIZE]))
            index >>= 1
        return found


__all__ = ["Tree"]
