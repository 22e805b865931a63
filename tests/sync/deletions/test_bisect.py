"""Where replica and source differ is found with offsets and totals, in few requests: no network, no database."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.sync.coverage.ledger import END, prove
from replicator.sync.coverage.page import PAGE_LIMIT, Seen
from replicator.sync.deletions import bisect

pytestmark = pytest.mark.pure


NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Pair:
    """A source and a replica as sorted instants of created_at, and a search between the two."""

    def __init__(self, listed: list[int], stored: list[int]) -> None:
        self.listed, self.stored = listed, stored
        self.requests = 0
        self.shown: list[tuple[int, int]] = []
        """Stretches (since, until) that pages proved."""

    def page(self, offset: int) -> Seen:
        high = len(self.listed) - offset
        rows = self.listed[max(0, high - PAGE_LIMIT) : max(0, high)][::-1]
        return Seen(tuple(at(one) for one in rows), offset, len(self.listed), NOW)

    def search(self) -> bisect.Search:
        surplus = len(self.stored) - len(self.listed)
        search = bisect.begin(NOW, total=len(self.listed), surplus=surplus)
        self.requests = 1  # the first page, which told the total
        while not search.is_over:
            seen = self.page(bisect.next_offset(search, len(self.listed)))
            self.requests += 1
            counts = {mark: bisect_left(self.stored, number(mark)) for mark in bisect.marks(seen)}
            proven = prove(seen.created, offset=seen.offset, server_time=None)
            if proven:
                self.shown.append((number(proven.since), number(min(proven.until, at(10**9)))))
            search = bisect.absorb(search, seen, counts)
        return search

    def found(self) -> set[int]:
        """Return what is stored, listed nowhere, and inside a stretch that a page proved."""
        gone = set(self.stored) - set(self.listed)
        return {one for one in gone if any(since <= one < until for since, until in self.shown)}


def at(one: int) -> datetime:
    return NOW - timedelta(days=400) + timedelta(microseconds=one)


def number(instant: datetime) -> int:
    return (instant - NOW + timedelta(days=400)) // timedelta(microseconds=1)


MILLION = list(range(0, 30_000_000, 30))


@pytest.mark.slow
@pytest.mark.parametrize(("deletions", "most"), [(0, 1), (1, 20), (2, 40), (10, 130)])
def test_requests_for_deletions_among_a_million(deletions: int, most: int) -> None:
    """None costs the one request that told the total; one is found in 20 at most, ten in 130."""
    for seed in range(6):
        rng = random.Random(seed)
        gone = set(rng.sample(MILLION[1:-1], deletions))
        pair = Pair([one for one in MILLION if one not in gone], MILLION)
        pair.search()
        assert pair.requests <= most
        assert pair.found() == gone


def test_a_contiguous_bulk_deletion_is_one_place() -> None:
    """A thousand neighbours that vanish are one gap: a page that spans it shows them all."""
    gone = set(MILLION[400_000:401_000])
    pair = Pair([one for one in MILLION if one not in gone], MILLION)
    pair.search()
    assert pair.found() == gone
    assert pair.requests <= 20


@given(
    st.lists(st.integers(0, 400), min_size=0, max_size=400, unique=True),
    st.sets(st.integers(0, 400), max_size=60),
    st.sets(st.integers(0, 400), max_size=20),
)
def test_it_ends_and_finds_what_it_can(stored: list[int], gone: set[int], late: set[int]) -> None:
    """Whatever differs, in both directions at once: the search ends, and where only deletions happened all are shown,
    but for those beyond the list's end, which it says.
    """
    stored = sorted(stored)
    listed = sorted((set(stored) - gone) | late)
    pair = Pair(listed, stored)
    search = pair.search()
    assert pair.requests <= bisect.LEAST_PATIENCE + 2
    if not late - set(stored) and listed:
        beyond = {one for one in stored if one < listed[0]} | {one for one in stored if one > listed[-1]}
        missing = set(stored) - set(listed) - beyond
        assert missing <= pair.found()
        if any(one < listed[0] for one in stored):
            assert search.below is not None


def test_ties_do_not_mislead() -> None:
    """Groups of up to 60 equal instants: one deletion inside a group is found with it."""
    stored = sorted(one * 60 for one in range(3000) for _ in range(1 + one % 60))
    for victim in (5, 1000, 2222, 2999):
        gone_at = victim * 60
        listed = list(stored)
        listed.remove(gone_at)
        pair = Pair(listed, stored)
        pair.search()
        assert any(since <= gone_at < until for since, until in pair.shown), victim
        assert pair.requests <= 30


def test_a_source_without_totals_is_not_searched() -> None:
    """Without a total a page tells no rank: the search ends at once."""
    search = bisect.begin(NOW, total=1000, surplus=1)
    seen = Seen((at(5), at(4)), 500, None, NOW)
    assert bisect.marks(seen) == ()
    assert bisect.absorb(search, seen, {}).is_over


def test_a_search_gives_up_when_a_whole_pass_is_cheaper() -> None:
    """Its patience is bounded by the number of pages of the list, and by the size of the difference."""
    assert bisect.begin(NOW, total=100_000, surplus=50_000).left == 1000
    assert bisect.begin(NOW, total=1_000_000, surplus=1).left == bisect.LEAST_PATIENCE
    assert bisect.begin(NOW, total=1_000_000, surplus=10).left == 300
    assert bisect.begin(NOW, total=1_000_000, surplus=0).is_over
    whole = bisect.begin(NOW, total=10, surplus=1).stretches[0]
    assert whole.high.at == END
