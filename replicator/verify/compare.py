"""Compares a page of the source with the replica: every difference, call by call and field by field. Pure.

These are not differences: a call newer than what the replica has read; a row that is in quarantine; a call that the
replica read after the page was asked for; a call whose only change was caused by our own request for its transcript or
recording.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from replicator.source import jsontext
from replicator.source.fields import url_without_signature
from replicator.source.jsontext import MalformedError
from replicator.sync.content.stages import CONTRACT, Stages
from replicator.sync.coverage.ledger import BEGINNING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Call, Page, Unreadable
    from replicator.store.verification import LiveCall, StoredCall
    from replicator.sync.coverage.ledger import Ledger
    from replicator.verify.sample import Reason, Stretch

READING_TAKES = timedelta(seconds=150)
"""How long after our request for a transcript or a recording that request may still change the call's updated_at."""
SPELLINGS = ("to", "from", "metadata")
"""Keys of the raw JSON that are other names of fields with a column."""

Kind = Literal["total", "missing", "extra", "stale", "different", "unreadable", "shifted"]
KINDS: tuple[Kind, ...] = ("total", "missing", "extra", "stale", "different", "unreadable", "shifted")
"""The kinds in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between source and replica. It names fields and never holds their values.

    - missing: the source has the call, the replica does not. extra: the replica has it, the source does not.
    - stale: the source changed the call after we read it. different: the source's call is not newer, and not the same.
    - unreadable: a row that cannot be read and is not in quarantine.
    - shifted: the source has `calls` more (or fewer) between `since` and `until`; the single calls were not found.
    - total: the count `what` is not the same.

    `looked_at` is when the replica last compared the call with the source.
    """

    kind: Kind
    call_id: UUID | None = None
    created_at: datetime | None = None
    fields: tuple[str, ...] = ()
    is_confirmed: bool = False
    looked_at: datetime | None = None
    open_status: str | None = None
    """The replica's status of the call, if it means that the call still goes on."""
    reason: str = ""
    what: str = ""
    source: int | None = None
    replica: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    calls: int | None = None
    digest: bytes = field(default=b"", repr=False)
    """SHA-256 of the raw row, where nothing else distinguishes it from other rows."""

    @property
    def identity(self) -> tuple[object, ...]:
        """What identifies the same difference in another look."""
        return (self.kind, self.call_id, self.digest)

    def as_dict(self) -> dict[str, Any]:
        always = ("kind", "call_id", "created_at", "fields", "is_confirmed")
        shown = {name: getattr(self, name) for name in always}
        shown["fields"] = list(self.fields)
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in {*always, "digest"} and value not in (None, ""):
                shown[one.name] = value
        return shown


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing one page. `explained` holds the known reasons for which ranks differ."""

    differences: tuple[Difference, ...] = ()
    newer: frozenset[UUID] = frozenset()
    """Calls that are not stored and were created after the end of what the replica has read."""
    touched: frozenset[UUID] = frozenset()
    """Calls whose only change was caused by our own requests for their details."""
    late: frozenset[UUID] = frozenset()
    """Calls that the replica read after this page was asked for, so the page says nothing about them."""
    unreadable: frozenset[object] = frozenset()
    """Unreadable rows that are in quarantine."""
    unplaced: frozenset[object] = frozenset()
    """Unreadable rows without a readable created_at."""
    explained: tuple[Reason, ...] = ()


# What a page says --------------------------------------------------------------------------------------------------


def compare_page(
    page: Page,
    stored: Mapping[UUID, StoredCall],
    inside: Sequence[LiveCall],
    *,
    ledger: Ledger,
    asked_at: datetime,
    skew: timedelta = timedelta(0),
    quarantined: tuple[Collection[UUID], Collection[bytes]] = ((), ()),
    stages: Stages = CONTRACT,
) -> Comparison:
    """Compare a page with what is stored of its calls.

    `inside` are the stored live calls in the interval that the page proves. `ledger` says what the replica has read and
    when. `asked_at` is when the page was asked for (our clock); `skew` is how far the server's clock may be ahead of
    ours. `quarantined` holds what is known to be unreadable: ids, and SHA-256 of raw rows. `stages` says which statuses
    are open.
    """
    tally = _Tally(stages)
    for call in page.calls:
        _take_call(tally, call, stored.get(call.id), ledger, asked_at, skew)
    for number, row in enumerate(page.unreadable):
        _take_unreadable(tally, row, (page.offset, number), stored, ledger, quarantined)
    listed = {call.id for call in page.calls} | {row.call_id for row in page.unreadable}
    extra = [call for call in inside if call.id not in listed]
    # A row without a readable id may be any of these calls, so none of them is reported.
    if len(extra) > sum(row.call_id is None for row in page.unreadable):
        for gone in extra:
            tally.differences.append(extra_of(gone, ledger, stages))
            tally.explain(gone.id, gone.created_at, -1)
    return Comparison(
        tuple(tally.differences),
        frozenset(tally.newer),
        frozenset(tally.touched),
        frozenset(tally.late),
        frozenset(tally.unreadable),
        frozenset(tally.unplaced),
        tuple(tally.explained),
    )


@dataclass(slots=True)
class _Tally:
    """A comparison that is not finished."""

    stages: Stages
    differences: list[Difference] = field(default_factory=list)
    newer: set[UUID] = field(default_factory=set)
    touched: set[UUID] = field(default_factory=set)
    late: set[UUID] = field(default_factory=set)
    unreadable: set[object] = field(default_factory=set)
    unplaced: set[object] = field(default_factory=set)
    explained: list[Reason] = field(default_factory=list)

    def explain(self, what: object, at: datetime | None, calls: int) -> None:
        if at is not None:
            self.explained.append((what, at, calls))


def _take_call(
    tally: _Tally, call: Call, mine: StoredCall | None, ledger: Ledger, asked_at: datetime, skew: timedelta
) -> None:
    if mine is None and call.created_at is not None and call.created_at >= ledger.top:
        tally.newer.add(call.id)
    elif mine is not None and mine.observed_at > asked_at:
        tally.late.add(call.id)
    elif mine is None or mine.is_deleted:
        tally.differences.append(_missing(call, mine, ledger))
        tally.explain(call.id, call.created_at, 1)
    else:
        verdict = _compare(call, mine, ledger, skew, tally.stages)
        if verdict == "touched":
            tally.touched.add(call.id)
        elif isinstance(verdict, Difference):
            tally.differences.append(verdict)


def _take_unreadable(
    tally: _Tally,
    row: Unreadable,
    place: tuple[int, int],
    stored: Mapping[UUID, StoredCall],
    ledger: Ledger,
    quarantined: tuple[Collection[UUID], Collection[bytes]],
) -> None:
    digest = sha256(row.raw).digest()
    mine = stored.get(row.call_id) if row.call_id is not None else None
    # Rows without any content, like null, are distinguished by their place.
    which: object = row.call_id or (digest if row.created_at is not None else (digest, place))
    if mine is None or mine.is_deleted:
        tally.explain(which, row.created_at, 1)
        if row.created_at is None:
            tally.unplaced.add(which)
    if row.call_id in quarantined[0] or digest in quarantined[1]:
        tally.unreadable.add(which)
    elif row.created_at is None or row.created_at < ledger.top:
        tally.differences.append(
            Difference("unreadable", row.call_id, row.created_at, reason=row.reason, digest=digest)
        )  # fmt: skip


def extra_of(call: LiveCall, ledger: Ledger, stages: Stages = CONTRACT, *, is_confirmed: bool = False) -> Difference:
    """Return the difference for a stored live call that the source does not have."""
    return Difference(
        "extra",
        call.id,
        call.created_at,
        is_confirmed=is_confirmed,
        looked_at=_looked_at(call, ledger),
        open_status=call.status if stages.is_open(call.status) else None,
    )


def _missing(call: Call, mine: StoredCall | None, ledger: Ledger) -> Difference:
    if mine is not None:
        return Difference(
            "missing", call.id, call.created_at, reason="stored as deleted", looked_at=_looked_at(mine, ledger)
        )
    is_read = call.created_at is None or ledger.at(call.created_at) is not None
    return Difference("missing", call.id, call.created_at, reason="" if is_read else "its time was never read")


def _looked_at(mine: StoredCall | LiveCall, ledger: Ledger) -> datetime:
    """Return when the replica last compared a call. An unchanged call is not written, so the ledger may know a later
    look.
    """
    at = mine.created_at
    piece = ledger.at(at) if at is not None else None
    return mine.observed_at if piece is None else max(mine.observed_at, piece.verified_at)


def _compare(
    call: Call, mine: StoredCall, ledger: Ledger, skew: timedelta, stages: Stages
) -> Difference | Literal["same", "touched"]:
    """Compare one call with what is stored of it."""
    names = differing_fields(call, mine)
    is_same_content = call.fingerprint == mine.fingerprint
    if not names and is_same_content:
        return "same"
    before = mine.fields["updated_at"]
    is_newer = call.updated_at is not None and (before is None or call.updated_at > before)
    if is_newer and _is_our_reading(call, mine, names, skew):
        return "touched"
    status = mine.fields["status"]
    return Difference(
        "stale" if is_newer else "different",
        call.id,
        call.created_at,
        fields=names,
        reason="" if names else "the same values, spelt in another way",
        looked_at=_looked_at(mine, ledger),
        open_status=status if stages.is_open(status) else None,
    )


def _is_our_reading(call: Call, mine: StoredCall, names: tuple[str, ...], skew: timedelta) -> bool:
    """Say whether our own requests for the call's details explain all that changed: updated_at, and a recording URL we
    have.
    """
    asked_at = mine.detail_asked_at
    if asked_at is None or call.updated_at is None or call.updated_at > asked_at + READING_TAKES + skew:
        return False
    if asked_at < mine.observed_at or not set(names) <= {"updated_at", "recording_url"}:
        return False
    if "recording_url" not in names:
        return True
    if call.recording_url is None or mine.detail_url is None or mine.fields["recording_url"] is not None:
        return False
    return url_without_signature(call.recording_url) == url_without_signature(mine.detail_url)


def differing_fields(call: Call, mine: StoredCall) -> tuple[str, ...]:
    """Return the names of fields that differ: the contract's fields by their columns, all others by `raw`."""
    found = {name for name, value in mine.fields.items() if not _is_same(name, getattr(call, name), value)}
    theirs, ours = _object(call.raw), _object(mine.raw)
    others = {*theirs, *ours} - {"id", *SPELLINGS, *mine.fields}
    found |= {key for key in others if theirs.get(key, ...) != ours.get(key, ...)}
    return tuple(sorted(found))


def _is_same(name: str, theirs: Any, ours: Any) -> bool:
    if theirs is None or ours is None:
        return theirs is ours
    if name == "recording_url":
        return url_without_signature(theirs) == url_without_signature(ours)
    if name == "context":
        return bool(_json(theirs) == _json(ours))
    return bool(theirs == ours)


def _json(text: str) -> Any:
    try:
        return jsontext.decode(text.encode())
    except MalformedError:
        return text


def _object(text: str) -> dict[str, Any]:
    value = _json(text)
    return value if isinstance(value, dict) else {}


def confirm(first: Comparison, second: Comparison, page: Page) -> Comparison:
    """Combine two looks at about the same place. A difference that both show is confirmed.

    A difference that only the first shows, where the second looked at the same place, is dropped: the list was moving.
    """
    again = {one.identity for one in second.differences}
    ids = {call.id for call in page.calls}
    known = [at for at in page.created if at is not None]
    reach = (min(known), max(known)) if known else None

    def is_refuted(one: Difference) -> bool:
        is_there = one.created_at is not None and reach is not None and reach[0] < one.created_at < reach[1]
        return one.call_id in ids or is_there

    before = {one.identity for one in first.differences}
    kept = [one for one in first.differences if one.identity not in again and not is_refuted(one)]
    kept += [replace(one, is_confirmed=one.identity in before) for one in second.differences]
    gone = {one.call_id for one in first.differences} - {one.call_id for one in kept}
    explained = {place[0]: place for place in (*first.explained, *second.explained) if place[0] not in gone}
    return Comparison(
        tuple(kept),
        first.newer | second.newer,
        first.touched | second.touched,
        first.late | second.late,
        second.unreadable,
        second.unplaced,
        tuple(explained.values()),
    )


def total(what: str, source: int, replica: int, *, newer: int, is_confirmed: bool) -> Difference:
    """Return the difference of two counts. Up to `newer` of the source's calls are newer than what the replica has
    read.
    """
    reason = f"{newer:,} of the source's may be newer than the last sync" if newer else ""
    return Difference("total", what=what, source=source, replica=replica, reason=reason, is_confirmed=is_confirmed)


def in_order(found: Iterable[Difference]) -> list[Difference]:
    """Return the differences sorted by kind, and within a kind with the newest call first."""
    return sorted(found, key=lambda one: (KINDS.index(one.kind), BEGINNING - (one.created_at or BEGINNING)))


def shifted(one: Stretch) -> Difference:
    """Return the difference for a stretch in which the single calls were not found."""
    since = None if one.older.created_at == BEGINNING else one.older.created_at
    until = one.newer.created_at
    return Difference(
        "shifted",
        created_at=until,
        since=since,
        until=until,
        calls=one.calls,
        # A probe looked into a wider stretch and found the same difference.
        is_confirmed=one.older.is_probe or one.newer.is_probe,
    )


__all__ = [
    "KINDS",
    "Comparison",
    "Difference",
    "compare_page",
    "confirm",
    "differing_fields",
    "extra_of",
    "in_order",
    "shifted",
    "total",
]
