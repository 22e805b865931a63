"""Exports a selection of calls as a bag: reads in one snapshot, writes, seals the export, and gives the bag its name.

The export is a record of the archive (kind `export`), sealed in one transaction with the hashes of the bag's manifest and
of what the exporter states. That transaction commits just before the bag gets its name: so there may be a record of an
export whose bag a crash has removed, and never a bag without its record.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from replicator.archive import chain, sealing
from replicator.archive.contents import text_of
from replicator.archive.governance import holds
from replicator.archive.kinds import Kind
from replicator.archive.production import audit_path, bag, bag_folder, producing, readable
from replicator.archive.recordings import objects
from replicator.errors import ConfigurationError
from replicator.store import governance, produced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    import psycopg

    from replicator.archive.chain import Block
    from replicator.archive.governance.suppression import Keys
    from replicator.archive.production.bag import Audio, Payload, Sealed
    from replicator.archive.production.producing import Item, Part, Tally
    from replicator.archive.recordings.objects import Store
    from replicator.store.database import Database
    from replicator.store.produced import Chosen, StoredTranscript

CHUNK = 100
"""So many payloads are in memory at once."""
MOST_GAPS = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for which calls, and why. `query` is what they asked for in words, for the chain of custody in the bag;
    `sealed_query` is what the archive keeps of it: no erasure reaches that, so it has no number.
    """

    chosen: Chosen
    query: Mapping[str, Any]
    by: str
    reason: str | None
    sealed_query: Mapping[str, Any] | None = None
    """None: the query itself, which has no number then."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was exported. `sequence` is that of the record that seals it."""

    calls: int
    files: int
    bytes: int
    tally: Tally
    sequence: int
    unknown: tuple[str, ...]
    """Calls that were asked for by their id, and of which the archive has no record."""
    is_signed: bool

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for is there as it was sealed."""
        return not self.unknown and not self.tally.damaged


def held(database: Database, account: str, name: str, keys: Keys | None) -> tuple[UUID, ...]:
    """Return the calls that a hold covers now. Raises ConfigurationError where there is no such hold, or its numbers
    cannot be recognised without their secret.
    """
    with database.connection() as connection:
        placed = holds.rules(connection, account, keys).holds
        hold = next((one for one in placed if one.name == name), None)
        if hold is None:
            raise ConfigurationError(
                f"there is no hold {name} that is not released", advice="list them: replicator archive hold list"
            )
        found = (holds.candidate(row, keys) for row in governance.candidates(connection, account))
        return tuple(one.id for one in found if hold.covers(one))


def export(
    database: Database, request: Request, target: Path, store: Store | None, at: datetime,
    sign: Callable[[Block], Mapping[str, Any]] | None = None,
) -> Done:  # fmt: skip
    """Write the bag. Raises ConfigurationError for a folder that is in use, OutputFailed where there is no room, or a
    DatabaseError; then no bag is there.
    """
    with bag_folder.making(target) as folder:
        with database.connection() as tx:
            # A snapshot: what is sealed meanwhile is not in the bag.
            tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            calls, tally, stated = _payload(tx, folder, request, store)
        folder.finish()
        counts = {"records": tally.records, "by_kind": dict(sorted(tally.kinds.items())), "erased": tally.erased}
        custody = {
            "account": request.chosen.account, "exported_at": chain.instant(at), "by": request.by, "reason": request.reason,
            "query": request.query, "calls": calls, **counts, "files": folder.files, "bytes": folder.bytes,
            "not_as_sealed": tally.damaged, **stated,
        }  # fmt: skip
        files = folder.write_tags(
            {
                bag.README: bag.READ_ME.encode(),
                bag.CUSTODY: bag.page(custody),
                bag.INFO: bag.info(folder.files, folder.bytes, at, request.chosen.account),
            }
        )
        with database.transaction() as tx:
            content = {
                "kind": Kind.EXPORT, "account": request.chosen.account, "observed_at": chain.instant(at), "by": request.by,
                "reason": request.reason, "calls": calls, "records": tally.records, "files": files,
                "query": request.query if request.sealed_query is None else request.sealed_query,
            }  # fmt: skip
            entry = sealing.Entry(Kind.EXPORT, None, at, chain.canonical(content))
            block = sealing.append(tx, request.chosen.account, [entry], at)
            record = _record(next(iter(produced.of_block(tx, request.chosen.account, block.block))))
            proof = {
                "record": bag.proof(record, []),
                "block": bag.block_fields(block),
                "head": None if sign is None else dict(sign(block)),
            }
            folder.complete(bag.page(proof))
    unknown = tuple(stated["not_in_the_archive"])
    return Done(calls, folder.files, folder.bytes, tally, record.sequence, unknown, sign is not None)


def _payload(
    tx: psycopg.Connection[Any], folder: bag_folder.Folder, request: Request, store: Store | None
) -> tuple[int, Tally, dict[str, Any]]:
    """Write all of data/; return the number of calls, what was written, and what custody.json states beside."""
    chosen = request.chosen
    calls = produced.chosen_calls(tx, chosen)
    unknown = [str(one) for one in produced.unknown_calls(tx, chosen.account, chosen.call_ids or ())]
    bounds = produced.bounds(tx, chosen)
    parts: Iterable[Part] = ()
    proofs: list[tuple[str, bytes]] = []
    if bounds is not None:
        first, last, head = bounds
        parts = _parts(tx, chosen, first, head or last)
        proofs = list(_proofs(produced.heads(tx, chosen.account, first, head or last)))
    tally = producing.write(folder, chosen.account, parts, lambda audio: _audio(store, audio), proofs)
    gaps = [readable.read_json(text.encode()) for text in produced.gaps(tx, chosen.account, MOST_GAPS)]
    return calls, tally, {"not_in_the_archive": unknown, "gaps_of_the_account": gaps}


def _parts(tx: psycopg.Connection[Any], chosen: Chosen, first: int, last: int) -> Iterator[Part]:
    """Yield the blocks with their chosen records, both read by cursors side by side."""
    waiting = groupby(map(_record, produced.records(tx, chosen)), attrgetter("block"))
    number, records = next(waiting, (None, iter(())))
    for row in produced.blocks(tx, chosen.account, first, last):
        block = chain.Block(chosen.account, *row)
        if block.block != number:
            yield producing.Part(block, ())
            continue
        yield producing.Part(block, _items(tx, chosen.account, block, records))
        number, records = next(waiting, (None, iter(())))


def _items(tx: psycopg.Connection[Any], account: str, block: Block, records: Iterator[Sealed]) -> Iterator[Item]:
    tree = audit_path.Tree(chain.leaf(*row) for row in produced.leaves(tx, account, block.first, block.last))
    while chunk := list(islice(records, CHUNK)):
        yield from _with_payloads(tx, block, tree, chunk)


def _with_payloads(
    tx: psycopg.Connection[Any], block: Block, tree: audit_path.Tree, chunk: Sequence[Sealed]
) -> Iterator[Item]:
    contents = [record.fields() for record in chunk]
    versions = [
        (record.subject, int(content["version"]))
        for record, content in zip(chunk, contents, strict=True)
        if record.kind == Kind.CALL and record.subject is not None and content
    ]
    subjects = [
        record.subject for record in chunk if record.kind == Kind.TRANSCRIPT and record.subject and record.content
    ]
    calls = produced.call_payloads(tx, versions) if versions else {}
    transcripts = produced.transcript_payloads(tx, subjects) if subjects else {}
    for record, content in zip(chunk, contents, strict=True):
        payload = None
        if record.subject is not None and content and record.kind == Kind.CALL:
            row = calls.get((record.subject, int(content["version"])))
            if row is not None:
                payload = bag.Payload(row.raw.encode(), text_of(row.digest), row.stamps)
        elif record.subject is not None and content and record.kind == Kind.TRANSCRIPT:
            payload = _transcript(transcripts.get(record.subject, ()), content.get("sha256"))
        yield producing.Item(record, tree.path(record.sequence - block.first), payload)


def _transcript(found: Sequence[StoredTranscript], sealed: object) -> Payload | None:
    """Return the stored transcript that was sealed; where none is that any more, the newest one."""
    for one in [*(one for one in found if text_of(one.digest) == sealed), *found][:1]:
        return bag.Payload(bag.transcript_file(one.summary, one.segments), text_of(one.digest))
    return None


def _proofs(heads: Sequence[tuple[int, str, bytes | None]]) -> Iterator[tuple[str, bytes]]:
    for block, head, token in heads:
        yield f"data/proof/heads/{block:012d}.json", head.encode()
        if token is not None:
            yield f"data/proof/heads/{block:012d}.tsr", token


def _audio(store: Store | None, audio: Audio) -> Iterator[bytes]:
    if store is None:
        raise producing.AudioMissing("the export was made without the archive's store")
    try:
        with store.open(objects.place_of(audio.sha256)) as blocks:
            yield from blocks
    except objects.ObjectGone:
        raise producing.AudioMissing("the store has no file with this hash") from None


def _record(row: tuple[Any, ...]) -> Sealed:
    return bag.Sealed(*row)


__all__ = ["Done", "Request", "export", "held"]
