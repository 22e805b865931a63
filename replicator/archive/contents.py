"""Makes the canonical content of records about what was observed: versions, tombstones, gaps. Pure.

The payload of a version is not stored a second time. Its record holds the SHA-256 of the exact text that stands in
truedy.*, so the row cannot be changed without notice, and the log that PostgreSQL writes does not double. The text is
that of PostgreSQL's jsonb, which is the same after a dump and in every version of the server. kinds.py says what each
content holds.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

from replicator.archive.chain import canonical, canonical_flat, instant
from replicator.archive.kinds import Kind

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


SHORT_BYTES = 16
"""Half of a SHA-256: nobody finds a second content with the same, which is what matters here."""


class CallFacts(NamedTuple):
    """One version of a call, as it is stored. `columns` and `reading` (by which version of our reading they were read) are
    None where it is not the current version.
    """

    call_id: UUID
    version: int
    observed_at: datetime
    sha256: bytes
    columns: bytes | None
    reading: int | None = None


class TranscriptFacts(NamedTuple):
    """One transcript, as it is stored. `columns` is None where the segments' JSON says all of their columns."""

    call_id: UUID
    fetched_at: datetime
    sha256: bytes
    columns: bytes | None


class TombstoneFacts(NamedTuple):
    """A call that is deleted at the source, or seen again (`reappeared`, without instants of the deletion)."""

    call_id: UUID
    state: str
    observed_at: datetime
    deleted_at: datetime | None = None
    last_seen_at: datetime | None = None
    first_missing_at: datetime | None = None


class GapFacts(NamedTuple):
    """A stretch of the list that became unsure. `since` is None for the beginning."""

    since: datetime | None
    until: datetime
    verified_at: datetime
    reason: str


def of_call(account: str, facts: CallFacts, *, is_late_seal: bool = False) -> bytes:
    """Return the content of a call's version."""
    fields: dict[str, str | int] = {
        "account": account, "call_id": str(facts.call_id), "kind": Kind.CALL, "sha256": text_of(facts.sha256),
        "version": facts.version,
    }  # fmt: skip
    if (columns := short(facts.columns)) is not None:
        fields["columns"] = columns
    if facts.reading is not None:
        fields["reading"] = facts.reading
    if is_late_seal:
        fields["sealed_late"] = True
    return canonical_flat(fields)


def of_transcript(account: str, facts: TranscriptFacts, *, is_late_seal: bool = False) -> bytes:
    """Return the content of a transcript."""
    fields: dict[str, str | int] = {
        "account": account, "call_id": str(facts.call_id), "kind": Kind.TRANSCRIPT, "sha256": text_of(facts.sha256),
    }  # fmt: skip
    if (fetched_at := instant(facts.fetched_at)) is not None:
        fields["observed_at"] = fetched_at
    if (columns := short(facts.columns)) is not None:
        fields["columns"] = columns
    if is_late_seal:
        fields["sealed_late"] = True
    return canonical_flat(fields)


def of_tombstone(account: str, facts: TombstoneFacts, *, is_late_seal: bool = False) -> bytes:
    """Return the content of a tombstone or of its end."""
    return _content(
        Kind.TOMBSTONE, account, facts.observed_at, call_id=str(facts.call_id), state=facts.state,
        deleted_at=instant(facts.deleted_at), last_seen_at=instant(facts.last_seen_at),
        first_missing_at=instant(facts.first_missing_at), sealed_late=is_late_seal or None,
    )  # fmt: skip


def of_gap(account: str, facts: GapFacts, observed_at: datetime) -> bytes:
    """Return the content of a gap."""
    return _content(
        Kind.GAP, account, observed_at, since=instant(facts.since), until=instant(facts.until),
        verified_at=instant(facts.verified_at), reason=facts.reason,
    )  # fmt: skip


def text_of(digest: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def short(digest: bytes | None) -> str | None:
    """Return the first 16 bytes of a hash as text."""
    return None if digest is None else text_of(digest[:SHORT_BYTES])


def _content(kind: Kind, account: str, observed_at: datetime | None, **fields: Any) -> bytes:
    kept = {name: value for name, value in fields.items() if value is not None}
    if observed_at is not None:
        kept["observed_at"] = instant(observed_at)
    return canonical({"kind": kind, "account": account, **kept})


__all__ = [
    "SHORT_BYTES", "CallFacts", "GapFacts", "TombstoneFacts", "TranscriptFacts", "of_call", "of_gap", "of_tombstone",
    "of_transcript", "short", "text_of",
]  # fmt: skip
