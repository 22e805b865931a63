"""What is looked at and what a look says, as pure functions: every difference, and nothing that is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from replicator.records import Call, Page, Unreadable
from replicator.store.verification import COLUMNS, LiveCall, StoredCall
from replicator.sync.coverage.ledger import BEGINNING, Ledger, Piece
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.verify.compare import Comparison, compare_page, confirm, in_order, shifted
from replicator.verify.sample import Point, stretches

pytestmark = pytest.mark.pure


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
READ_UNTIL = NOON + timedelta(hours=1)
LOOKED_AT = NOON + timedelta(hours=1)
ASKED_AT = NOON + timedelta(hours=2)
LEDGER = Ledger((Piece(BEGINNING, READ_UNTIL, LOOKED_AT),))


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_call(number: int = 1, **fields: Any) -> Call:
    values: dict[str, Any] = {
        "agent_id": UUID(int=7), "phone_number": "+12025550123", "from_number": None, "direction": "outbound",
        "status": "completed", "started_at": at(1), "ended_at": at(9), "duration_seconds": 8,
        "cost_usd": Decimal("0.0810"), "summary": "short", "recording_url": None, "context": '{"a":1.0}',
        "created_at": at(number), "updated_at": at(number + 60), "raw": '{"id":"x","new_field":1}', "fingerprint": b"f",
        **fields,
    }  # fmt: skip
    return Call(id=UUID(int=number), **values)


def stored(call: Call, **changes: Any) -> StoredCall:
    made = StoredCall(
        {name: getattr(call, name) for name in COLUMNS}, call.raw, call.fingerprint, LOOKED_AT, False, None, None
    )  # fmt: skip
    return replace(made, **changes)


def a_page(*calls: Call, unreadable: tuple[Unreadable, ...] = (), offset: int = 0, total: int | None = None) -> Page:
    created = (*(call.created_at for call in calls), *(row.created_at for row in unreadable))
    return Page(calls, unreadable, created, offset, PAGE_LIMIT, total, None, ASKED_AT)


def compare(page: Page, *known: tuple[Call, StoredCall], inside: tuple[LiveCall, ...] = (), **more: Any) -> Comparison:
    mine = {call.id: held for call, held in known}
    return compare_page(page, mine, inside, **{"ledger": LEDGER, "asked_at": ASKED_AT, **more})


def kinds(found: Comparison) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.fields) for one in found.differences]


def test_the_same_is_no_difference() -> None:
    """Equal values are equal however they are spelt: amounts by value, context as JSON."""
    theirs = a_call(cost_usd=Decimal("0.081"), context='{"a": 1}')
    found = compare(a_page(theirs), (theirs, stored(a_call())))
    assert found == Comparison()


CHANGES = {
    "agent_id": UUID(int=8), "phone_number": "+12025550199", "from_number": "+1", "direction": "inbound",
    "status": "failed", "started_at": None, "ended_at": at(10), "duration_seconds": 9, "cost_usd": Decimal("0.0811"),
    "summary": None, "recording_url": "https://a/b", "context": "{}", "created_at": at(2),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_each_field_is_compared(name: str) -> None:
    """A difference in any one field is named, and its value is nowhere."""
    theirs = a_call(**{name: CHANGES[name]})
    found = compare(a_page(theirs), (theirs, stored(a_call())))
    assert kinds(found) == [("different", (name,))]
    assert "+1202555" not in str(found.differences[0].as_dict())


def test_fields_without_a_column_are_compared_too() -> None:
    """An undocumented field that changed, came or went is named."""
    theirs = a_call(raw='{"id":"y","new_field":2,"other":null,"to":"+1"}', fingerprint=b"g")
    found = compare(a_page(theirs), (theirs, stored(a_call())))
    assert kinds(found) == [("different", ("new_field", "other"))]


def test_another_spelling_is_named_as_such() -> None:
    """The same values under another fingerprint are a difference without a field."""
    theirs = a_call(fingerprint=b"g")
    (one,) = compare(a_page(theirs), (theirs, stored(a_call()))).differences
    assert (one.fields, one.reason) == ((), "the same values, spelt in another way")


def test_a_later_update_is_stale_and_says_when_we_looked() -> None:
    """A newer updated_at is stale; the last look is the ledger's where it is later than the row's."""
    theirs = a_call(status="completed", updated_at=at(500))
    mine = stored(a_call(status="in_progress"), observed_at=at(20))
    (one,) = compare(a_page(theirs), (theirs, mine)).differences
    assert (one.kind, one.fields) == ("stale", ("status", "updated_at"))
    assert (one.looked_at, one.open_status) == (LOOKED_AT, "in_progress")


@pytest.mark.parametrize(
    ("is_ours", "theirs", "mine"),
    [
        (True, {}, {}),
        (True, {"recording_url": "https://a/b?sig=2"}, {"detail_url": "https://a/b?sig=1"}),
        (False, {"recording_url": "https://a/c"}, {"detail_url": "https://a/b"}),
        (False, {"recording_url": "https://a/b"}, {}),
        (False, {"summary": "other"}, {}),
        (False, {}, {"detail_asked_at": None}),
        (False, {}, {"detail_asked_at": LOOKED_AT - timedelta(seconds=1)}),
        (False, {"updated_at": LOOKED_AT + timedelta(seconds=200)}, {}),
    ],
)
def test_only_our_own_reading_is_no_difference(is_ours: bool, theirs: dict[str, Any], mine: dict[str, Any]) -> None:
    """updated_at alone, or with a recording's URL that we hold, soon after we asked for a detail: moved by our reading."""
    call = a_call(**{"updated_at": LOOKED_AT + timedelta(seconds=30), "fingerprint": b"g", **theirs})
    held = stored(a_call(), **{"detail_asked_at": LOOKED_AT + timedelta(seconds=25), **mine})
    found = compare(a_page(call), (call, held))
    assert bool(found.touched) == is_ours
    assert [one.kind for one in found.differences] == ([] if is_ours else ["stale"])


def test_what_is_missing() -> None:
    """A call that is not stored, or stored as deleted, is missing; a newer one, or one that came meanwhile, is not."""
    gone, deleted, newer, meanwhile = a_call(4), a_call(3), a_call(4000), a_call(2)
    found = compare(
        a_page(newer, gone, deleted, meanwhile),
        (deleted, stored(deleted, is_deleted=True)),
        (meanwhile, stored(a_call(2, status="failed"), observed_at=ASKED_AT + timedelta(seconds=1))),
    )
    assert [(one.kind, one.call_id, one.reason) for one in found.differences] == [
        ("missing", gone.id, ""),
        ("missing", deleted.id, "stored as deleted"),
    ]
    assert (found.newer, found.late) == ({newer.id}, {meanwhile.id})
    assert [(what, calls) for what, _, calls in found.explained] == [(gone.id, 1), (deleted.id, 1)]


def test_what_was_never_read_is_missing_for_that_reason() -> None:
    """In a hole of the ledger a missing call says why."""
    holed = Ledger((Piece(at(10), READ_UNTIL, LOOKED_AT),))
    (one,) = compare(a_page(a_call(5)), ledger=holed).differences
    assert (one.kind, one.reason) == ("missing", "its time was never read")


def test_what_is_extra() -> None:
    """A live call inside the proven interval that is not listed is extra, unless a row without an id may be it."""
    gone = LiveCall(UUID(int=2), at(2), "ringing", at(5))
    page = a_page(a_call(3), a_call(1))
    known = [(call, stored(call)) for call in page.calls]
    found = compare(page, *known, inside=(gone, LiveCall(UUID(int=3), at(3), None, at(5))))
    assert [(one.kind, one.call_id, one.open_status) for one in found.differences] == [("extra", gone.id, "ringing")]
    assert found.explained == ((gone.id, at(2), -1),)
    nameless = a_page(*page.calls, unreadable=(Unreadable(b"null", "not an object"),))
    found = compare(nameless, *known, inside=(gone,), quarantined=((), {sha256(b"null").digest()}))
    assert found.differences == ()


def test_what_is_unreadable() -> None:
    """A row in quarantine, by its bytes or its call, is known; another is a difference; a newer one is neither."""
    rows = (
        Unreadable(b"1", "bad", UUID(int=1), at(1)),
        Unreadable(b"2", "bad", None, at(2)),
        Unreadable(b"3", "bad", UUID(int=3), at(3)),
        Unreadable(b"4", "bad", None, at(4000)),
        Unreadable(b"null", "bad"),
        Unreadable(b"null", "bad"),
    )
    known = {sha256(b"2").digest(), sha256(b"null").digest()}
    found = compare(a_page(unreadable=rows), quarantined=({UUID(int=1)}, known))
    assert [(one.kind, one.call_id) for one in found.differences] == [("unreadable", UUID(int=3))]
    assert len(found.unreadable) == 4
    assert len(found.unplaced) == 2


def test_a_second_look_confirms_refutes_or_leaves_open() -> None:
    """Seen twice is confirmed; seen once by a look that reached there is dropped; out of its reach it stays open."""
    both, healed, away = a_call(50), a_call(40), a_call(10)
    first = compare(a_page(both, healed, away))
    page = a_page(a_call(60), both, healed, a_call(20))
    second = compare(page, *((call, stored(call)) for call in (a_call(60), healed, a_call(20))))
    found = confirm(first, second, page)
    assert {one.call_id: one.is_confirmed for one in found.differences} == {both.id: True, away.id: False}
    assert {what for what, _, _ in found.explained} == {both.id, away.id}


def test_a_shift_is_confirmed_by_a_probe() -> None:
    """A stretch that a probe narrowed was seen twice; one that reaches the beginning has no lower end."""
    wide, narrow = stretches([Point(at(9), 5, 3), Point(at(5), 2, 1, is_probe=True)], ())
    assert shifted(wide).is_confirmed
    assert shifted(narrow).since is None
    assert not shifted(stretches([Point(at(9), 5, 3)], ())[0]).is_confirmed


def test_differences_are_shown_newest_first_by_kind() -> None:
    """Kinds in a fixed order, then the newest call."""
    found = compare(a_page(a_call(3), a_call(2)), inside=(LiveCall(UUID(int=9), at(2), None, NOON),))
    assert [(one.kind, one.created_at) for one in in_order(reversed(found.differences))] == [
        ("missing", at(3)),
        ("missing", at(2)),
        ("extra", at(2)),
    ]
