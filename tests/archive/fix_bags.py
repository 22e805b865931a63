"""Makes archives in memory, writes bags of them through the real writers, and runs the verifier that lies in a bag."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from replicator.archive import chain, contents
from replicator.archive.kinds import Kind
from replicator.archive.production import audit_path, bag, bag_folder, producing, verify_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

ACCOUNT = "demo"
START = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw().hex()
AUDIO = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(64)


def signed_head(block: chain.Block, key: Ed25519PrivateKey = KEY) -> dict[str, object]:
    head = {
        "format": verify_file.HEAD_FORMAT,
        "account": block.account,
        "block": block.block,
        "last_sequence": block.last,
        "hash": block.hash.hex(),
        "sealed_at": chain.instant(block.sealed_at),
        "signed_at": chain.instant(START),
        "key": key.public_key().public_bytes_raw().hex(),
    }
    return {**head, "signature": key.sign(verify_file.head_message(head)).hex()}


def head_file(block: chain.Block, key: Ed25519PrivateKey = KEY) -> bytes:
    return json.dumps(signed_head(block, key), indent=1).encode() + b"\n"


@dataclass
class Archive:
    """A chain in memory with what its records seal."""

    seed: int = 1
    blocks: list[chain.Block] = field(default_factory=list)
    records: dict[int, list[bag.Sealed]] = field(default_factory=dict)
    payloads: dict[int, bytes] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def seal(self, *entries: tuple[Kind, uuid.UUID | None, dict[str, object], bytes | None]) -> chain.Block:
        """Append one block; each entry is (kind, call, what else its content holds, the payload that it seals)."""
        contents, salts = [], []
        for kind, subject, more, payload in entries:
            fields = {
                "kind": kind,
                "account": ACCOUNT,
                "observed_at": chain.instant(START),
                **({"call_id": str(subject)} if subject else {}),
                **more,
            }
            if payload is not None:
                fields["sha256"] = sealed(payload).sha256
            contents.append(chain.canonical(fields))
            salts.append(self.chance.randbytes(32))
        made = [chain.commitment(salt, content) for salt, content in zip(salts, contents, strict=True)]
        before = self.blocks[-1] if self.blocks else None
        at = START + timedelta(seconds=len(self.blocks))
        block = chain.next_block(ACCOUNT, before, [entry[0] for entry in entries], made, at)
        rows = []
        for place, (kind, subject, _, payload) in enumerate(entries):
            sequence = block.first + place
            rows.append(bag.Sealed(sequence, kind, subject, salts[place], contents[place], made[place], block.block))
            if payload is not None:
                self.payloads[sequence] = payload
        self.blocks.append(block)
        self.records[block.block] = rows
        return block

    def erase(self, sequence: int) -> None:
        for rows in self.records.values():
            rows[:] = [
                bag.Sealed(one.sequence, one.kind, one.subject, None, None, one.commitment, one.block)
                if one.sequence == sequence
                else one
                for one in rows
            ]

    def parts(self, wanted: Callable[[bag.Sealed], bool], first: int, last: int) -> Iterator[producing.Part]:
        for block in self.blocks[first - 1 : last]:
            rows = self.records[block.block]
            tree = audit_path.Tree(chain.leaf(one.sequence, one.kind, one.commitment) for one in rows)
            yield producing.Part(
                block,
                [
                    producing.Item(
                        one,
                        tree.path(one.sequence - block.first),
                        (file := self.payloads.get(one.sequence)) and sealed(file),
                    )
                    for one in rows
                    if wanted(one)
                ],
            )

    def audio(self, asked: bag.Audio) -> Iterable[bytes]:
        if asked.sha256 not in self.stored:
            raise producing.AudioMissing("there is no file with this hash")
        return [self.stored[asked.sha256]]


def call(**more: object) -> bytes:
    """A call's payload as text."""
    fields = {
        "id": "c", "status": "completed", "direction": "outbound", "phone_number": "+4930901820", "cost_usd": 0.1250,
        "summary": "plain words", **more,
    }  # fmt: skip
    return json.dumps(fields).encode()


def transcript(*said: tuple[str, str], summary: str | None = "in short") -> bytes:
    """A transcript's file."""
    lines = [json.dumps({"speaker": who, "text": text, "timestamp": place}) for place, (who, text) in enumerate(said)]
    return bag.transcript_file(summary, "\n".join(lines) or None)


STAMPS = ("2026-11-30T11:59:00.000000Z", "2026-11-30T12:00:00.000000Z", "")


def sealed(file: bytes) -> bag.Payload:
    """The payload that a call's or a transcript's file is, with the hash that its record seals."""
    found = json.loads(file)
    if "segments" not in found:
        lines = "\n".join(["", *STAMPS]).encode()
        return bag.Payload(file, contents.text_of(sha256(file + lines).digest()), STAMPS)
    lines = verify_file.transcript_of(file)[1]
    row = next(verify_file.row_texts(found["summary"], lines))
    return bag.Payload(file, contents.text_of(sha256(row).digest()))


def subject(number: int) -> uuid.UUID:
    return uuid.UUID(int=number)


def archive(calls: int = 6, hostile: Sequence[str] = ()) -> Archive:
    """An archive of some calls with transcripts and recordings, four records a block, and one erased call."""
    made = Archive()
    texts = [*hostile, "good morning"]
    for number in range(1, calls + 1):
        text = texts[number % len(texts)]
        audio = AUDIO + number.to_bytes(4, "big")
        digest = sha256(audio).hexdigest()
        made.stored[digest] = audio
        one = subject(number)
        made.seal(
            (Kind.CALL, one, {"version": 1}, call(summary=text, number=number)),
            (Kind.TRANSCRIPT, one, {}, transcript(("agent", "hello"), ("contact", text))),
            (Kind.RECORDING, one, {"sha256": digest, "media_type": "audio/wav", "bytes": len(audio)}, None),
            (Kind.TOMBSTONE, subject(1000 + number), {"state": "deleted"}, None),
        )  # fmt: skip
    return made


def write(
    made: Archive,
    target: Path,
    *,
    calls: set[int] | None = None,
    signed: bool = True,
    key: Ed25519PrivateKey = KEY,
    by: str = "anna",
    at: datetime = START,
    heads_up_to: int | None = None,
) -> producing.Tally:
    """Write a bag of some calls (default: all with a number below 1000) through the real writers."""
    erasures = {Kind.ERASURE}

    def wanted(record: bag.Sealed) -> bool:
        number = record.subject.int if record.subject else 0
        return record.kind in erasures or (number in calls if calls is not None else 0 < number < 1000)

    chosen = [number for number, rows in made.records.items() if any(map(wanted, rows))]
    first, last = (min(chosen), max(chosen)) if chosen else (1, 0)
    heads = [made.blocks[(heads_up_to or last) - 1]] if signed and chosen else []
    proofs = [(f"data/proof/heads/{block.block:012d}.json", head_file(block, key)) for block in heads]
    with bag_folder.making(target) as folder:
        done = producing.write(folder, ACCOUNT, made.parts(wanted, first, last), made.audio, proofs)
        folder.finish()
        files = folder.write_tags(
            {
                bag.README: bag.READ_ME.encode(),
                bag.CUSTODY: bag.page({"by": by, "at": at.isoformat()}),
                bag.INFO: bag.info(folder.files, folder.bytes, at, ACCOUNT),
            }
        )
        state = Archive(seed=99, blocks=list(made.blocks), records=dict(made.records))
        block = state.seal((Kind.EXPORT, None, {"by": by, "reason": "a test", "files": files}, None))
        record = state.records[block.block][0]
        export = {
            "record": bag.proof(record, []),
            "block": bag.block_fields(block),
            "head": signed_head(block, key) if signed else None,
        }
        folder.complete(bag.page(export))
    return done


def archive_behind(made: Archive, target: Path) -> None:
    """Seal one call more, and write a bag whose newest head lies before it."""
    before = len(made.blocks)
    made.seal((Kind.CALL, subject(3), {"version": 1}, call(number=3)))
    write(made, target, heads_up_to=before)


def run(target: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier that lies in the bag, as a receiver does: alone, without our package."""
    return subprocess.run(
        [sys.executable, "-I", "-W", "error", str(target / "verify.py"), str(target), *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
