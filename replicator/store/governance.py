"""Reads and writes holds, retention classes, erasures and suppressions. archive/governance/plan.py decides by what is read here.

A call that is erased already is recognised by its payload (archive/governance/suppression.py); it is never a candidate again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

BATCH = 5000
TEXTS_AT_ONCE = 500
ROWS_AT_ONCE = 100

_WHOLE = (
    "(NOT c.raw ? '_erased' OR EXISTS (SELECT FROM truedy.call_versions v WHERE v.call_id = c.id AND NOT v.raw ? '_erased') "
    "OR EXISTS (SELECT FROM truedy.transcript_segments s WHERE s.call_id = c.id) "
    "OR EXISTS (SELECT FROM truedy.transcript_versions h WHERE h.call_id = c.id) "
    "OR EXISTS (SELECT FROM truedy.transcripts t WHERE t.call_id = c.id AND coalesce(t.summary, t.raw::text) IS NOT NULL) "
    "OR EXISTS (SELECT FROM archive.objects o WHERE o.account = c.account AND o.call_id = c.id AND o.state IN ('stored', 'pending')))"
)
"""Whether something of a call is left to erase. The mark alone is no proof: it says something about the call's row only."""
_CANDIDATES = (
    "SELECT c.id, c.created_at, coalesce(c.ended_at, c.created_at, c.first_seen_at), c.direction, c.agent_id, "
    "CASE WHEN jsonb_typeof(c.context #> r.campaign_path) IN ('string', 'number') THEN left(c.context #>> r.campaign_path, 200) END, "
    "c.phone_number, c.from_number, c.deleted_at IS NOT NULL FROM truedy.calls c CROSS JOIN replicator.reporting r "
    "WHERE c.account = %(account)s AND " + _WHOLE
)
_OF_NUMBERS = (
    "SELECT id FROM truedy.calls WHERE account = %(account)s AND NOT raw ? '_erased' AND ("
    "regexp_replace(regexp_replace(phone_number, '[@;].*$', ''), '[^0-9]', '', 'g') = ANY(%(digits)s) "
    "OR regexp_replace(regexp_replace(from_number, '[@;].*$', ''), '[^0-9]', '', 'g') = ANY(%(digits)s) "
    "OR lower(trim(phone_number)) = ANY(%(addresses)s) OR lower(trim(from_number)) = ANY(%(addresses)s))"
)
_TEXTS = (
    "SELECT c.id, concat_ws(E'\\n', c.raw::text, (SELECT string_agg(v.raw::text, E'\\n') FROM truedy.call_versions v WHERE v.call_id = c.id), "
    "(SELECT concat_ws(E'\\n', t.summary, t.raw::text) FROM truedy.transcripts t WHERE t.call_id = c.id), "
    "(SELECT string_agg(s.text, E'\\n' ORDER BY s.position) FROM truedy.transcript_segments s WHERE s.call_id = c.id), "
    "(SELECT string_agg(concat_ws(E'\\n', h.summary, h.segments::text, h.raw::text), E'\\n') FROM truedy.transcript_versions h "
    "WHERE h.call_id = c.id), "
    "(SELECT string_agg(encode(q.raw, 'escape'), E'\\n') FROM replicator.quarantine q WHERE q.account = c.account "
    "AND q.call_id = c.id AND q.kind <> 'never_shown')) FROM truedy.calls c WHERE c.account = %(account)s AND " + _WHOLE
)


def lock(tx: psycopg.Connection[Any], account: str) -> None:
    """Let no commit of a run happen before this transaction ends. No lease is needed: a run goes on afterwards."""
    tx.execute("INSERT INTO replicator.lease (account, epoch) VALUES (%s, 0) ON CONFLICT DO NOTHING", [account])
    tx.execute("SELECT 1 FROM replicator.lease WHERE account = %s FOR UPDATE", [account])


# Suppressions --------------------------------------------------------------------------------------------------------


def key_ids(tx: psycopg.Connection[Any], account: str) -> list[str]:
    """Return the ids of the secrets with which the account's list was made; none where the list is empty."""
    rows = tx.execute("SELECT DISTINCT key_id FROM archive.suppressions WHERE account = %s", [account])
    return [row[0] for row in rows]


def listed_keys(tx: psycopg.Connection[Any], account: str, keys: Sequence[str]) -> set[str]:
    """Return those of these keys that are on the account's list."""
    rows = tx.execute(
        "SELECT key FROM archive.suppressions WHERE account = %s AND key = ANY(%s)", [account, list(keys)]
    )
    return {row[0] for row in rows}


def all_suppressions(tx: psycopg.Connection[Any], account: str) -> list[tuple[str, str, str]]:
    """Return (kind, key, key id) of the account's whole list."""
    return tx.execute(
        "SELECT kind, key, key_id FROM archive.suppressions WHERE account = %s ORDER BY 1, 2", [account]
    ).fetchall()


def suppress(
    tx: psycopg.Connection[Any], account: str, key_id: str, entries: Sequence[tuple[str, str]], at: datetime
) -> int:
    """Add (kind, key) to the list; return how many are new."""
    return tx.execute(
        "INSERT INTO archive.suppressions (account, kind, key, key_id, added_at) SELECT %s, kind, key, %s, %s "
        "FROM unnest(%s::text[], %s::text[]) AS s (kind, key) ON CONFLICT DO NOTHING",
        [account, key_id, at, [kind for kind, _ in entries], [key for _, key in entries]],
    ).rowcount


# Holds and retention -------------------------------------------------------------------------------------------------


def holds(connection: psycopg.Connection[Any], account: str, *, with_released: bool = False) -> list[dict[str, Any]]:
    """Return the account's holds, the oldest first."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(
        "SELECT id, name, reason, placed_by, placed_at, call_ids, number_keys, key_id, agent_id, since, until, "
        "calls_at_first, released_at, released_by, release_reason FROM archive.holds "
        "WHERE account = %s AND (%s OR released_at IS NULL) ORDER BY id",
        [account, with_released],
    ).fetchall()


def add_hold(tx: psycopg.Connection[Any], row: Mapping[str, Any]) -> bool:
    """Add a hold; False where the account has one of this name, released or not."""
    return bool(
        tx.execute(
            "INSERT INTO archive.holds (account, name, reason, placed_by, placed_at, call_ids, number_keys, key_id, agent_id, "
            "since, until, calls_at_first) VALUES (%(account)s, %(name)s, %(reason)s, %(by)s, %(at)s, %(call_ids)s, "
            "%(number_keys)s, %(key_id)s, %(agent_id)s, %(since)s, %(until)s, %(calls)s) ON CONFLICT (account, name) DO NOTHING",
            dict(row),
        ).rowcount
    )


def release_hold(tx: psycopg.Connection[Any], account: str, name: str, by: str, reason: str, at: datetime) -> bool:
    """Release a hold; False where there is none of this name that is not released."""
    return bool(
        tx.execute(
            "UPDATE archive.holds SET released_at = %s, released_by = %s, release_reason = %s "
            "WHERE account = %s AND name = %s AND released_at IS NULL",
            [at, by, reason, account, name],
        ).rowcount
    )


def retention_versions(connection: psycopg.Connection[Any], account: str) -> list[dict[str, Any]]:
    """Return every version of the account's retention classes."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(
        "SELECT name, version, basis, mode, keep_months, keep_days, direction, agent_id, campaign_id, set_by, set_at, reason "
        "FROM archive.retention_classes WHERE account = %s ORDER BY name, version",
        [account],
    ).fetchall()


def add_retention(tx: psycopg.Connection[Any], row: Mapping[str, Any]) -> None:
    """Add a version of a retention class."""
    tx.execute(
        "INSERT INTO archive.retention_classes (account, name, version, basis, mode, keep_months, keep_days, direction, "
        "agent_id, campaign_id, set_by, set_at, reason) VALUES (%(account)s, %(name)s, %(version)s, %(basis)s, %(mode)s, "
        "%(keep_months)s, %(keep_days)s, %(direction)s, %(agent_id)s, %(campaign_id)s, %(by)s, %(at)s, %(reason)s)",
        dict(row),
    )


def write_terms(tx: psycopg.Connection[Any], account: str, terms: Sequence[tuple[UUID, datetime]]) -> int:
    """Prolong the terms of stored files, by call; a term is never made shorter. Return how many were prolonged."""
    return tx.execute(
        "UPDATE archive.objects o SET retain_until = s.until FROM unnest(%s::uuid[], %s::timestamptz[]) AS s (id, until) "
        "WHERE o.account = %s AND o.call_id = s.id AND (o.retain_until IS NULL OR o.retain_until < s.until)",
        [[one[0] for one in terms], [one[1] for one in terms], account],
    ).rowcount


def settings_seen(tx: psycopg.Connection[Any], account: str) -> dict[str, Any] | None:
    """Return the archive's settings as the last run saw them."""
    row = tx.execute("SELECT facts FROM archive.settings_seen WHERE account = %s", [account]).fetchone()
    return row[0] if row else None


def see_settings(tx: psycopg.Connection[Any], account: str, facts: Mapping[str, Any], at: datetime) -> None:
    """Store the archive's settings as this run sees them."""
    tx.execute(
        "INSERT INTO archive.settings_seen (account, facts, seen_at) VALUES (%s, %s, %s) "
        "ON CONFLICT (account) DO UPDATE SET facts = excluded.facts, seen_at = excluded.seen_at",
        [account, Jsonb(dict(facts)), at],
    )


# Candidates ----------------------------------------------------------------------------------------------------------


def candidates(
    connection: psycopg.Connection[Any], account: str, ids: Sequence[UUID] | None = None
) -> Iterator[tuple[Any, ...]]:
    """Yield what the decisions need of calls that are not erased: (id, created_at, end or creation, direction, agent,
    campaign, called number, calling number, whether the source has deleted it). None: of all calls, by id.
    """
    if ids is not None:
        rows = connection.execute(
            _CANDIDATES + " AND c.id = ANY(%(ids)s) ORDER BY c.id", {"account": account, "ids": list(ids)}
        )
        yield from rows.fetchall()
        return
    yield from _by_call(connection, _CANDIDATES, account, BATCH)


def _by_call(connection: psycopg.Connection[Any], query: str, account: str, at_once: int) -> Iterator[Any]:
    """Yield the rows of a query over all calls of an account, in the order of the calls' ids, so many in one statement."""
    after: UUID | None = None
    while True:
        found = connection.execute(
            query + " AND (%(after)s::uuid IS NULL OR c.id > %(after)s) ORDER BY c.id LIMIT %(limit)s",
            {"account": account, "after": after, "limit": at_once},
        ).fetchall()
        yield from found
        if len(found) < at_once:
            return
        after = found[-1][0]


def calls_of_numbers(
    connection: psycopg.Connection[Any], account: str, digits: Sequence[str], addresses: Sequence[str]
) -> set[UUID]:
    """Return the calls whose called or calling number is one of these, and that are not erased."""
    parameters = {"account": account, "digits": list(digits), "addresses": list(addresses)}
    return {row[0] for row in connection.execute(_OF_NUMBERS, parameters)}


def texts(connection: psycopg.Connection[Any], account: str) -> Iterator[tuple[UUID, str]]:
    """Yield (call id, all text that is stored of the call) of the calls that are not erased."""
    yield from _by_call(connection, _TEXTS, account, TEXTS_AT_ONCE)


def quarantined(connection: psycopg.Connection[Any], account: str) -> Iterator[tuple[int, UUID | None, bytes]]:
    """Yield (id, call id, bytes) of what could not be read."""
    after = 0
    while True:
        found = connection.execute(
            "SELECT id, call_id, raw FROM replicator.quarantine WHERE account = %s AND id > %s AND kind <> 'never_shown' "
            "ORDER BY id LIMIT %s",
            [account, after, ROWS_AT_ONCE],
        ).fetchall()
        yield from found
        if len(found) < ROWS_AT_ONCE:
            return
        after = found[-1][0]


def known_ids(connection: psycopg.Connection[Any], account: str, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these calls that the account has."""
    rows = connection.execute("SELECT id FROM truedy.calls WHERE account = %s AND id = ANY(%s)", [account, list(ids)])
    return {row[0] for row in rows}


def erased_ids(connection: psycopg.Connection[Any], ids: Sequence[UUID]) -> set[UUID]:
    """Return those of these calls that are stored in their reduced form."""
    rows = connection.execute("SELECT id FROM truedy.calls WHERE id = ANY(%s) AND raw ? '_erased'", [list(ids)])
    return {row[0] for row in rows}


def counted(connection: psycopg.Connection[Any]) -> tuple[Any, ...]:
    """Return the reports' rules about payloads: (campaign's path, goal's path, its values, what error classes look for,
    the paths and values of stage rules).
    """
    row = connection.execute(
        "SELECT campaign_path, goal_path, goal_values, (SELECT array_agg(contains ORDER BY position) FROM replicator.error_classes) "
        "FROM replicator.reporting"
    ).fetchone()
    rules = connection.execute("SELECT path, value FROM replicator.stage_rules ORDER BY position").fetchall()
    return (*(row or (None, None, None, None)), rules)


# Erasures ------------------------------------------------------------------------------------------------------------


def open_erasure(connection: psycopg.Connection[Any], account: str, kind: str, selection: str) -> int | None:
    """Return the id of an erasure that was asked for in the same words and is not finished."""
    row = connection.execute(
        "SELECT max(id) FROM archive.erasures WHERE account = %s AND kind = %s AND selection = %s AND finished_at IS NULL",
        [account, kind, selection],
    ).fetchone()
    return row[0] if row else None


def begin_erasure(tx: psycopg.Connection[Any], row: Mapping[str, Any]) -> int:
    """Add an erasure; return its id."""
    found = tx.execute(
        "INSERT INTO archive.erasures (account, kind, selection, asked_by, asked_at, reason, numbers) VALUES "
        "(%(account)s, %(kind)s, %(selection)s, %(by)s, %(at)s, %(reason)s, %(numbers)s) RETURNING id",
        dict(row),
    ).fetchone()
    assert found is not None  # noqa: S101 - the row was just inserted
    return int(found[0])


def decide(tx: psycopg.Connection[Any], erasure_id: int, rows: Sequence[tuple[Any, ...]], at: datetime) -> None:
    """Write (call id, decision, reason, found by, kept by, kept until, sequence) of calls of an erasure."""
    tx.cursor().executemany(
        "INSERT INTO archive.erasure_calls (erasure_id, call_id, decision, reason, found_by, kept_by, kept_until, decided_at, "
        "sequence) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (erasure_id, call_id) DO UPDATE SET "
        "decision = excluded.decision, reason = excluded.reason, kept_by = excluded.kept_by, kept_until = excluded.kept_until, "
        "decided_at = excluded.decided_at, sequence = coalesce(excluded.sequence, erasure_calls.sequence)",
        [(erasure_id, *row[:6], at, row[6]) for row in rows],
    )


def decisions(connection: psycopg.Connection[Any], erasure_id: int) -> list[dict[str, Any]]:
    """Return what became of each call of an erasure."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(
        "SELECT call_id, decision, reason, found_by, kept_by, kept_until, decided_at, sequence FROM archive.erasure_calls "
        "WHERE erasure_id = %s ORDER BY call_id",
        [erasure_id],
    ).fetchall()


def finish_erasure(tx: psycopg.Connection[Any], erasure_id: int, at: datetime) -> bool:
    """Mark an erasure finished; False where it is already."""
    return bool(
        tx.execute(
            "UPDATE archive.erasures SET finished_at = %s WHERE id = %s AND finished_at IS NULL", [at, erasure_id]
        ).rowcount
    )


def actions(
    connection: psycopg.Connection[Any], account: str, call_id: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Return the newest records of what people did, with their content; of one call, or of the whole account."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(
        "SELECT sequence, kind, subject, observed_at, bytes FROM archive.records WHERE account = %(account)s "
        "AND kind NOT IN ('call', 'transcript', 'recording', 'tombstone', 'gap') "
        "AND (%(call_id)s::uuid IS NULL OR subject = %(call_id)s OR strpos(convert_from(bytes, 'UTF8'), %(text)s) > 0) "
        "ORDER BY sequence DESC LIMIT %(limit)s",
        {"account": account, "call_id": call_id, "text": str(call_id), "limit": limit},
    ).fetchall()


def erasure(connection: psycopg.Connection[Any], account: str, erasure_id: int) -> dict[str, Any] | None:
    """Return the facts of an erasure."""
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(
        "SELECT id, account, kind, asked_by, asked_at, reason, numbers, finished_at FROM archive.erasures "
        "WHERE account = %s AND id = %s",
        [account, erasure_id],
    ).fetchone()


def contents(connection: psycopg.Connection[Any], account: str, sequences: Sequence[int]) -> dict[int, bytes]:
    """Return the sealed content of records by sequence; those that were erased are left out."""
    rows = connection.execute(
        "SELECT sequence, bytes FROM archive.records WHERE account = %s AND sequence = ANY(%s) AND bytes IS NOT NULL",
        [account, list(sequences)],
    )
    return dict(rows.fetchall())
