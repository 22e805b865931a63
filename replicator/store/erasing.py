"""Takes the content of one call out of every table. archive/governance/erasure.py says which call, and in which transaction.

The rows of the call and of its versions stay in their reduced form, so that counts, durations and costs of every period
stay. Its transcript and its recording are `denied` with the reason `erased`: so they are never asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import psycopg

CONTENT = ("call", "transcript", "recording")
"""The kinds of sealed records that hold what was observed of a call."""

_DETAIL = "state = 'denied', due_at = NULL, deadline_at = NULL, waits_last = false, has_escapes = false, raw = NULL, last_error = 'erased'"

_FILES = (
    "SELECT coalesce(o.place, left(f.hash, 2) || '/' || substr(f.hash, 3, 2) || '/' || f.hash), f.hash, "
    "EXISTS (SELECT FROM archive.objects x WHERE x.sha256 = f.hash AND x.id <> o.id AND x.state = 'stored') "
    "OR EXISTS (SELECT FROM archive.objects y WHERE y.putting_sha256 = f.hash AND y.id <> o.id), o.state <> 'stored' "
    "FROM archive.objects o CROSS JOIN LATERAL (SELECT CASE o.state WHEN 'stored' THEN o.sha256 ELSE o.putting_sha256 END) f (hash) "
    "WHERE o.account = %s AND o.call_id = %s AND f.hash IS NOT NULL FOR UPDATE OF o"
)


class Reduced(NamedTuple):
    """The reduced form of a payload: its JSON text, its fingerprint, and the part of the context that stays."""

    raw: str
    fingerprint: bytes
    context: str | None


@dataclass(frozen=True, slots=True)
class File:
    """A file of a call; `is_shared` where another call has the same audio."""

    place: str
    sha256: str
    is_shared: bool
    is_putting: bool = False
    """A run was about to put it into the store, and may have done it."""


def payloads(tx: psycopg.Connection[Any], account: str, call_id: UUID) -> tuple[str, dict[int, str]] | None:
    """Lock a call; return the text of its payload, and those of its versions. None where the account has no such call."""
    row = tx.execute(
        "SELECT raw::text FROM truedy.calls WHERE account = %s AND id = %s FOR UPDATE", [account, call_id]
    ).fetchone()
    if row is None:
        return None
    versions = tx.execute("SELECT version, raw::text FROM truedy.call_versions WHERE call_id = %s", [call_id])
    return row[0], dict(versions.fetchall())


def versions_of(tx: psycopg.Connection[Any], call_id: UUID) -> list[tuple[int, bool]]:
    """Return (version, whether it came late) of a call's versions."""
    return tx.execute(
        "SELECT version, is_late FROM truedy.call_versions WHERE call_id = %s ORDER BY version", [call_id]
    ).fetchall()


def reduce_call(tx: psycopg.Connection[Any], call_id: UUID, current: Reduced, versions: Mapping[int, Reduced]) -> None:
    """Write the reduced forms of a call and of its versions, and empty its columns."""
    tx.execute(
        "UPDATE truedy.calls SET phone_number = NULL, from_number = NULL, summary = NULL, recording_url = NULL, "
        "context = %s::jsonb, raw = %s::jsonb, fingerprint = %b, problems = '{}', has_escapes = false WHERE id = %s",
        [current.context, current.raw, current.fingerprint, call_id],
    )
    tx.cursor().executemany(
        "UPDATE truedy.call_versions SET raw = %s::jsonb, fingerprint = %b WHERE call_id = %s AND version = %s",
        [(one.raw, one.fingerprint, call_id, version) for version, one in versions.items()],
    )


def remove_details(tx: psycopg.Connection[Any], call_id: UUID) -> tuple[int, int]:
    """Remove a call's transcript with its history, and its links; return (segments, transcripts of the history)."""
    segments = tx.execute("DELETE FROM truedy.transcript_segments WHERE call_id = %s", [call_id]).rowcount
    history = tx.execute("DELETE FROM truedy.transcript_versions WHERE call_id = %s", [call_id]).rowcount
    tx.execute(
        "UPDATE truedy.transcripts SET summary = NULL, segment_count = NULL, fingerprint = NULL, problems = '{}', "
        + _DETAIL
        + " WHERE call_id = %s",
        [call_id],
    )
    tx.execute(
        "UPDATE truedy.recordings SET recording_url = NULL, url_expires_at = NULL, " + _DETAIL + " WHERE call_id = %s",
        [call_id],
    )
    return segments, history


def remove_quarantined(tx: psycopg.Connection[Any], rows: Sequence[tuple[int, bytes, bytes]]) -> None:
    """Write the reduced bytes and their SHA-256 over rows in quarantine: (id, bytes, SHA-256). A field is resolved."""
    for row_id, raw, digest in rows:
        tx.execute(
            "UPDATE replicator.quarantine SET raw = %b, raw_sha256 = %b, "
            "resolved_at = CASE WHEN kind = 'field' THEN coalesce(resolved_at, last_seen_at) ELSE resolved_at END WHERE id = %s",
            [raw, digest, row_id],
        )


def quarantined_of(tx: psycopg.Connection[Any], account: str, call_id: UUID) -> list[tuple[int, str | None, bytes]]:
    """Return (id, field, bytes) of what of a call could not be read."""
    return tx.execute(
        "SELECT id, field, raw FROM replicator.quarantine WHERE account = %s AND call_id = %s AND kind <> 'never_shown'",
        [account, call_id],
    ).fetchall()


def sealed_of(
    connection: psycopg.Connection[Any], account: str, ids: Sequence[UUID]
) -> tuple[dict[UUID, list[int]], int]:
    """Return the sequences of the records with content of these calls, and the newest sequence that was looked at.

    There is no index by call: all calls of an erasure are looked up at once.
    """
    newest = connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM archive.records WHERE account = %s", [account]
    ).fetchone()
    last = int(newest[0]) if newest else 0
    found: dict[UUID, list[int]] = {}
    for subject, sequence in connection.execute(
        "SELECT subject, sequence FROM archive.records WHERE account = %s AND sequence <= %s AND subject = ANY(%s) "
        "AND kind = ANY(%s) AND bytes IS NOT NULL ORDER BY sequence",
        [account, last, list(ids), list(CONTENT)],
    ):
        found.setdefault(subject, []).append(sequence)
    return found, last


def sealed_since(tx: psycopg.Connection[Any], account: str, call_id: UUID, after: int) -> list[int]:
    """Return the sequences of a call's records with content that were sealed after that one."""
    rows = tx.execute(
        "SELECT sequence FROM archive.records WHERE account = %s AND sequence > %s AND subject = %s AND kind = ANY(%s) "
        "AND bytes IS NOT NULL ORDER BY sequence",
        [account, after, call_id, list(CONTENT)],
    )
    return [row[0] for row in rows]


def unseal(tx: psycopg.Connection[Any], account: str, sequences: Sequence[int]) -> list[int]:
    """Take salt and bytes of records away; return those that had them."""
    rows = tx.execute(
        "UPDATE archive.records SET salt = NULL, bytes = NULL WHERE account = %s AND sequence = ANY(%s) AND bytes IS NOT NULL "
        "RETURNING sequence",
        [account, list(sequences)],
    )
    return sorted(row[0] for row in rows)


def remove_object(tx: psycopg.Connection[Any], account: str, call_id: UUID, state: str) -> list[File]:
    """Mark a call's files erased or disposed of, out of the queue too; return those that are stored, or were about to be.

    All rows of the same files are locked first, so that no other call gets one of them (archived.intend), or loses it, before
    this transaction ends. Whether a file is shared is asked after that, by a statement of its own: it sees what others
    committed meanwhile.
    """
    tx.execute(
        'SELECT 1 FROM archive.objects x WHERE x.sha256 COLLATE "C" IN (SELECT o.sha256 FROM archive.objects o WHERE o.account = %s '
        "AND o.call_id = %s AND o.state = 'stored') ORDER BY x.id FOR UPDATE",
        [account, call_id],
    )
    files = tx.execute(_FILES, [account, call_id]).fetchall()
    tx.execute(
        "UPDATE archive.objects SET state = %s, sha256 = NULL, bytes = NULL, media_type = NULL, place = NULL, next_try_at = NULL, "
        "claim = NULL, claimed_until = NULL, putting_sha256 = NULL, putting_bytes = NULL, putting_media_type = NULL, "
        "retain_until = NULL WHERE account = %s AND call_id = %s",
        [state, account, call_id],
    )
    return [File(*row) for row in files]


def remove_parties(tx: psycopg.Connection[Any], account: str) -> int:
    """Remove the pseudonyms of numbers that no call has any more; return how many."""
    return tx.execute(
        "DELETE FROM replicator.parties p WHERE p.account = %(account)s AND NOT EXISTS (SELECT FROM truedy.calls c "
        "WHERE c.account = %(account)s AND c.phone_number = p.number) AND NOT EXISTS (SELECT FROM truedy.calls c "
        "WHERE c.account = %(account)s AND c.from_number = p.number)",
        {"account": account},
    ).rowcount
