"""Chains in memory, as a pure test makes and attacks them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.archive import chain
from replicator.archive.kinds import Kind
from replicator.archive.verification import verification
from replicator.archive.verification.verification import Fault, Head, Record

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

AT = datetime(2026, 11, 30, 1, 2, 3, 4, UTC)
ACCOUNT = "default"


@dataclass
class Chain:
    """The rows of an account, in lists that a test may change."""

    blocks: list[chain.Block]
    records: list[Record]

    def faults(self, heads: Sequence[Head] = ()) -> list[Fault]:
        return list(verification.check(ACCOUNT, self.blocks, self.records, heads))

    def head(self, block: int | None = None) -> Head:
        """What a head outside says of a block, of the newest one unless told otherwise."""
        one = self.blocks[-1] if block is None else self.blocks[block - 1]
        return Head(ACCOUNT, one.block, one.last, one.hash, "outside")

    def rechained(self) -> Chain:
        """Return the same contents with everything computed anew, as whoever owns the database can."""
        made = Chain([], [])
        left = list(self.records)
        for block in self.blocks:
            mine = left[: block.last - block.first + 1]
            del left[: len(mine)]
            if mine:
                made.add(
                    [(one.kind, one.subject, one.observed_at, one.salt, one.content) for one in mine], block.sealed_at
                )
        return made

    def add(self, entries: Sequence[tuple[object, ...]], at: datetime) -> None:
        """Seal entries of (kind, subject, observed_at, salt, content)."""
        commitments = [chain.commitment(salt, content) for *_, salt, content in entries]  # type: ignore[arg-type]
        before = self.blocks[-1] if self.blocks else None
        block = chain.next_block(ACCOUNT, before, [str(one[0]) for one in entries], commitments, at)
        self.blocks.append(block)
        self.records += [
            Record(sequence, *entry, commitment, block.block)  # type: ignore[arg-type]
            for sequence, (entry, commitment) in enumerate(zip(entries, commitments, strict=True), block.first)
        ]


def entry(rng: random.Random, kind: Kind = Kind.CALL, **more: object) -> tuple[object, ...]:
    subject = UUID(int=rng.getrandbits(128)) if kind in {Kind.CALL, Kind.TRANSCRIPT} else None
    at = AT + timedelta(microseconds=rng.randrange(10**9))
    says = {"kind": kind, "account": ACCOUNT, "observed_at": chain.instant(at), "text": f"ü{rng.random()}", **more}
    if subject is not None:
        says["call_id"] = str(subject)
    return kind, subject, at, rng.randbytes(32), chain.canonical(says)


def made(rng: random.Random, *, blocks: int = 6, most: int = 9) -> Chain:
    """Return a random chain: some blocks of some records, some of which were erased."""
    whole = Chain([], [])
    kinds = [*Kind]
    for place in range(blocks):
        entries = [
            entry(rng, rng.choice([kind for kind in kinds if kind not in verification.ERASERS]))
            for _ in range(rng.randint(1, most))
        ]
        whole.add(entries, AT + timedelta(minutes=place))
    if rng.random() < 0.5:
        gone = sorted(rng.sample(range(len(whole.records)), min(3, len(whole.records))))
        whole.add([entry(rng, rng.choice(sorted(verification.ERASERS)), records=[one + 1 for one in gone])], AT)
        for one in gone:
            whole.records[one] = whole.records[one]._replace(salt=None, content=None)
    return whole


def flipped(value: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(value))
    return value[:place] + bytes([value[place] ^ (1 << rng.randrange(8))]) + value[place + 1 :]


def edited(record: Record, rng: random.Random) -> Record:
    """Return a record that says something else, with a commitment that fits."""
    assert record.content is not None
    assert record.salt is not None
    content = chain.canonical({**json.loads(record.content), "text": f"forged {rng.random()}"})
    return record._replace(content=content, commitment=chain.commitment(record.salt, content))


def _renumbered(records: Sequence[Record]) -> list[Record]:
    return [one._replace(sequence=place) for place, one in enumerate(records, 1)]


def _sized(whole: Chain, count: int) -> list[chain.Block]:
    """Return the blocks so cut that they hold this many records."""
    blocks, left = [], count
    for block in whole.blocks:
        size = min(left, block.last - block.first + 1)
        if size:
            blocks.append(replace(block, first=1, last=size))
        left -= size
    return blocks


def victim(whole: Chain, rng: random.Random, *, last: int | None = None) -> int:
    """Return the place of a record that has its content."""
    return rng.choice([place for place, one in enumerate(whole.records[:last]) if one.content is not None])


Attack = "Callable[[Chain, random.Random], tuple[Chain, int]]"
"""Returns the chain after it, and the sequence that should be named at the latest."""


def flip_record(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    place = victim(whole, rng)
    record = whole.records[place]
    field = rng.choice(["salt", "content", "commitment"])
    whole.records[place] = record._replace(**{field: flipped(getattr(record, field), rng)})
    return whole, record.sequence


def flip_block(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    place = rng.randrange(len(whole.blocks))
    block = whole.blocks[place]
    field = rng.choice(["root", "previous", "hash"])
    whole.blocks[place] = replace(block, **{field: flipped(getattr(block, field), rng)})
    return whole, block.last + 1


def change_column(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    place = victim(whole, rng)
    record = whole.records[place]
    changed = rng.choice([
        {"kind": "read" if record.kind != "read" else "hold"}, {"subject": UUID(int=7)}, {"block": record.block + 1},
        {"observed_at": record.observed_at + timedelta(microseconds=1)},
    ])  # fmt: skip
    whole.records[place] = record._replace(**changed)
    return whole, record.sequence


def delete_record(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    return whole, whole.records.pop(rng.randrange(len(whole.records))).sequence


def delete_block(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    return whole, whole.blocks.pop(rng.randrange(len(whole.blocks) - 1)).last + 1


def insert_record(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    number = len(whole.records) + 1
    kind, subject, at, salt, content = entry(rng)
    commitment = chain.commitment(salt, content)  # type: ignore[arg-type]
    whole.records.append(Record(number, str(kind), subject, at, salt, content, commitment, whole.blocks[-1].block))  # type: ignore[arg-type]
    return whole, number


def swap_records(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    one = victim(whole, rng)
    two = rng.choice([place for place, other in enumerate(whole.records) if place != one])
    first, second = whole.records[one], whole.records[two]
    whole.records[one] = second._replace(sequence=first.sequence, block=first.block)
    whole.records[two] = first._replace(sequence=second.sequence, block=second.block)
    return whole, min(first.sequence, second.sequence)


def swap_blocks(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    one, two = sorted(rng.sample(range(len(whole.blocks)), 2))
    first, second = whole.blocks[one], whole.blocks[two]
    whole.blocks[one], whole.blocks[two] = replace(second, block=first.block), replace(first, block=second.block)
    return whole, first.last


def erase_quietly(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    place = victim(whole, rng)
    whole.records[place] = whole.records[place]._replace(salt=None, content=None)
    return whole, whole.records[place].sequence


def edit_record(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    place = victim(whole, rng)
    whole.records[place] = edited(whole.records[place], rng)
    return whole, whole.records[place].sequence


def cut_tail(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    kept = rng.randrange(1, len(whole.blocks))
    last = whole.blocks[kept - 1].last
    return Chain(whole.blocks[:kept], whole.records[:last]), last + 1


def edit_and_rechain(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    changed, named = edit_record(whole, rng)
    return _whole_again(changed), named


def renumber_and_rechain(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    gone = whole.records.pop(victim(whole, rng)).sequence
    whole.records = _renumbered(whole.records)
    whole.blocks = _sized(whole, len(whole.records))
    return _whole_again(whole), gone


def replace_all(whole: Chain, rng: random.Random) -> tuple[Chain, int]:
    return made(rng, blocks=len(whole.blocks)), 1


def _whole_again(whole: Chain) -> Chain:
    """Return the chain computed anew; what was erased is left out of the forger's new chain, and replaced by forgeries."""
    whole.records = [
        one if one.content is not None else one._replace(salt=bytes(32), content=_forged(one)) for one in whole.records
    ]
    return whole.rechained()


def _forged(record: Record) -> bytes:
    says = {"kind": record.kind, "account": ACCOUNT, "observed_at": chain.instant(record.observed_at)}
    return chain.canonical({**says, **({} if record.subject is None else {"call_id": str(record.subject)})})


FOUND_ALWAYS = (
    flip_record, flip_block, change_column, delete_record, delete_block, insert_record, swap_records, swap_blocks,
    erase_quietly, edit_record,
)  # fmt: skip
"""What is found without any head outside."""
FOUND_BY_HEADS = (cut_tail, edit_and_rechain, renumber_and_rechain, replace_all)
"""What only a head outside shows."""
