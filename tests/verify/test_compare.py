"""What is looked at and what a look says, as pure functions: every difference, and nothing that is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from math import comb, log2
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.records import CONTRACT_STATUSES, DIRECTIONS, Call, Page, Unreadable
from replicator.store.verification import COLUMNS, LiveCall, StoredCall
from replicator.sync.coverage.ledger import BEGINNING, Ledger, Piece
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.verify.compare import Comparison, compare_page, confirm, in_order, shifted
from replicator.verify.sample import (
    CONFIDENCE,
    OVERLAP,
    Point,
    at_most_share,
    draw,
    filters_of,
    is_total_equal,
    pages_of,
    probe,
    ranks,
    statement,
    stretches,
    without_spare,
)

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


# Where to look -----------------------------------------------------------------------------------------------------


@given(st.integers(0, 5000))
def test_pages_cover_the_list_and_overlap(total: int) -> None:
    """Every place of the list is on a page, and neighbours share their overlap."""
    offsets = list(pages_of(total))
    assert {place for offset in offsets for place in range(offset, offset + PAGE_LIMIT)} >= set(range(total))
    assert all(b - a == PAGE_LIMIT - OVERLAP for a, b in pairwise(offsets))
    assert offsets[-1] < max(1, total)


@given(st.integers(0, 100_000), st.integers(1, 60), st.integers(0, 9))
def test_a_draw_is_repeatable_and_never_doubles(total: int, most: int, seed: int) -> None:
    """The seed decides; no page is drawn twice; all are drawn where that many are wanted."""
    drawn = draw(total, most, Random(seed))
    assert drawn == draw(total, most, Random(seed))
    assert len(set(drawn)) == len(drawn) == min(most, len(pages_of(total)))


def test_filters_begin_with_what_is_most() -> None:
    """Stored values and the contract's, the most frequent first, never more than asked, no empty word."""
    every = filters_of({"ended": 5, "completed": 90, "": 3}, {"webrtc": 2}, 99)
    assert every[:3] == [("status", "completed"), ("status", "ended"), ("direction", "webrtc")]
    assert {value for _, value in every} == {*CONTRACT_STATUSES, *DIRECTIONS, "ended", "webrtc"}
    assert filters_of({"ended": 5}, {}, 1) == [("status", "ended")]


lists = st.lists(st.integers(0, 60) | st.integers(40, 45), min_size=1, max_size=80).map(sorted)


@given(lists, st.integers(1, 30), st.booleans(), st.data())
def test_ranks_are_true(seconds: list[int], limit: int, is_ascending: bool, data: st.DataObject) -> None:
    """Whatever a page says about a rank is the number of calls created then or before; ties and bad rows included."""
    offset = data.draw(st.integers(0, len(seconds) - 1))
    listed = seconds if is_ascending else seconds[::-1]
    rows = listed[offset : offset + limit]
    created = tuple(None if data.draw(st.integers(0, 9)) == 9 else at(one) for one in rows)
    page = Page((), (), created, offset, limit, len(seconds), None, None)
    for when, count in ranks(page, at(50)):
        assert count == sum(at(one) <= when for one in seconds)
        assert when < at(50)


def test_a_page_without_ties_gives_both_its_ends() -> None:
    """The head gives its first row and its last; a later page its second and its last."""
    rows = tuple(at(100 - number) for number in range(10))
    for offset, first in ((0, 10), (5, 14)):
        page = Page((), (), rows, offset, 10, 10 + 2 * offset, None, None)
        assert [count for _, count in ranks(page, READ_UNTIL)] == [first, page.total - offset - 9]  # type: ignore[operator]


@given(lists, st.sets(st.integers(0, 79)), st.sets(st.integers(0, 60)), st.sets(st.integers(-1, 61), min_size=1))
def test_stretches_say_where_ranks_part(seconds: list[int], gone: set[int], extra: set[int], asked: set[int]) -> None:
    """Between two neighbouring points a stretch says exactly by how much; what is explained is not said again."""
    source, replica = seconds, sorted([one for place, one in enumerate(seconds) if place not in gone] + list(extra))

    def count(of: list[int], until: int) -> int:
        return sum(one <= until for one in of)

    points = [Point(at(one), count(source, one), count(replica, one)) for one in asked]
    parted = {one.newer.created_at: one for one in stretches(points, ())}
    since = -2
    for until in sorted(asked):
        true = sum(since < one <= until for one in source) - sum(since < one <= until for one in replica)
        assert (parted[at(until)].calls if at(until) in parted else 0) == true
        since = until
    reasons = [((place, 1), at(one), 1) for place, one in enumerate(seconds) if place in gone]
    reasons += [((one, -1), at(one), -1) for one in extra]
    assert stretches(points, reasons * 2) == []


@pytest.mark.parametrize("order", ["descending", "ascending"])
@given(st.integers(2, 200_000), st.data())
def test_bisecting_finds_one_missing_call(order: Any, length: int, data: st.DataObject) -> None:
    """From nothing but the newest rank, few probes lead to a page that holds the call that the replica lacks."""
    gone = data.draw(st.integers(1, length - 1))  # created in second `gone`, as the call of rank `gone`

    def point(rank: int) -> Point:
        return Point(at(rank), rank, rank - (rank >= gone))

    points = [point(length)]
    for _ in range(int(log2(length)) + 3):
        (stretch,) = stretches(points, ())
        offset = probe(stretch, length, order)
        newest = length - offset if order == "descending" else min(length, offset + PAGE_LIMIT)
        held = range(max(1, newest - PAGE_LIMIT + 1), newest + 1)
        if gone in held:
            break
        points += [point(held[0]), point(held[-1])]
    else:
        pytest.fail("not found")
    assert len(points) <= 2 * max(1, log2(length / 40) + 1)


def test_rows_that_cannot_be_counted_here_explain_a_surplus_only() -> None:
    """Rows in quarantine can make the source longer by as many, never the replica."""
    points = [Point(at(1), 12, 10), Point(at(2), 13, 12), Point(at(3), 20, 20)]
    found = stretches(points, ())
    assert [one.calls for one in found] == [-1, -1, 2]
    assert [one.calls for one in without_spare(found, 2)] == [-1, -1]
    assert [one.calls for one in without_spare(found, 1)] == [-1, -1, 2]


def test_a_shift_is_confirmed_by_a_probe() -> None:
    """A stretch that a probe narrowed was seen twice; one that reaches the beginning has no lower end."""
    wide, narrow = stretches([Point(at(9), 5, 3), Point(at(5), 2, 1, is_probe=True)], ())
    assert shifted(wide).is_confirmed
    assert shifted(narrow).since is None
    assert not shifted(stretches([Point(at(9), 5, 3)], ())[0]).is_confirmed


@pytest.mark.parametrize(
    ("source", "replica", "newer", "spare", "is_exact", "is_equal"),
    [
        (10, 10, 0, 0, True, True),
        (9, 10, 0, 0, True, False),
        (12, 10, 2, 0, True, True),
        (11, 10, 2, 0, True, False),
        (11, 10, 2, 0, False, True),
        (13, 10, 2, 0, False, False),
        (13, 10, 2, 1, False, True),
        (9, 10, 2, 5, False, False),
    ],
)
def test_totals(source: int, replica: int, newer: int, spare: int, is_exact: bool, is_equal: bool) -> None:
    """Newer calls are expected in the list's total, and may or may not be in a filter's."""
    assert is_total_equal(source, replica, newer, spare, is_newer_exact=is_exact) is is_equal


@given(st.integers(1, 400), st.integers(0, 400))
def test_the_bound_is_the_binomial_one(pages: int, bad: int) -> None:
    """At the bound, seeing so few bad pages has a chance of just 5 %; without any, it is 1 - 0.05 ** (1/m)."""
    share = at_most_share(pages, bad)
    if bad >= pages:
        assert share == 1.0
        return
    few = sum(comb(pages, k) * share**k * (1 - share) ** (pages - k) for k in range(bad + 1))
    assert few == pytest.approx(1 - CONFIDENCE, rel=1e-6)
    if not bad:
        assert share == pytest.approx(1 - 0.05 ** (1 / pages))


def test_the_bound_in_words() -> None:
    """Nothing drawn says nothing; a sample states its bound; everything is everything."""
    assert "nothing is said" in statement(0, 0, is_complete=False)
    assert "13.9% of all pages" in statement(20, 0, is_complete=False)
    assert statement(5, 0, is_complete=True).startswith("complete")
    assert at_most_share(0) == 1.0
    assert at_most_share(5, 0, is_complete=True) == 0.0


def test_differences_are_shown_newest_first_by_kind() -> None:
    """Kinds in a fixed order, then the newest call."""
    found = compare(a_page(a_call(3), a_call(2)), inside=(LiveCall(UUID(int=9), at(2), None, NOON),))
    assert [(one.kind, one.created_at) for one in in_order(reversed(found.differences))] == [
        ("missing", at(3)),
        ("missing", at(2)),
        ("extra", at(2)),
    ]
