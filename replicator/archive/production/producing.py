"""Writes the payload of a bag: block by block and record by record, so that memory does not grow with their number.

Where the records come from is not known here: exporting.py reads them from the database, tests make them. What is not as
it was sealed is written as it is found and named in the result; verify.py names it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replicator.archive.production import bag, load_files
from replicator.errors import ReplicatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from replicator.archive.chain import Block
    from replicator.archive.production.bag import Audio, Payload, Sealed
    from replicator.archive.production.bag_folder import Folder


@dataclass(frozen=True, slots=True)
class Item:
    """One record with its audit path, and what it seals in truedy.*: None where that is nothing, or is gone."""

    record: Sealed
    path: Sequence[bytes]
    payload: Payload | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A block with those of its records that belong into the bag, in their order."""

    block: Block
    items: Iterable[Item]


@dataclass(slots=True)
class Tally:
    """What was written. `damaged` holds one sentence for each thing that is not as it was sealed."""

    records: int = 0
    blocks: int = 0
    erased: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)


class AudioMissing(ReplicatorError):
    """A stored file is not there any more."""


def write(
    folder: Folder, account: str, parts: Iterable[Part], audio: Callable[[Audio], Iterable[bytes]],
    proofs: Iterable[tuple[str, bytes]],
) -> Tally:  # fmt: skip
    """Write all of data/. `audio` yields the bytes of a stored file, or raises AudioMissing; `proofs` are heads and tokens."""
    done = Tally()
    for name, first in (
        (bag.BLOCKS, b""),
        (bag.RECORDS, b""),
        (bag.CSV, load_files.csv_head()),
        (bag.DAT, load_files.dat_head()),
    ):
        folder.append(name, first)
    for part in parts:
        done.blocks += 1
        folder.append(bag.BLOCKS, bag.block_line(part.block))
        for item in part.items:
            _write_item(folder, item, audio, done)
    for name, content in proofs:
        folder.write(name, [content])
    folder.write(bag.FACTS, [bag.facts(account, done.records, done.blocks)])
    return done


def _write_item(folder: Folder, item: Item, audio: Callable[[Audio], Iterable[bytes]], done: Tally) -> None:
    record = item.record
    done.records += 1
    done.erased += record.content is None
    done.kinds[record.kind] = done.kinds.get(record.kind, 0) + 1
    payload = item.payload
    if record.content is not None and record.kind in bag.PAYLOADS:
        if payload is None:
            done.damaged.append(f"the payload of record {record.sequence} is not stored any more")
        elif payload.sha256 != record.fields().get("sha256"):
            done.damaged.append(f"the payload of record {record.sequence} is not what was sealed")
    found = bag.documents(record, payload)
    for name, content in found.files:
        folder.write(name, [content])
    if found.audio is not None:
        try:
            written = folder.write(found.audio.name, audio(found.audio))
        except AudioMissing as error:
            folder.remove(found.audio.name)
            done.damaged.append(f"the audio of record {record.sequence}: {error.message}")
        else:
            if written != found.audio.sha256:
                done.damaged.append(f"the audio of record {record.sequence} is not what was sealed")
    folder.append(bag.RECORDS, bag.record_line(record, item.path, None if payload is None else payload.stamps))
    folder.append(bag.CSV, load_files.csv_line(found.row))
    folder.append(bag.DAT, load_files.dat_line(found.row))


__all__ = ["AudioMissing", "Item", "Part", "Tally", "write"]
