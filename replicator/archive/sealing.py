"""The one door to the archive's records: adds one block to an account's chain, in the caller's transaction.

The account's row in archive.chains is locked first, until the transaction ends. So blocks have no gap and no fork,
whoever seals at the same time. Reading the head after the lock needs READ COMMITTED, which store/database.py sets.
"""

from __future__ import annotations

import os
from itertools import chain as chained
from typing import TYPE_CHECKING, Any, NamedTuple

from replicator.archive import chain
from replicator.store import sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.archive.chain import Block
    from replicator.archive.kinds import Kind


class Entry(NamedTuple):
    """What is to be sealed: canonical bytes (chain.canonical) with kind, call and the instant of the observation."""

    kind: Kind
    subject: UUID | None
    observed_at: datetime
    content: bytes


def append(tx: psycopg.Connection[Any], account: str, entries: Iterable[Entry], at: datetime) -> Block:
    """Seal the entries as one block, in their order; return the block. `at` becomes its time. While the database stores
    some of the records, the next ones are made, and `entries` is read: it asks the database nothing.

    Raises ValueError where there is no entry.
    """
    entries = iter(entries)
    if (one := next(entries, None)) is None:
        raise ValueError("there is nothing to seal")
    sealed.lock(tx, account)
    before = head(tx, account)
    number, first = (1, 1) if before is None else (before.block + 1, before.last + 1)
    kinds: list[Kind] = []
    commitments: list[bytes] = []

    def rows() -> Iterator[sealed.RecordRow]:
        for sequence, entry in enumerate(chained([one], entries), first):
            salt = os.urandom(chain.SALT_BYTES)
            commitment = chain.commitment(salt, entry.content)
            kinds.append(entry.kind)
            commitments.append(commitment)
            yield sequence, entry.kind, entry.subject, entry.observed_at, salt, entry.content, commitment

    sealed.add_records(tx, account, number, rows())
    block = chain.next_block(account, before, kinds, commitments, at)
    sealed.add_block(
        tx,
        (account, block.block, block.first, block.last, block.root, block.previous, block.sealed_at, block.hash),
    )
    return block


def head(connection: psycopg.Connection[Any], account: str) -> Block | None:
    """Return the newest block of an account; None where nothing is sealed."""
    row = sealed.head(connection, account)
    return None if row is None else chain.Block(account, *row)


__all__ = ["Entry", "append", "head"]
