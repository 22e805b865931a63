"""Where a verification looks, and what all its looks say together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import comb, log2
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.records import CONTRACT_STATUSES, DIRECTIONS, Page
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.verify.sample import (
    CONFIDENCE,
    LONGEST_WORD,
    ORIGIN,
    OVERLAP,
    Point,
    Stretch,
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


def at(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_page(created: list[int | None], offset: int, total: int | None) -> Page:
    rows = tuple(None if one is None else at(one) for one in created)
    return Page((), (), rows, offset, PAGE_LIMIT, total, None, None)


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


def test_an_empty_list_is_one_page() -> None:
    """A single request shows that nothing is there; so few rows that they all overlap are one page, too."""
    for total in (0, 1, OVERLAP, PAGE_LIMIT):
        assert list(pages_of(total)) == [0]
    assert list(pages_of(PAGE_LIMIT + 1)) == [0, PAGE_LIMIT - OVERLAP]
    assert draw(0, 5, Random(0)) == [0]


def test_words_that_are_none_are_no_filters() -> None:
    """An empty status, and one that is longer than a word; none are asked for where none are wanted."""
    found = filters_of({"": 9, "x" * LONGEST_WORD: 5, "x" * (LONGEST_WORD + 1): 7}, {}, 99)
    assert found[0] == ("status", "x" * LONGEST_WORD)
    assert all(0 < len(value) <= LONGEST_WORD for _, value in found)
    assert filters_of({"ended": 5}, {}, 0) == []


@pytest.mark.parametrize("total", [None, 11])
def test_a_page_that_tells_no_rank_is_silent(total: int | None) -> None:
    """Without a total, where the page reaches beyond it, and where its rows are in no order."""
    assert ranks(a_page([9, 8, 7], 9, total), READ_UNTIL) == []
    assert ranks(a_page([9, 7, 8], 0, 20), READ_UNTIL) == []
    assert ranks(a_page([], 0, 0), READ_UNTIL) == []
    assert ranks(a_page([None, None], 0, 2), READ_UNTIL) == []


def test_ties_at_the_head_tell_no_rank_unless_they_are_the_whole_list() -> None:
    """Without two different instants nobody knows which end is the newest."""
    assert ranks(a_page([9, 9, 9], 0, 20), READ_UNTIL) == []
    assert ranks(a_page([9, 9, 9], 0, 3), READ_UNTIL) == [(at(9), 3)]
    assert ranks(a_page([9], 0, 1), at(9)) == []  # not before the top


def test_a_probe_stays_inside_the_list() -> None:
    """However the list has shrunk meanwhile, the offset is one of its rows."""
    stretch = Stretch(ORIGIN, Point(at(9), 500, 499), 1)
    for total in (1, 50, 500, 501):
        for order in ("descending", "ascending"):
            assert 0 <= probe(stretch, total, order) < total  # type: ignore[arg-type]


def test_no_points_part_nowhere() -> None:
    """Nothing was looked at: nothing is said. Of two looks at one instant the last one counts."""
    assert stretches([], []) == []
    assert stretches([Point(at(1), 9, 5), Point(at(1), 9, 9)], []) == []
    (one,) = stretches([Point(at(1), 9, 5)], [])
    assert (one.older, one.calls) == (ORIGIN, 4)


def test_a_surplus_is_explained_once() -> None:
    """Two stretches of two calls each, and three rows that cannot be counted: one of the stretches is explained, not both."""
    found = stretches([Point(at(1), 2, 0), Point(at(2), 4, 0)], [])
    assert [one.calls for one in found] == [2, 2]
    assert [one.calls for one in without_spare(found, 3)] == [2]
    assert without_spare(found, 4) == []
    assert without_spare(found, 0) == found


@pytest.mark.parametrize(("pages", "bad", "share"), [(10, 10, 1.0), (10, 4, 0.4), (10, 0, 0.0), (0, 0, 0.0)])
def test_where_all_was_read_the_share_is_what_was_seen(pages: int, bad: int, share: float) -> None:
    """Nothing is estimated."""
    assert at_most_share(pages, bad, is_complete=True) == share


def test_differences_raise_the_bound_and_pages_lower_it() -> None:
    """More pages without a difference bound it closer, more with one widen it; never beyond all of them."""
    clean = [at_most_share(pages) for pages in (0, 1, 10, 100)]
    assert clean == sorted(clean, reverse=True)
    shares = [at_most_share(20, bad) for bad in range(21)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert "3 of them with a difference" in statement(20, 3, is_complete=False)
