"""Reads from the archive what an export produces: the chosen records, their blocks, leaves, payloads and heads.

All of it is read in one snapshot, by cursors, so memory does not grow with the number of calls. archive/production/exporting.py
puts it together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from replicator.store.sealed_contents import (
    HASH_OF_CALL,
    HASH_OF_TRANSCRIPT,
    INSTANT,
    SEGMENTS,
    SEGMENTS_OF_VERSION,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from uuid import UUID

    import psycopg

FETCHED = 500
"""Rows in memory at once."""
MOST_LEAVES = 100_000


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One version of a call: its payload's text, the hash that is sealed, and updated_at, observed_at and `late`."""

    raw: str
    digest: bytes
    stamps: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class StoredTranscript:
    """One transcript: its summary, the JSON of each segment on a line (None: no segment), the hash that is sealed."""

    summary: str | None
    segments: str | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which calls. Ids and numbers (digits only) add up; the days of `created_at` in the reporting time zone (both
    included) and the hold's calls narrow. With nothing given it is every call.
    """

    account: str
    call_ids: tuple[UUID, ...] | None = None
    numbers: tuple[str, ...] | None = None
    since: date | None = None
    until: date | None = None
    hold_ids: tuple[UUID, ...] | None = None

    def parameters(self) -> dict[str, Any]:
        return {
            "account": self.account,
            "ids": None if self.call_ids is None else list(self.call_ids),
            "numbers": None if self.numbers is None else list(self.numbers),
            "since": self.since,
            "until": self.until,
            "hold": None if self.hold_ids is None else list(self.hold_ids),
        }


# A number that a call had in an earlier version counts, too.
CHOSEN: Final = """
WITH chosen AS MATERIALIZED (
    SELECT c.id FROM truedy.calls c
    WHERE c.account = %(account)s
        AND (%(ids)b::uuid[] IS NULL AND %(numbers)b::text[] IS NULL
            OR c.id = ANY(%(ids)b::uuid[])
            OR regexp_replace(c.phone_number, '[^0-9]', '', 'g') = ANY(%(numbers)b::text[])
            OR regexp_replace(c.from_number, '[^0-9]', '', 'g') = ANY(%(numbers)b::text[])
            OR %(numbers)b::text[] IS NOT NULL AND EXISTS (
                SELECT FROM truedy.call_versions v WHERE v.call_id = c.id AND (
                    regexp_replace(v.raw ->> 'phone_number', '[^0-9]', '', 'g') = ANY(%(numbers)b::text[])
                    OR regexp_replace(v.raw ->> 'from_number', '[^0-9]', '', 'g') = ANY(%(numbers)b::text[]))))
        AND (%(since)b::date IS NULL OR c.created_at >= %(since)b::date::timestamp
            AT TIME ZONE (SELECT time_zone FROM replicator.reporting))
        AND (%(until)b::date IS NULL OR c.created_at < (%(until)b::date + 1)::timestamp
            AT TIME ZONE (SELECT time_zone FROM replicator.reporting))
        AND (%(hold)b::uuid[] IS NULL OR c.id = ANY(%(hold)b::uuid[]))
), own AS MATERIALIZED (
    SELECT r.sequence, r.block, r.bytes IS NULL AS is_erased FROM archive.records r
    WHERE r.account = %(account)s AND r.subject IN (SELECT id FROM chosen)
), wanted AS MATERIALIZED (
    SELECT sequence, block FROM own
    UNION
    -- The erasures and disposals that took the content of one of them away.
    SELECT r.sequence, r.block FROM archive.records r
    WHERE r.account = %(account)s AND r.kind IN ('erasure', 'disposal') AND r.bytes IS NOT NULL AND EXISTS (
        SELECT FROM jsonb_array_elements_text(convert_from(r.bytes, 'UTF8')::jsonb -> 'records') n (sequence)
        JOIN own o ON o.sequence = n.sequence::bigint AND o.is_erased)
)
"""
RECORDS: Final = """
SELECT r.sequence, r.kind, r.subject, r.salt, r.bytes, r.commitment, r.block
FROM wanted w JOIN archive.records r ON r.account = %(account)s AND r.sequence = w.sequence ORDER BY r.sequence
"""


def bounds(tx: psycopg.Connection[Any], chosen: Chosen) -> tuple[int, int, int | None] | None:
    """Return (first block, last block, the block of the nearest head written outside, or None); None for no record."""
    row = tx.execute(f"{CHOSEN} SELECT min(block), max(block) FROM wanted", chosen.parameters()).fetchone()
    if row is None or row[0] is None:
        return None
    head = tx.execute(
        "SELECT min(block) FROM archive.heads WHERE account = %s AND block >= %s", [chosen.account, row[1]]
    ).fetchone()
    return row[0], row[1], head[0] if head else None


def chosen_calls(tx: psycopg.Connection[Any], chosen: Chosen) -> int:
    """Return how many calls are chosen, with or without a record."""
    row = tx.execute(f"{CHOSEN} SELECT count(*) FROM chosen", chosen.parameters()).fetchone()
    return 0 if row is None else int(row[0])


def newest_with_recording(connection: psycopg.Connection[Any], account: str, limit: int) -> list[UUID]:
    """Return the newest calls that have a sealed recording."""
    rows = connection.execute(
        "SELECT c.id FROM truedy.calls c WHERE c.account = %s AND c.id IN (SELECT r.subject FROM archive.records r "
        "WHERE r.account = %s AND r.kind = 'recording') ORDER BY c.created_at DESC LIMIT %s",
        [account, account, limit],
    )
    return [row[0] for row in rows]


def unknown_calls(tx: psycopg.Connection[Any], account: str, call_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of these calls of which the archive has no record."""
    rows = tx.execute(
        "SELECT w.id FROM unnest(%b::uuid[]) w (id) WHERE NOT EXISTS (SELECT FROM archive.records r "
        "WHERE r.account = %s AND r.subject = w.id) ORDER BY 1",
        [list(call_ids), account],
    )
    return [row[0] for row in rows]


def records(tx: psycopg.Connection[Any], chosen: Chosen) -> Iterator[tuple[Any, ...]]:
    """Yield (sequence, kind, subject, salt, bytes, commitment, block) of the chosen records, in their order."""
    tx.execute(f"DECLARE produced_records NO SCROLL CURSOR FOR {CHOSEN} {RECORDS}", chosen.parameters())
    yield from _fetched(tx, "FETCH 500 FROM produced_records")


def of_block(tx: psycopg.Connection[Any], account: str, block: int) -> list[tuple[Any, ...]]:
    """Return the records of a small block, as `records` yields them."""
    return tx.execute(
        "SELECT r.sequence, r.kind, r.subject, r.salt, r.bytes, r.commitment, r.block FROM archive.records r "
        "JOIN archive.blocks b ON b.account = r.account AND r.sequence BETWEEN b.first_sequence AND b.last_sequence "
        "WHERE b.account = %s AND b.block = %s ORDER BY r.sequence",
        [account, block],
    ).fetchall()


def blocks(tx: psycopg.Connection[Any], account: str, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    """Yield (block, first sequence, last sequence, root, previous, sealed_at, hash) of blocks, in their order."""
    tx.execute(
        "DECLARE produced_blocks NO SCROLL CURSOR FOR SELECT block, first_sequence, last_sequence, root, previous, "
        "sealed_at, hash FROM archive.blocks WHERE account = %s AND block BETWEEN %s AND %s ORDER BY block",
        [account, first, last],
    )
    yield from _fetched(tx, "FETCH 500 FROM produced_blocks")


def leaves(tx: psycopg.Connection[Any], account: str, first: int, last: int) -> Iterator[tuple[int, str, bytes]]:
    """Yield (sequence, kind, commitment) of the records of one block."""
    for start in range(first, last + 1, MOST_LEAVES):
        yield from tx.execute(
            "SELECT sequence, kind, commitment FROM archive.records WHERE account = %s AND sequence BETWEEN %s AND %s "
            "ORDER BY sequence",
            [account, start, min(start + MOST_LEAVES - 1, last)],
        ).fetchall()


def call_payloads(
    tx: psycopg.Connection[Any], versions: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], StoredCall]:
    """Return versions of calls, as they are stored."""
    ids, numbers = [call_id for call_id, _ in versions], [version for _, version in versions]
    rows = tx.execute(
        f"SELECT v.call_id, v.version, v.raw::text, {HASH_OF_CALL}, {INSTANT % 'v.updated_at'}, "
        f"{INSTANT % 'v.observed_at'}, CASE WHEN v.is_late THEN 'late' ELSE '' END "
        "FROM unnest(%b::uuid[], %b::integer[]) w (call_id, version) JOIN truedy.call_versions v USING (call_id, version)",
        [ids, numbers],
    )
    return {(row[0], row[1]): StoredCall(row[2], row[3], (row[4], row[5], row[6])) for row in rows}


def transcript_payloads(tx: psycopg.Connection[Any], call_ids: Sequence[UUID]) -> dict[UUID, list[StoredTranscript]]:
    """Return all transcripts of calls, the current one of each call first."""
    found: dict[UUID, list[StoredTranscript]] = {}
    for table, segments in (("transcripts", SEGMENTS), ("transcript_versions", SEGMENTS_OF_VERSION)):
        rows = tx.execute(
            f"SELECT t.call_id, t.summary, g.content, {HASH_OF_TRANSCRIPT} FROM truedy.{table} t "
            f"CROSS JOIN LATERAL {segments} g WHERE t.call_id = ANY(%b) AND t.fetched_at IS NOT NULL ORDER BY t.fetched_at",
            [list(call_ids)],
        )
        for call_id, summary, content, digest in rows:
            found.setdefault(call_id, []).append(StoredTranscript(summary, content, digest))
    return found


def heads(tx: psycopg.Connection[Any], account: str, first: int, last: int) -> list[tuple[int, str, bytes | None]]:
    """Return (block, signed head, time stamp or None) of these blocks' heads, one for each block."""
    return tx.execute(
        "SELECT DISTINCT ON (block) block, head, token FROM archive.heads WHERE account = %s AND block BETWEEN %s AND %s "
        "ORDER BY block, token IS NULL, written_at, place",
        [account, first, last],
    ).fetchall()


def gaps(tx: psycopg.Connection[Any], account: str, limit: int) -> list[str]:
    """Return the sealed contents of the account's newest coverage gaps."""
    rows = tx.execute(
        "SELECT convert_from(bytes, 'UTF8') FROM archive.records WHERE account = %s AND kind = 'gap' AND bytes IS NOT NULL "
        "ORDER BY sequence DESC LIMIT %s",
        [account, limit],
    )
    return [row[0] for row in rows]


def _fetched(tx: psycopg.Connection[Any], fetch: str) -> Iterator[tuple[Any, ...]]:
    while rows := tx.execute(fetch).fetchall():
        yield from rows


__all__ = [
    "Chosen", "StoredCall", "StoredTranscript", "blocks", "bounds", "call_payloads", "chosen_calls", "gaps", "heads", "leaves", "newest_with_recording", "of_block", "records",
    "transcript_payloads", "unknown_calls",
]  # fmt: skip
