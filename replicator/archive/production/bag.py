"""The layout of a bag (BagIt 1.0, RFC 8493): names, tag files, the lines of its proofs, the documents of a record. Pure.

    bagit.txt  bag-info.txt  manifest-sha256.txt  tagmanifest-sha256.txt
    README.txt  verify.py        how to read and verify it
    custody.json                 who exported what, when, why (stated, not proven)
    export.json                  the record that seals this export, its block and signed head
    data/calls/CALL/…            a call's documents, named by their record's sequence and kind
    data/account/…               records about no single call
    data/load/load.csv .dat      load files
    data/proof/bag.json records.jsonl blocks.jsonl heads/…

All of data/ follows from the archive and the selection: the same selection gives the same bytes, and the same
manifest-sha256.txt. Only custody.json, export.json, bag-info.txt and tagmanifest-sha256.txt hold times and names.
Every name is lower-case ASCII, digits, `-`, `_`, `.` and `/`, at most 90 characters.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from replicator.archive.chain import instant
from replicator.archive.kinds import Kind
from replicator.archive.production import load_files, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.archive.chain import Block

FORMAT: Final = "truedy-archive-bag-1"
DECLARATION: Final = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
CUSTODY, EXPORT, INFO, README, VERIFIER = "custody.json", "export.json", "bag-info.txt", "README.txt", "verify.py"
CSV, DAT = "data/load/load.csv", "data/load/load.dat"
FACTS, RECORDS, BLOCKS = "data/proof/bag.json", "data/proof/records.jsonl", "data/proof/blocks.jsonl"
STATED: Final = (CUSTODY, EXPORT, INFO, TAG_MANIFEST)
"""The files in which two bags of one selection differ."""
PAYLOADS: Final = frozenset({Kind.CALL, Kind.TRANSCRIPT})
"""The kinds whose payload is stored in truedy.*; the field `sha256` of their records holds its hash (archive/kinds.py)."""
_ENDINGS: Final = {
    "audio/wav": "wav", "audio/mpeg": "mp3", "audio/ogg": "ogg", "audio/flac": "flac", "audio/mp4": "m4a",
    "audio/webm": "webm", "audio/amr": "amr",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sealed:
    """One record of the archive. `salt` and `content` are None after an erasure."""

    sequence: int
    kind: str
    subject: UUID | None
    salt: bytes | None
    content: bytes | None
    commitment: bytes
    block: int

    def fields(self) -> Mapping[str, Any]:
        """Return the sealed content; empty after an erasure."""
        found = readable.read_json(self.content) if self.content is not None else None
        return found if isinstance(found, dict) else {}


Stamps = tuple[str, str, str]
"""updated_at, observed_at and `late` (or nothing) of a call's version, as they are sealed with its payload."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What a record seals in truedy.*: the file, its hash as it is sealed, and the stamps of a call's version."""

    file: bytes
    sha256: str
    stamps: Stamps | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """A stored file that belongs into the bag: where, and which bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Documents:
    """What a record has in the bag: files, perhaps audio, and its row in the load files."""

    files: Sequence[tuple[str, bytes]]
    audio: Audio | None
    row: Sequence[str]


def documents(record: Sealed, payload: Payload | None) -> Documents:
    """Return a record's documents. `payload` is that of a call or transcript; None for the other kinds, and where it is
    not stored any more: then there is no file, which verify.py finds.
    """
    number = f"{record.sequence:012d}"
    row = dict.fromkeys(load_files.COLUMNS, "") | {
        "BEGDOC": f"TRUEDY-{number}", "ENDDOC": f"TRUEDY-{number}", "GROUPID": str(record.subject or ""),
        "KIND": record.kind, "STATE": "erased" if record.content is None else "sealed",
    }  # fmt: skip
    if record.content is None:
        return Documents((), None, tuple(row.values()))
    content = record.fields()
    observed = payload.stamps[1] if payload is not None and payload.stamps is not None else None
    row["OBSERVED_AT"] = readable.value_text(content.get("observed_at", content.get("source_at", observed)))
    folder = f"data/calls/{record.subject}" if record.subject else "data/account"
    stem = f"{folder}/{number}-{record.kind}"
    native = record.content if record.kind not in PAYLOADS else payload.file if payload is not None else None
    row |= {"NATIVE_PATH": f"{stem}.json", "SHA256": "" if native is None else sha256(native).hexdigest()}
    if native is None:
        return Documents((), None, tuple(row.values()))
    files, audio = [(f"{stem}.json", native)], None
    if record.kind == Kind.CALL:
        row |= _call_cells(native)
    elif record.kind == Kind.TRANSCRIPT and record.subject is not None:
        text, page = readable.transcript(record.subject, record.sequence, readable.read_json(native))
        files += [(f"{stem}.txt", text.encode()), (f"{stem}.html", page.encode())]
        row |= {"TEXT_PATH": f"{stem}.txt", "HTML_PATH": f"{stem}.html"}
    elif record.kind == Kind.RECORDING:
        media = readable.value_text(content.get("media_type"))
        audio = Audio(f"{stem}.{_ENDINGS.get(media, 'bin')}", str(content["sha256"]))
        row |= {"MEDIA_TYPE": media, "NATIVE_PATH": audio.name, "SHA256": audio.sha256}
    return Documents(files, audio, tuple(row.values()))


def transcript_file(summary: str | None, segments: str | None) -> bytes:
    """Return a transcript's JSON file: `segments` holds the JSON of each segment on a line, as it is sealed."""
    lines = "" if not segments else segments.replace("\n", ",\n") + "\n"
    return f'{{"summary": {json.dumps(summary)}, "segments": [\n{lines}]}}\n'.encode()


def _call_cells(native: bytes) -> dict[str, str]:
    call = readable.read_json(native)
    if not isinstance(call, dict):
        return {}
    return {name.upper(): readable.value_text(call.get(name)) for name in load_files.CALL_FIELDS}


def record_line(record: Sealed, path: Sequence[bytes], stamps: Stamps | None) -> bytes:
    """Return a record's line in records.jsonl, with its audit path in its block."""
    return _line(proof(record, path, stamps))


def proof(record: Sealed, path: Sequence[bytes], stamps: Stamps | None = None) -> dict[str, Any]:
    """Return a record with all that proves its place in its block, as JSON values."""
    return {
        "sequence": record.sequence,
        "kind": record.kind,
        "subject": None if record.subject is None else str(record.subject),
        "block": record.block,
        "commitment": record.commitment.hex(),
        "salt": None if record.salt is None else record.salt.hex(),
        "bytes": None if record.content is None else base64.b64encode(record.content).decode(),
        "path": [one.hex() for one in path],
        "stamps": None if stamps is None else list(stamps),
    }


def block_fields(block: Block) -> dict[str, Any]:
    """Return a block as JSON values."""
    return {
        "block": block.block,
        "first": block.first,
        "last": block.last,
        "root": block.root.hex(),
        "previous": block.previous.hex(),
        "sealed_at": instant(block.sealed_at),
        "hash": block.hash.hex(),
    }


def block_line(block: Block) -> bytes:
    """Return a block's line in blocks.jsonl."""
    return _line(block_fields(block))


def facts(account: str, records: int, blocks: int) -> bytes:
    """Return bag.json."""
    return page({"format": FORMAT, "account": account, "records": records, "blocks": blocks})


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def page(fields: Mapping[str, Any]) -> bytes:
    """Return an object as indented ASCII JSON."""
    return json.dumps(fields, indent=2).encode() + b"\n"


def manifest_line(name: str, digest: str) -> bytes:
    return f"{digest}  {name}\n".encode()


def info(files: int, size: int, at: datetime, account: str) -> bytes:
    """Return bag-info.txt: `size` bytes in `files` files, exported at `at`."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in account)
    return (
        f"Bagging-Date: {at:%Y-%m-%d}\n"
        f"Payload-Oxum: {size}.{files}\n"
        f"External-Identifier: archive of account {printable}\n"
        "External-Description: calls with transcripts, recordings and proofs; verify with: python verify.py .\n"
    ).encode()


READ_ME: Final = """\
This folder is a production from a compliance archive of telephone calls.

  python verify.py .          checks all of it, offline (Python 3.9 or newer, nothing to install)

Take verify.py from the maker's project rather than from this folder where you do not trust who gave you the folder: it is
the same file in every bag. Add --key HEX with the archive's public key as its owner published it, and --head FILE
where you hold a signed head yourself. The answer says what is proven, and what is not.

  data/calls/CALL/            the documents of one call, in the order of their numbers:
      NUMBER-call.json        what the source said about the call, one file for each version that was seen
      NUMBER-transcript.json  its transcript as stored; .txt and .html show the same for reading
      NUMBER-recording.wav    its audio (or .mp3, .ogg, ...); the .json beside it is the record that seals it
      NUMBER-*.json           other sealed records: deleted at the source, holds, reads, erasures
  data/load/load.csv          one line for each document; load.dat is the same for review platforms (Concordance)
  data/proof/                 records, blocks and signed heads, from which the proof is computed
  custody.json                who exported what, when and why. Stated by the exporter; sealed in export.json

NUMBER is the document's number in the archive (BEGDOC in the load files). It is the same in every production.
In load.csv a cell that a spreadsheet would run as a formula has an apostrophe in front. Characters that cannot be seen
are shown as \\u and their number. The JSON files have the exact text.
"""

__all__ = [
    "BLOCKS", "CSV", "CUSTODY", "DAT", "DECLARATION", "EXPORT", "FACTS", "FORMAT", "INFO", "MANIFEST", "PAYLOADS", "README", "READ_ME",
    "RECORDS", "STATED", "TAG_MANIFEST", "VERIFIER", "Audio", "Documents", "Payload", "Sealed", "block_fields", "block_line", "documents",
    "facts", "info", "manifest_line", "page", "proof", "record_line", "transcript_file",
]  # fmt: skip
