"""Records against rows, call by call: no false alarm over random histories, and each kind of difference by its code."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest

from replicator.archive import contents
from replicator.archive.kinds import Kind
from replicator.archive.verification.comparison import SealedRow, TranscriptRow, Unsealed, VersionRow, compare
from replicator.archive.verification.verification import Fault

pytestmark = pytest.mark.pure

AT = datetime(2026, 11, 30, tzinfo=UTC)
CALL = UUID(int=5)
Rows = tuple[list[SealedRow], list[VersionRow], list[TranscriptRow]]


def digest(rng: random.Random) -> bytes:
    return sha256(rng.randbytes(8)).digest()


def history(rng: random.Random, *, share_late: float = 0.3) -> Rows:
    """Return what a call's life leaves: versions, some of which came late; transcripts that come and go; a tombstone. Each is
    sealed when it is stored, or later, after others.
    """
    columns = digest(rng)
    is_deleted = rng.random() < 0.3
    stone = (AT, AT - timedelta(days=1), AT - timedelta(hours=1)) if is_deleted else (None, None, None)
    late = [False, *(rng.random() < 0.3 for _ in range(rng.randrange(4)))]
    versions = [
        VersionRow(CALL, place, AT + timedelta(minutes=place), is_late, digest(rng), columns, True, *stone)
        for place, is_late in enumerate(late, 1)
    ]
    texts = [digest(rng) for _ in range(2)]
    times = [AT + timedelta(minutes=place) for place in range(rng.randrange(4))]
    transcripts = [TranscriptRow(CALL, at, at == times[-1], rng.choice(texts), None) for at in times]
    current = max(row.version or 0 for row in versions if not row.is_late)
    at_once: list[tuple[str, datetime, bytes]] = []
    later: list[tuple[str, datetime, bytes]] = []
    for row in versions:
        is_late = rng.random() < share_late
        said = contents.CallFacts(
            CALL, row.version or 0, row.observed_at, row.sha256, columns if row.version == current else None
        )
        (later if is_late else at_once).append(
            (Kind.CALL, row.observed_at, contents.of_call("a", said, is_late_seal=is_late))
        )
    for kept in transcripts:
        is_late = rng.random() < share_late
        found = contents.TranscriptFacts(CALL, kept.fetched_at, kept.sha256, None)
        (later if is_late else at_once).append(
            (Kind.TRANSCRIPT, kept.fetched_at, contents.of_transcript("a", found, is_late_seal=is_late))
        )
    if rng.random() < 0.3:
        before = contents.TombstoneFacts(CALL, "deleted", AT, AT, AT, AT)
        at_once.append((Kind.TOMBSTONE, AT, contents.of_tombstone("a", before)))
        at_once.append(
            (Kind.TOMBSTONE, AT, contents.of_tombstone("a", contents.TombstoneFacts(CALL, "reappeared", AT)))
        )
    if is_deleted:
        later.append(
            (Kind.TOMBSTONE, AT, contents.of_tombstone("a", contents.TombstoneFacts(CALL, "deleted", AT, *stone)))
        )
    sealed = [SealedRow(CALL, place, kind, content, at) for place, (kind, at, content) in enumerate(at_once + later, 1)]
    return sealed, versions, transcripts


def faults(rows: Rows) -> list[str]:
    return [one.code if isinstance(one, Fault) else f"unsealed {one.kind}" for one in compare(CALL, *rows)]


def test_an_untouched_call_has_no_fault() -> None:
    """Over a thousand random lives of a call, whatever was sealed at once or late."""
    for seed in range(1_000):
        assert faults(history(random.Random(seed))) == [], seed


def test_whatever_is_taken_away_or_changed_is_found() -> None:
    """One row of either side less, or one hash changed: never nothing, and never an error."""
    for seed in range(1_000):
        rng = random.Random(seed)
        sealed, versions, transcripts = history(rng)
        side = rng.choice(["sealed", "versions", "transcripts", "hash", "columns"])
        if side == "transcripts" and not transcripts:
            continue
        if side == "hash":
            place = rng.randrange(len(versions))
            versions[place] = versions[place]._replace(sha256=digest(rng))
        elif side == "columns":
            versions = [row._replace(columns=digest(rng)) for row in versions]
        elif side == "sealed":
            gone = sealed.pop(rng.randrange(len(sealed)))
            if gone.kind == Kind.TOMBSTONE:  # an earlier one that ended may be missing: the check of the chain says so
                continue
        else:
            chosen: list[object] = versions if side == "versions" else transcripts  # type: ignore[assignment]
            chosen.pop(rng.randrange(len(chosen)))
        assert faults((sealed, versions, transcripts)), (seed, side)


def test_what_was_erased_is_not_compared() -> None:
    """What is left of a call after an erasure is a decision of the erasure; its other kinds are compared as before."""
    for seed in range(200):
        rng = random.Random(seed)
        sealed, versions, transcripts = history(rng)
        sealed = [row._replace(content=None) if row.kind == Kind.CALL else row for row in sealed]
        versions = [row._replace(sha256=digest(rng)) for row in versions[:1]]
        assert faults((sealed, versions, transcripts)) == [], seed


def test_a_reading_anew_replaces_the_columns() -> None:
    """A newer program reads the same payload otherwise: the same version is sealed again, and the newest record counts."""
    version = VersionRow(CALL, 1, AT, False, b"h" * 32, b"n" * 32, True, None, None, None)
    said = [contents.CallFacts(CALL, 1, AT, b"h" * 32, columns) for columns in (b"o" * 32, b"n" * 32)]
    sealed = [SealedRow(CALL, place, Kind.CALL, contents.of_call("a", one), AT) for place, one in enumerate(said, 1)]
    assert faults((sealed, [version], [])) == []
    assert faults((sealed[:1], [version], [])) == ["call_changed"]


def test_what_is_stored_without_a_record_is_told_apart() -> None:
    """It may be sealed late; it is no fault of a record."""
    version = VersionRow(CALL, 1, AT, False, b"h" * 32, b"n" * 32, True, AT, AT, AT)
    found = list(compare(CALL, [], [version], [TranscriptRow(CALL, AT, True, b"t" * 32, None)]))
    assert [(one.kind, one.is_current) for one in found if isinstance(one, Unsealed)] == [
        (Kind.CALL, True), (Kind.TRANSCRIPT, True), (Kind.TOMBSTONE, False),
    ]  # fmt: skip
