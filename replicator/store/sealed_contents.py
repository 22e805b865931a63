"""Reads from truedy.* what the archive seals: versions of calls, transcripts and tombstones, with the hashes of what is
stored.

The hashes are computed by the database, over the text of what it has stored, after it was stored. So nothing is sent to
it twice, and a record says what is there, not what was meant to be there. The expressions are in one place, because
verification has to compute the same.

The queries here return their rows as they come. So a caller can ask in a pipeline and do something else until they are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replicator.store.copying import uuid_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    import psycopg

INSTANT = "coalesce(to_char(%s AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '')"
HASH_OF_CALL = (
    "sha256(convert_to(v.raw::text || E'\\n' || "
    + INSTANT % "v.updated_at"
    + " || E'\\n' || "
    + INSTANT % "v.observed_at"
    + " || E'\\n' || CASE WHEN v.is_late THEN 'late' ELSE '' END, 'UTF8'))"
)
"""The payload of a version v in truedy.call_versions, with its instants and whether it came late."""
COLUMNS_OF_CALL = (
    "sha256(convert_to((c.account, c.agent_id, c.phone_number, c.from_number, c.direction, c.status, c.started_at, "
    "c.ended_at, c.duration_seconds, trim_scale(c.cost_usd), c.summary, c.context, c.created_at, c.reading_version)::text, "
    "'UTF8'))"
)
"""What was read from the payload, in the columns of a call c. Without `updated_at` and `recording_url`, which our own
requests change while the content is the same.
"""
SEGMENTS = (
    "(SELECT string_agg(coalesce(s.raw, jsonb_build_object('speaker', s.speaker, 'text', s.text, 'timestamp', "
    "s.start_seconds))::text, E'\\n' ORDER BY s.position) AS content, "
    "string_agg(CASE WHEN s.raw IS NOT NULL OR s.end_seconds IS NOT NULL THEN (s.position, s.speaker, s.text, "
    "s.start_seconds, s.end_seconds)::text END, E'\\n' ORDER BY s.position) AS columns "
    "FROM truedy.transcript_segments s WHERE s.call_id = t.call_id)"
)
"""The JSON of the segments of the current transcript t, one a line; and the columns of those segments whose JSON does not
say all of them.
"""
HASH_OF_TRANSCRIPT = "sha256(convert_to((t.summary, g.content)::text, 'UTF8'))"
COLUMNS_OF_TRANSCRIPT = "sha256(convert_to(g.columns, 'UTF8'))"
SEGMENTS_OF_VERSION = (
    "(SELECT string_agg(e.value::text, E'\\n' ORDER BY e.ordinality) AS content "
    "FROM jsonb_array_elements(t.segments) WITH ORDINALITY e)"
)
"""The same of an earlier transcript t in truedy.transcript_versions."""


CURRENT = 0
"""Stands for the version of the present content: the newest that did not come late."""


def calls(tx: psycopg.Connection[Any], wanted: Sequence[tuple[UUID, int, bool]]) -> Iterable[tuple[Any, ...]]:
    """Return (call id, version, observed_at, hash, hash of the columns or None, by which reading or None) of versions, once.
    Each wanted one is (call id, version, whether it is the current one).
    """
    ids, versions, are_current = zip(*wanted, strict=True)
    return tx.execute(
        f"SELECT v.call_id, v.version, v.observed_at, {HASH_OF_CALL}, "
        f"CASE WHEN c.id IS NOT NULL THEN {COLUMNS_OF_CALL} END, c.reading_version "
        "FROM unnest(%s::uuid[], %b::integer[], %b::boolean[]) w (call_id, version, is_current) "
        "JOIN truedy.call_versions v ON v.call_id = w.call_id AND v.version = CASE w.version WHEN 0 THEN (SELECT max(n.version) "
        "FROM truedy.call_versions n WHERE n.call_id = w.call_id AND NOT n.is_late) ELSE w.version END "
        "LEFT JOIN truedy.calls c ON w.is_current AND c.id = w.call_id",
        [uuid_array(ids), list(versions), list(are_current)],
    )


def transcripts(tx: psycopg.Connection[Any], call_ids: Sequence[UUID]) -> Iterable[tuple[Any, ...]]:
    """Return (call id, fetched_at, hash of the content, hash of the columns or None) of these calls' transcripts, once."""
    return tx.execute(
        f"SELECT t.call_id, t.fetched_at, {HASH_OF_TRANSCRIPT}, {COLUMNS_OF_TRANSCRIPT} "
        f"FROM truedy.transcripts t CROSS JOIN LATERAL {SEGMENTS} g WHERE t.call_id = ANY(%s::uuid[])",
        [uuid_array(call_ids)],
    )


def tombstones(tx: psycopg.Connection[Any], absence_ids: Sequence[int]) -> Iterable[tuple[Any, ...]]:
    """Return (call id, deleted_at, last_seen_at, first_missing_at) of the tombstones that these absences set, once."""
    return tx.execute(
        "SELECT c.id, c.deleted_at, c.last_seen_at, c.first_missing_at FROM replicator.absences a "
        "JOIN truedy.calls c ON c.id = a.call_id WHERE a.id = ANY(%b) AND a.state = 'deleted' "
        "AND a.ended_at IS NULL AND c.deleted_at = a.confirmed_at",
        [list(absence_ids)],
    )


__all__ = ["calls", "tombstones", "transcripts"]
