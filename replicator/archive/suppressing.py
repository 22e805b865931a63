"""Keeps out what was erased, in every way by which calls come into the replica: a sync, a webhook's look, a replay.

Each writing transaction asks here. Where the list is empty, that costs one small query. Else a call that is on the list
(by its id, or by one of its numbers) is stored in its reduced form, unless a hold or a statutory retention keeps it: the
same table decides as in an erasure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from replicator.archive import holds
from replicator.archive.plan import Candidate, verdict
from replicator.archive.suppression import reduced, reduced_bytes
from replicator.source import jsontext
from replicator.source.jsontext import MalformedError
from replicator.store import governance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.archive.suppression import Keys
    from replicator.records import Call
    from replicator.store.rows import UnreadRow


@dataclass(frozen=True, slots=True)
class Suppressing:
    """Recognises what was erased of one account. Raises ConfigurationError where the list's secret is not known."""

    account: str
    keys: Keys | None = None

    def _keys(self, tx: psycopg.Connection[Any]) -> Keys | None:
        """Return the maker of hashes; None where the list is empty."""
        key_ids = governance.key_ids(tx, self.account)
        return holds.needed(self.keys, key_ids) if key_ids else None

    def reduced(self, tx: psycopg.Connection[Any], calls: Sequence[Call], at: datetime) -> dict[UUID, Call]:
        """Return {id: the last of these calls with it in its reduced form} for those that are on the list and are not kept.

        Calls that are found by their number are added to the list by their id.
        """
        found = self.erased(tx, calls, at)
        return {call.id: reduced(call) for call in calls if call.id in found}

    def erased(self, tx: psycopg.Connection[Any], calls: Sequence[Call], at: datetime) -> frozenset[UUID]:
        """Return the ids of those of these calls of which nothing but the reduced form may be stored."""
        keys = self._keys(tx)
        if keys is None or not calls:
            return frozenset()
        by_key: dict[str, set[UUID]] = {}
        for call in calls:
            numbers = (keys.of_number(one) for one in (call.phone_number, call.from_number) if one)
            for key in (keys.of_call(call.id), *numbers):
                by_key.setdefault(key, set()).add(call.id)
        listed = governance.listed_keys(tx, self.account, list(by_key))
        hits = {call_id for key in listed for call_id in by_key[key]}
        if not hits:
            return frozenset()
        gone = governance.erased_ids(tx, list(hits))
        rules, path = holds.rules(tx, self.account, keys), governance.campaign_path(tx)
        asked = [_candidate(call, keys, path, at) for call in calls if call.id in hits - gone]
        found = frozenset(gone | {one.id for one in asked if verdict(one, rules, at, is_erasure_asked=True).is_removal})
        entries = [("call", keys.of_call(call_id)) for call_id in sorted(found)]
        governance.suppress(tx, self.account, keys.key_id, entries, at)
        return found

    def stay_away(self, tx: psycopg.Connection[Any], ids: Iterable[UUID]) -> set[UUID]:
        """Return those of these calls that are erased, so that no transcript and no recording of them is stored."""
        return governance.erased_ids(tx, list(ids)) if self._keys(tx) is not None else set()

    def unread(self, tx: psycopg.Connection[Any], rows: Sequence[UnreadRow]) -> list[UnreadRow]:
        """Return what could not be read without the bytes that were erased; a field of an erased call is left out."""
        keys = self._keys(tx) if rows else None
        if keys is None:
            return list(rows)
        marks = {
            id(row): [keys.of_payload(row.raw), *([keys.of_call(row.call_id)] if row.call_id else [])] for row in rows
        }
        listed = governance.listed_keys(tx, self.account, [mark for both in marks.values() for mark in both])
        kept: list[UnreadRow] = []
        for row in rows:
            if row.never_shown is not None or listed.isdisjoint(marks[id(row)]):
                kept.append(row)
            elif row.field is None:
                kept.append(replace(row, raw=reduced_bytes(keys, row.raw)))
        return kept


def _candidate(call: Call, keys: Keys, path: Sequence[str], at: datetime) -> Candidate:
    hashes = frozenset(keys.of_number(one) for one in (call.phone_number, call.from_number) if one)
    return Candidate(
        call.id,
        call.created_at,
        call.ended_at or call.created_at or at,
        call.direction,
        call.agent_id,
        _campaign(call, path),
        hashes,
    )


def _campaign(call: Call, path: Sequence[str]) -> str | None:
    """Return the campaign as the views read it."""
    if call.context is None:
        return None
    try:
        value: Any = jsontext.decode(call.context.encode())
    except (MalformedError, UnicodeEncodeError):
        return None
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return str(value)[:200] if isinstance(value, str | int) and not isinstance(value, bool) else None
