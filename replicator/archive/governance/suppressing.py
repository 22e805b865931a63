"""Keeps out what was erased, in every way by which calls come into the replica: a sync, a replay of the quarantine.

Each writing transaction asks here. Where the list is empty, that costs one small query. Else a call that is on the list
(by its id, or by one of its numbers) is stored in its reduced form, unless a hold or a statutory retention keeps it: the
same table decides as in an erasure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from replicator.archive.governance.suppression import Counted, reduced, reduced_bytes, word_at
from replicator.store import erasing, governance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    import psycopg

    from replicator.archive.governance.plan import Candidate
    from replicator.archive.governance.suppression import Keys
    from replicator.records import Call, Page
    from replicator.store.rows import UnreadRow


@dataclass(frozen=True, slots=True)
class Erased:
    """The erased calls of a batch, and what of their payloads is counted."""

    ids: frozenset[UUID] = frozenset()
    counted: Counted = field(default_factory=Counted)

    def __contains__(self, call_id: object) -> bool:
        return call_id in self.ids

    def of(self, call: Call) -> Call:
        """Return the call as it may be stored."""
        return reduced(call, self.counted) if call.id in self.ids else call


NOTHING = Erased()


def counted(connection: psycopg.Connection[Any]) -> Counted:
    """Return what the reports count, by their present rules."""
    campaign, goal, values, errors, stages = governance.counted(connection)
    return Counted(
        tuple(campaign or ()), tuple(goal or ()), frozenset(one.lower() for one in values or ()), tuple(errors or ()),
        tuple((tuple(path), value) for path, value in stages),
    )  # fmt: skip


def as_stored(connection: psycopg.Connection[Any], page: Page) -> Page:
    """Return a page of the source with the erased calls in the reduced form in which they are stored."""
    gone = governance.erased_ids(connection, [call.id for call in page.calls])
    if not gone:
        return page
    erased = Erased(frozenset(gone), counted(connection))
    return replace(page, calls=tuple(map(erased.of, page.calls)))


@dataclass(frozen=True, slots=True)
class Suppressing:
    """Recognises what was erased of one account. Raises ConfigurationError where the list's secret is not known."""

    account: str
    keys: Keys | None = None

    def _keys(self, tx: psycopg.Connection[Any]) -> Keys | None:
        """Return the maker of hashes; None where the list is empty."""
        key_ids = governance.key_ids(tx, self.account)
        if not key_ids:
            return None
        from replicator.archive.governance import holds  # noqa: PLC0415 - most accounts have erased nothing

        return holds.needed(self.keys, key_ids)

    def erased(self, tx: psycopg.Connection[Any], calls: Sequence[Call], at: datetime) -> Erased:
        """Return those of these calls of which nothing but the reduced form may be stored.

        A call that is stored whole is left as it is: only an erasure takes its versions, its transcript, its audio and its
        sealed records too, and it finds the call by the list. So each call that is found by its number is added to the list
        by its id.
        """
        keys = self._keys(tx)
        if keys is None or not calls:
            return NOTHING
        by_key: dict[str, set[UUID]] = {}
        for call in calls:
            numbers = (keys.of_number(one) for one in (call.phone_number, call.from_number) if one)
            for key in (keys.of_call(call.id), *numbers):
                by_key.setdefault(key, set()).add(call.id)
        listed = governance.listed_keys(tx, self.account, list(by_key))
        hits = {call_id for key in listed for call_id in by_key[key]}
        if not hits:
            return NOTHING
        from replicator.archive.governance import holds  # noqa: PLC0415 - as above
        from replicator.archive.governance.plan import verdict  # noqa: PLC0415 - as above

        gone = governance.erased_ids(tx, list(hits))
        new = hits - governance.known_ids(tx, self.account, sorted(hits))
        rules, found_counted = holds.rules(tx, self.account, keys), counted(tx)
        path = found_counted.campaign_path
        asked = [_candidate(call, keys, path, at) for call in calls if call.id in new]
        found = frozenset(gone | {one.id for one in asked if verdict(one, rules, at, is_erasure_asked=True).is_removal})
        entries = [("call", keys.of_call(call_id)) for call_id in sorted(hits)]
        governance.suppress(tx, self.account, keys.key_id, entries, at)
        return Erased(found, found_counted)

    def clean(self, tx: psycopg.Connection[Any], rows: Sequence[tuple[int, bytes]]) -> None:
        """Take the bytes of rows in quarantine away, because they are an erased call's: (id, bytes)."""
        keys = self._keys(tx)
        if keys is not None:
            texts = [(row_id, reduced_bytes(keys, raw)) for row_id, raw in rows]
            erasing.remove_quarantined(tx, [(row_id, text, sha256(text).digest()) for row_id, text in texts])

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
    from replicator.archive.governance.plan import Candidate  # noqa: PLC0415 - as above

    hashes = frozenset(keys.of_number(one) for one in (call.phone_number, call.from_number) if one)
    return Candidate(
        call.id,
        call.created_at,
        call.ended_at or call.created_at or at,
        call.direction,
        call.agent_id,
        word_at(call.context, path),
        hashes,
    )
