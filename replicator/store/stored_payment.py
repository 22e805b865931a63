"""Writes and reads what was found in transcripts: payment data, and the notice that a call is recorded.

archive/payment/payment_watch.py decides what is found; here stand the rules' rows and the findings, without any digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store.copying import copy_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

FindingRow = tuple["UUID", str, int, int, int, int, str, str]
"""(call id, place, position, start, end, masked end, kind, rule)"""
_COLUMNS = (
    "account", "call_id", "place", "position", "start_offset", "end_offset", "masked_end_offset", "kind", "rule", "found_at",
)  # fmt: skip


def rules(connection: psycopg.Connection[Any]) -> list[tuple[str, str, str, list[str], list[int], list[str], bool]]:
    """Return (name, kind, matches, prefixes, lengths, words, is_on) of every rule for payment data."""
    return connection.execute(
        "SELECT name, kind, matches, prefixes, lengths, words, is_on FROM archive.payment_rules ORDER BY name"
    ).fetchall()


def disclosure_rules(connection: psycopg.Connection[Any]) -> list[tuple[str, str, str, int, int, bool]]:
    """Return (name, language, pattern, most_seconds, most_segments, is_on) of every rule for the notice."""
    return connection.execute(
        "SELECT name, language, pattern, most_seconds, most_segments, is_on FROM archive.disclosure_rules ORDER BY name"
    ).fetchall()


def forget(tx: psycopg.Connection[Any], ids: Sequence[UUID], places: Sequence[str]) -> None:
    """Remove what was found in texts that are replaced."""
    tx.execute(
        "DELETE FROM archive.payment_findings WHERE call_id = ANY(%b) AND place = ANY(%s)", [list(ids), list(places)]
    )


def forget_found(tx: psycopg.Connection[Any], ids: Sequence[UUID]) -> None:
    """Remove what was found in calls that are looked at again; a finding of what was masked before it was stored stays."""
    tx.execute("DELETE FROM archive.payment_findings WHERE call_id = ANY(%b) AND end_offset > 0", [list(ids)])


def forget_disclosures(tx: psycopg.Connection[Any], ids: Sequence[UUID]) -> None:
    """Remove the notices of transcripts that are replaced."""
    tx.execute("DELETE FROM archive.disclosures WHERE call_id = ANY(%b)", [list(ids)])


def add_findings(tx: psycopg.Connection[Any], account: str, rows: Iterable[FindingRow], at: datetime) -> None:
    """Store what was found; earlier findings in the same texts were removed."""
    copy_rows(tx, "archive.payment_findings", _COLUMNS, [(account, *row, at) for row in rows])


def add_disclosures(tx: psycopg.Connection[Any], account: str, rows: Iterable[tuple[UUID, int, str]]) -> None:
    """Store where the notice was found: (call id, position, rule)."""
    copy_rows(
        tx,
        "archive.disclosures",
        ("call_id", "account", "position", "rule"),
        [(call_id, account, position, rule) for call_id, position, rule in rows],
    )


def contexts(tx: psycopg.Connection[Any], ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
    """Return the contexts of calls as the database writes them, which is as the views show them."""
    return tx.execute(
        "SELECT id, context::text FROM truedy.calls WHERE id = ANY(%b) AND context IS NOT NULL", [list(ids)]
    ).fetchall()


def scan(connection: psycopg.Connection[Any], account: str) -> tuple[str, UUID | None, int, datetime | None] | None:
    """Return (hash of the rules, last call looked at, calls so far, when it was finished) of the account's last scan."""
    return connection.execute(
        "SELECT rules_sha256, after_call_id, calls, finished_at FROM archive.payment_scans WHERE account = %s",
        [account],
    ).fetchone()


def save_scan(
    tx: psycopg.Connection[Any], account: str, rules_sha256: str, after: UUID | None, calls: int, at: datetime | None
) -> None:
    """Store how far a scan is; `at` is when it was finished."""
    tx.execute(
        "INSERT INTO archive.payment_scans (account, rules_sha256, after_call_id, calls, finished_at) VALUES (%s, %s, %s, %s, %s) "
        "ON CONFLICT (account) DO UPDATE SET rules_sha256 = excluded.rules_sha256, after_call_id = excluded.after_call_id, "
        "calls = excluded.calls, finished_at = excluded.finished_at",
        [account, rules_sha256, after, calls, at],
    )


def note_unwatched(tx: psycopg.Connection[Any], account: str) -> None:
    """Record that texts may be stored without being looked at: the next scan begins anew."""
    tx.execute("DELETE FROM archive.payment_scans WHERE account = %s", [account])


def some_calls(
    tx: psycopg.Connection[Any], account: str, after: UUID | None, limit: int
) -> list[tuple[UUID, str | None, str | None, str | None]]:
    """Return (id, summary, context, summary of the transcript) of the next calls in the order of their ids. Until the
    transaction ends, no sync of the account commits: each locks the same row (lease.hold).
    """
    tx.execute("SELECT 1 FROM replicator.lease WHERE account = %s FOR UPDATE", [account])
    return tx.execute(
        "SELECT c.id, c.summary, c.context::text, t.summary FROM truedy.calls c LEFT JOIN truedy.transcripts t ON t.call_id = c.id "
        "WHERE c.account = %s AND (%s::uuid IS NULL OR c.id > %s) ORDER BY c.id LIMIT %s",
        [account, after, after, limit],
    ).fetchall()


def segments(tx: psycopg.Connection[Any], ids: Sequence[UUID]) -> list[tuple[UUID, int, str, str, Any]]:
    """Return (call id, position, speaker, text, start) of all segments of these calls, in order."""
    return tx.execute(
        "SELECT call_id, position, speaker, text, start_seconds FROM truedy.transcript_segments WHERE call_id = ANY(%b) "
        "ORDER BY call_id, position",
        [list(ids)],
    ).fetchall()


__all__ = [
    "FindingRow", "add_disclosures", "add_findings", "contexts", "disclosure_rules", "forget", "forget_disclosures",
    "forget_found",
    "note_unwatched", "rules", "save_scan", "scan", "segments", "some_calls",
]  # fmt: skip
