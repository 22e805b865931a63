"""Puts recordings into a store and seals them, as the archive's lane does at the end of a download."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from replicator.archive import chain, sealing
from replicator.archive.kinds import Kind
from tests.archive.fix_sound import wav

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from replicator.archive.recordings.folder_store import FolderStore
    from replicator.store.database import Database

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def store_and_seal(
    database: Database, store: FolderStore, call_ids: Sequence[UUID], account: str = "default"
) -> list[str]:
    """Give each of these calls a recording; return their hashes in hex."""
    digests = []
    store.working.mkdir(parents=True, exist_ok=True)
    for place, call_id in enumerate(call_ids):
        content = wav(fill=bytes([place]))
        digests.append(sha256(content).hexdigest())
        part = store.working / "part"
        part.write_bytes(content)
        store.put(part, digests[-1], "audio/wav")
        part.unlink()
        sealed = {"kind": "recording", "account": account, "call_id": str(call_id), "sha256": digests[-1],
                  "media_type": "audio/wav", "bytes": len(content), "source_at": chain.instant(AT)}  # fmt: skip
        with database.transaction() as tx:
            sealing.append(tx, account, [sealing.Entry(Kind.RECORDING, call_id, AT, chain.canonical(sealed))], AT)
    return digests
