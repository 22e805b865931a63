"""Checks a chain: every record, every block, and the heads that lie outside. Pure: it takes streams, and keeps no more
of them than one block.

Each fault names the first sequence that is wrong. After a fault the check goes on from what is there, so that one fault
is not told a second time as another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from replicator.archive import chain
from replicator.archive.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.archive.chain import Block

ERASERS = frozenset({Kind.ERASURE, Kind.DISPOSAL})


class Record(NamedTuple):
    """One record as it is stored."""

    sequence: int
    kind: str
    subject: UUID | None
    observed_at: datetime
    salt: bytes | None
    content: bytes | None
    commitment: bytes
    block: int


class Fault(NamedTuple):
    """One thing that is wrong. `sequence` is the first bad one; None where no record is at fault."""

    sequence: int | None
    code: str
    message: str

    def __str__(self) -> str:
        where = "archive" if self.sequence is None else f"sequence {self.sequence}"
        return f"{where}: {self.message} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Head:
    """What a head that lies outside says of a chain: this block had this hash and this last sequence."""

    account: str
    block: int
    last: int
    hash: bytes
    where: str = ""


class _Content(msgspec.Struct):
    """What every content may say of its own record."""

    kind: str
    account: str
    call_id: str | None = None
    observed_at: str | None = None
    records: list[int] | int | None = None
    """The sequences that an erasure takes away; of an export, how many records it holds."""


@dataclass(slots=True)
class Checked:
    """What a check has seen so far."""

    account: str
    records: int = 0
    blocks: int = 0
    last: Block | None = None
    erased: set[int] = field(default_factory=set)
    """Records without bytes that no erasure has named yet."""


_decode = msgspec.json.Decoder(_Content).decode


def check(
    account: str,
    blocks: Iterable[Block],
    records: Iterable[Record],
    heads: Sequence[Head] = (),
    seen: Checked | None = None,
) -> Iterator[Fault]:
    """Yield the faults of a chain. Blocks come by number, records by sequence; both may have gaps, which are faults."""
    seen = seen or Checked(account)
    outside: dict[int, list[Head]] = {}
    for head in heads:
        outside.setdefault(head.block, []).append(head)
    stream = _Stream(iter(records))
    for block in blocks:
        yield from _check_place(block, seen.last)
        yield from _check_records(block, stream, seen)
        for head in outside.pop(block.block, ()):
            if (head.hash, head.last) != (block.hash, block.last):
                yield Fault(
                    block.first,
                    "head",
                    f"block {block.block} is not the one of the head {head.where}: the chain was rewritten at or before it",
                )
        seen.last, seen.blocks = block, seen.blocks + 1
    if stream.next is not None:
        yield Fault(stream.next.sequence, "record_without_block", "from here on, records are in no block")
    yield from _check_end(outside, seen)


class _Stream:
    """Records, of which the next one can be looked at."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self.next = next(records, None)

    def up_to(self, last: int) -> Iterator[Record]:
        """Yield the records with at most this sequence."""
        while self.next is not None and self.next.sequence <= last:
            record = self.next
            self.next = next(self._records, None)
            yield record


def _check_records(block: Block, stream: _Stream, seen: Checked) -> Iterator[Fault]:
    """Check the records of a block, one by one and together."""
    leaves: list[bytes] = []
    faults, expected, is_told = 0, block.first, False
    for record in stream.up_to(block.last):
        if record.sequence < block.first:
            if not is_told:
                yield Fault(
                    record.sequence,
                    "record_without_block",
                    f"from here on to {block.first - 1}, records are in no block",
                )
            is_told = True
            continue
        for fault in (*_missing(expected, record.sequence, block), *_check_record(record, block, seen)):
            faults += 1
            yield fault
        leaves.append(chain.leaf(record.sequence, record.kind, record.commitment))
        expected = record.sequence + 1
        seen.records += 1
    for fault in _missing(expected, block.last + 1, block):
        faults += 1
        yield fault
    if not faults and (not leaves or chain.root(leaves) != block.root):
        yield Fault(
            block.first,
            "root",
            f"the records {block.first} to {block.last} are not those that block {block.block} sealed",
        )


def _missing(expected: int, found: int, block: Block) -> Iterator[Fault]:
    if found > expected:
        what = f"record {expected} is" if found == expected + 1 else f"records {expected} to {found - 1} are"
        yield Fault(expected, "record_missing", f"{what} missing, which block {block.block} sealed")


def _check_place(block: Block, before: Block | None) -> Iterator[Fault]:
    """Check a block against the one before it, and its own hash."""
    number, first, previous = (before.block + 1, before.last + 1, before.hash) if before else (1, 1, chain.NO_BLOCK)
    if block.block != number:
        missing = f"{number}" if block.block == number + 1 else f"{number} to {block.block - 1}"
        yield Fault(min(first, block.first), "block_missing", f"block {missing} is missing")
    elif block.first != first or block.last < block.first:
        yield Fault(
            min(first, block.first),
            "block_range",
            f"block {block.block} seals {block.first} to {block.last}, and should begin with {first}",
        )
    elif block.previous != previous:
        yield Fault(block.first, "block_link", f"block {block.block} does not stand on block {number - 1}")
    if block.hash != chain.block_hash(
        block.account, block.block, block.first, block.last, block.root, block.previous, block.sealed_at
    ):
        yield Fault(block.first, "block_hash", f"block {block.block} does not have the hash of its content")


def _check_record(record: Record, block: Block, seen: Checked) -> Iterator[Fault]:
    """Check a record by itself: its commitment, and that its columns are what its content says."""
    sequence, kind, subject, observed_at, salt, content, commitment, number = record
    if number != block.block:
        yield Fault(
            sequence, "record_block", f"the record says that it is in block {number}, and it is in {block.block}"
        )
    if salt is None and content is None:
        seen.erased.add(sequence)
        return
    if salt is None or content is None or chain.commitment(salt, content) != commitment:
        yield Fault(sequence, "record_content", "the record's content is not what was sealed")
        return
    try:
        says = _decode(content)
    except msgspec.MsgspecError:
        yield Fault(sequence, "record_form", "the record's content has not the form of a record")
        return
    at = None if says.observed_at is None else chain.instant(observed_at)
    if (says.kind, says.account, says.call_id, says.observed_at) != (
        kind,
        seen.account,
        None if subject is None else str(subject),
        at,
    ):
        yield Fault(sequence, "record_columns", "the record's columns are not what its content says")
    if isinstance(says.records, list) and kind in ERASERS:
        seen.erased.difference_update(one for one in says.records if one < sequence)


def _check_end(outside: dict[int, list[Head]], seen: Checked) -> Iterator[Fault]:
    last = seen.last
    for number, heads in sorted(outside.items()):
        for head in heads:
            if last is None or number > last.block:
                yield Fault(
                    (last.last if last else 0) + 1,
                    "cut",
                    f"the head {head.where} is of block {number} with the last sequence {head.last}, and the chain ends before it",
                )
    for sequence in sorted(seen.erased):
        yield Fault(sequence, "erased_without_record", "the record has no content, and no erasure or disposal names it")


__all__ = ["Checked", "Fault", "Head", "Record", "check"]
