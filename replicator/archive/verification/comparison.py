"""Compares the records of a call with what is stored of it: each version has its record, and each record its version. Pure.

Records up to the last one that was erased are not compared: what may be left of these is a decision of the erasure. It seals
the reduced versions anew, and from there on everything is compared again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from replicator.archive.chain import instant
from replicator.archive.contents import short, text_of
from replicator.archive.kinds import Kind
from replicator.archive.verification.verification import Fault
from replicator.records import READING_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID


class SealedRow(NamedTuple):
    """A record about a call, by its column values. `content` is None after an erasure."""

    call_id: UUID
    sequence: int
    kind: str
    content: bytes | None
    observed_at: datetime


class VersionRow(NamedTuple):
    """A version in truedy.call_versions, with its call. `version` is None where a call has no version at all.

    `columns` is the hash of the call's present columns, read by version `reading` of our reading; `is_as_call` says whether
    the call's payload is this version's.
    """

    call_id: UUID
    version: int | None
    observed_at: datetime
    is_late: bool
    sha256: bytes
    columns: bytes
    is_as_call: bool
    deleted_at: datetime | None
    last_seen_at: datetime | None
    first_missing_at: datetime | None
    reading: int = READING_VERSION


class TranscriptRow(NamedTuple):
    """A transcript, the current one or an earlier one, oldest first."""

    call_id: UUID
    fetched_at: datetime
    is_current: bool
    sha256: bytes
    columns: bytes | None


class Unsealed(NamedTuple):
    """What is stored and has no record. A tombstone with a row of a call that is not deleted: the call reappeared, with
    this version.
    """

    kind: Kind
    row: VersionRow | TranscriptRow
    is_current: bool = False


class _Said(msgspec.Struct):
    """What the contents of the compared kinds say."""

    version: int = 0
    sha256: str = ""
    columns: str | None = None
    reading: int | None = None
    state: str = ""
    deleted_at: str | None = None
    last_seen_at: str | None = None
    first_missing_at: str | None = None


_decode = msgspec.json.Decoder(_Said).decode


def compare(
    call_id: UUID, sealed: Sequence[SealedRow], versions: Sequence[VersionRow], transcripts: Sequence[TranscriptRow]
) -> Iterator[Fault | Unsealed]:
    """Yield what does not fit. `sealed` is by sequence, `versions` by version, `transcripts` by time, the current last."""
    by_kind: dict[str, list[tuple[SealedRow, _Said]]] = {}
    erased = {row.kind: row.sequence for row in sealed if row.content is None}
    unread: set[str] = set()
    for row in sealed:
        if row.content is None or row.sequence < erased.get(row.kind, 0):
            continue
        try:
            by_kind.setdefault(row.kind, []).append((row, _decode(row.content)))
        except msgspec.MsgspecError:
            unread.add(row.kind)  # the check of the chain says so
    skipped = unread | (erased.keys() - by_kind.keys())
    if Kind.CALL not in skipped:
        yield from _calls(call_id, by_kind.get(Kind.CALL, []), versions)
    if Kind.TRANSCRIPT not in skipped:
        yield from _transcripts(call_id, by_kind.get(Kind.TRANSCRIPT, []), transcripts)
    if Kind.TOMBSTONE not in unread:
        yield from _tombstone(call_id, by_kind.get(Kind.TOMBSTONE, []), versions)


def _calls(
    call_id: UUID, sealed: Iterable[tuple[SealedRow, _Said]], versions: Sequence[VersionRow]
) -> Iterator[Fault | Unsealed]:
    stored = {row.version: row for row in versions if row.version is not None}
    current = max((row.version or 0 for row in stored.values() if not row.is_late), default=0)
    newest: dict[int, tuple[SealedRow, _Said]] = {}
    for row, said in sealed:
        newest[said.version] = (row, said)
        kept = stored.get(said.version)
        if kept is None:
            yield Fault(
                row.sequence, "version_missing", f"version {said.version} of call {call_id} is not stored any more"
            )
        elif text_of(kept.sha256) != said.sha256 or kept.observed_at != row.observed_at:
            yield Fault(
                row.sequence, "version_changed", f"version {said.version} of call {call_id} is not what was sealed"
            )
    for version, kept in stored.items():
        if version not in newest:
            yield Unsealed(Kind.CALL, kept, version == current)
    if current in newest:
        row, said = newest[current]
        if said.columns is None or said.columns == short(stored[current].columns):
            pass
        elif said.reading is not None and said.reading < stored[current].reading <= READING_VERSION:
            # Read anew by a newer program while the archive was off: the payload is the sealed one.
            yield Unsealed(Kind.CALL, stored[current], is_current=True)
        else:
            yield Fault(row.sequence, "call_changed", f"the columns of call {call_id} are not what was sealed")
        if not stored[current].is_as_call:
            yield Fault(
                row.sequence, "call_payload", f"the payload of call {call_id} is not that of its version {current}"
            )
    elif versions and not stored:
        yield Fault(None, "call_without_version", f"call {call_id} is stored without any version")


def _transcripts(
    call_id: UUID, sealed: Sequence[tuple[SealedRow, _Said]], stored: Sequence[TranscriptRow]
) -> Iterator[Fault | Unsealed]:
    left = Counter(text_of(row.sha256) for row in stored)
    for row, said in sealed:
        left[said.sha256] -= 1
        if left[said.sha256] < 0:
            yield Fault(
                row.sequence, "transcript_changed", f"a transcript of call {call_id} is not stored as it was sealed"
            )
    for kept in stored:
        key = text_of(kept.sha256)
        if left[key] > 0:
            left[key] -= 1
            yield Unsealed(Kind.TRANSCRIPT, kept, kept.is_current)
        elif kept.is_current and sealed:
            row, said = max(sealed, key=lambda one: (one[0].observed_at, one[0].sequence))
            if said.sha256 != key:
                yield Fault(
                    row.sequence, "transcript_order", f"the newest transcript of call {call_id} is not the present one"
                )
            elif said.columns != short(kept.columns):
                yield Fault(
                    row.sequence, "transcript_columns", f"the segments of call {call_id} are not what was sealed"
                )


def _tombstone(
    call_id: UUID, sealed: Sequence[tuple[SealedRow, _Said]], versions: Sequence[VersionRow]
) -> Iterator[Fault | Unsealed]:
    row, said = sealed[-1] if sealed else (None, None)
    if not versions:
        if row is not None:
            yield Fault(row.sequence, "call_missing", f"call {call_id} is not stored any more")
        return
    call = versions[-1]
    back = _reappeared(row, said, versions)
    if call.deleted_at is None:
        if back is not None:
            yield Unsealed(Kind.TOMBSTONE, back)
        elif row is not None and said is not None and said.state == "deleted":
            yield Fault(row.sequence, "tombstone_missing", f"the tombstone of call {call_id} is not stored any more")
        return
    if row is None or said is None or said.state != "deleted":
        yield Unsealed(Kind.TOMBSTONE, call)
        return
    kept: tuple[Any, ...] = (instant(call.deleted_at), instant(call.last_seen_at), instant(call.first_missing_at))
    if kept == (said.deleted_at, said.last_seen_at, said.first_missing_at):
        return
    if back is not None:  # and deleted once more
        yield Unsealed(Kind.TOMBSTONE, call)
    else:
        yield Fault(row.sequence, "tombstone_changed", f"the tombstone of call {call_id} is not what was sealed")


def _reappeared(row: SealedRow | None, said: _Said | None, versions: Sequence[VersionRow]) -> VersionRow | None:
    """Return the version with which a call came back after its sealed tombstone, while the archive was off: a call that is
    seen again always becomes a new version. None where it has none since.
    """
    if row is None or said is None or said.state != "deleted":
        return None
    return next(
        (one for one in versions if one.version is not None and not one.is_late and one.observed_at > row.observed_at),
        None,
    )


__all__ = ["SealedRow", "TranscriptRow", "Unsealed", "VersionRow", "compare"]
