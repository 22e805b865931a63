"""The one door to the archive's records: adds one block to an account's chain, in the caller's transaction.

The account's row in archive.chains is locked first, until the transaction ends. So blocks have no gap and no fork,
whoever seals at the same time. Reading the head after the lock needs READ COMMITTED, which store/database.py sets.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replicator.archive import chain
from replicator.store import sealed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.archive.chain import Block
    from replicator.archive.kinds import Kind


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be sealed: canonical bytes (chain.canonical) with kind, call and the instant of the observation."""

    kind: Kind
    subject: UUID | None
    observed_at: datetime
    content: bytes


def append(tx: psycopg.Connection[Any], account: str, entries: Sequence[Entry], at: datetime) -> Block:
    """Seal the entries as one block, in their order; return the block. `at` becomes its time.

    Raises ValueError where there is no entry.
    """
    if not entries:
        raise ValueError("there is nothing to seal")
    sealed.lock(tx, account)
    before = head(tx, account)
    size = chain.SALT_BYTES
    random = os.urandom(size * len(entries))
    salts = [random[place : place + size] for place in range(0, len(random), size)]
    commitments = [chain.commitment(salt, entry.content) for salt, entry in zip(salts, entries, strict=True)]
    block = chain.next_block(account, before, [entry.kind for entry in entries], commitments, at)
    rows = (
        (sequence, entry.kind, entry.subject, entry.observed_at, salt, entry.content, commitment)
        for sequence, (entry, salt, commitment) in enumerate(zip(entries, salts, commitments, strict=True), block.first)
    )
    sealed.add_records(tx, account, block.block, rows)
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
