"""The ledger as a set of instants: what a response proves, what is recorded, what is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import (
    BEGINNING,
    DEFAULT_POLICY,
    END,
    HEAD_MARGIN,
    TICK,
    Interval,
    Ledger,
    Piece,
    difference,
    order_of,
    prove,
    prove_empty,
)

pytestmark = pytest.mark.pure


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(ticks: int) -> datetime:
    return NOON + ticks * TICK


moments = st.integers(0, 40).map(at)
looks = st.builds(
    lambda a, b, verified, proven: Piece(min(a, b), max(a, b) + TICK, NOON + timedelta(days=verified), is_proven=proven),
    moments, moments, st.integers(0, 5), st.booleans(),
)  # fmt: skip


@given(st.lists(looks, max_size=12), moments)
def test_what_lies_behind_an_instant_can_be_forgotten(pieces: list[Piece], instant: datetime) -> None:
    """What lies before it stays as it was; where nothing lies behind it, the ledger is the same one, and nothing is stored."""
    ledger = Ledger()
    for piece in pieces:
        ledger = ledger.record(piece)
    before = ledger.until(instant)
    for moment in map(at, range(42)):
        assert before.at(moment) is None if moment >= instant else _look(before, moment) == _look(ledger, moment)
    assert (before is ledger) == (ledger.at(instant) is None and not any(p.since > instant for p in ledger.pieces))


def _look(ledger: Ledger, moment: datetime) -> tuple[datetime, bool] | None:
    piece = ledger.at(moment)
    return None if piece is None else (piece.verified_at, piece.is_proven)


@given(st.lists(looks, max_size=12))
def test_each_instant_keeps_the_look_that_counts(pieces: list[Piece]) -> None:
    """For every instant: the latest look, except that doubt does not replace a proof of the same moment; and the joined
    pieces never claim to be fresher than the looks that they were made of.
    """
    ledger = Ledger()
    for piece in pieces:
        ledger = ledger.record(piece)
    for tick in range(42):
        best: Piece | None = None
        for piece in pieces:
            if not piece.since <= at(tick) < piece.until:
                continue
            is_doubt = best is not None and best.is_proven and not piece.is_proven
            if best is None or (
                piece.verified_at > best.verified_at if is_doubt else piece.verified_at >= best.verified_at
            ):
                best = piece
        found = ledger.at(at(tick))
        assert (found is None) == (best is None)
        if found is not None and best is not None:
            assert found.is_proven == best.is_proven
            assert found.verified_at <= best.verified_at


@given(st.lists(looks, max_size=12), moments, moments)
def test_holes_are_exactly_what_is_not_covered(pieces: list[Piece], one: datetime, other: datetime) -> None:
    """Holes and pieces partition every interval; pieces are disjoint and in order."""
    ledger = Ledger()
    for piece in pieces:
        ledger = ledger.record(piece)
    within = Interval(min(one, other), max(one, other) + TICK)
    holes = ledger.holes(within)
    instant = within.since
    while instant < within.until:
        in_hole = any(hole.since <= instant < hole.until for hole in holes)
        assert in_hole == (ledger.at(instant) is None)
        instant += TICK
    assert list(ledger.pieces) == sorted(ledger.pieces)
    assert all(a.until <= b.since for a, b in zip(ledger.pieces, ledger.pieces[1:], strict=False))


@given(st.lists(looks, max_size=6), st.lists(looks, max_size=6))
def test_a_difference_turns_one_ledger_into_the_other(one: list[Piece], other: list[Piece]) -> None:
    """Removing what is gone and adding what is new gives the other ledger: what the database does."""
    before = after = Ledger()
    for piece in one:
        before = before.record(piece)
    for piece in other:
        after = after.record(piece)
    removed, added = difference(before, after)
    assert sorted((set(before.pieces) - set(removed)) | set(added)) == list(after.pieces)


@given(st.lists(moments, max_size=12), st.integers(0, 3))
def test_a_response_proves_what_lies_strictly_inside(created: list[datetime], offset: int) -> None:
    """Nothing is claimed of the instants of the first and the last row, but at the ends of the list."""
    created = sorted(created, reverse=True)
    proven = prove(created, offset=offset, server_time=None)
    for tick in range(42):
        is_inside = (
            bool(created)
            and created[-1] < at(tick)
            and (at(tick) < created[0] or (offset == 0 and at(tick) == created[0]))
        )
        assert is_inside == (proven is not None and proven.since <= at(tick) < proven.until)


def test_the_head_is_believed_up_to_a_margin() -> None:
    """At offset 0 a response proves that nothing newer was there, but for rows that were just being written."""
    server_time = NOON + timedelta(minutes=1)
    proven = prove([NOON, NOON - timedelta(hours=1)], offset=0, server_time=server_time)
    assert proven is not None
    assert proven.until == server_time - HEAD_MARGIN


def test_a_proven_last_page_is_open_downwards() -> None:
    """Nothing is older than the end of the list."""
    proven = prove([NOON], offset=7, server_time=None, is_last=True)
    assert proven == Interval(BEGINNING, NOON)


def test_an_unsorted_response_proves_nothing() -> None:
    """The order is an assumption that is checked on every response."""
    mixed = [NOON, NOON + timedelta(hours=1), NOON]
    assert order_of(mixed) == "mixed"
    assert prove(mixed, offset=0, server_time=None) is None


def test_an_ascending_response_is_mirrored() -> None:
    """Oldest first: the interior is proven all the same, and offset 0 is the beginning."""
    rows = [NOON, NOON + timedelta(hours=1)]
    assert prove(rows, offset=5, server_time=None) == Interval(NOON + TICK, NOON + timedelta(hours=1))
    assert prove(rows, offset=0, server_time=None) == Interval(BEGINNING, NOON + timedelta(hours=1))


def test_an_empty_list_proves_only_with_the_servers_clock() -> None:
    """No calls up to the moment of the answer, if the server says when that was."""
    assert prove_empty(None) is None
    assert prove_empty(NOON) == Interval(BEGINNING, NOON - HEAD_MARGIN)


def test_young_calls_are_due_sooner_than_old_ones() -> None:
    """After two hours today's calls are due, last month's are not; the newest due stretch comes first."""
    verified = NOON - timedelta(hours=2)
    ledger = Ledger((Piece(BEGINNING, NOON - timedelta(hours=2), verified),))
    due = ledger.due(NOON, DEFAULT_POLICY)
    assert due is not None
    assert due.until == NOON - timedelta(hours=2)
    assert due.since == NOON - timedelta(hours=6)
    assert Ledger((Piece(BEGINNING, NOON - timedelta(days=20), verified),)).due(NOON, DEFAULT_POLICY) is None


def test_the_top_is_where_coverage_ends() -> None:
    """Without coverage it is the beginning of time."""
    assert Ledger().top == BEGINNING
    assert Ledger().holes() == (Interval(BEGINNING, END),)


OLD = timedelta(days=400)
"""The age of calls whose looks the policy joins within nine days."""


def long_ago(hours: float) -> datetime:
    return NOON - OLD + timedelta(hours=hours)


def test_looks_are_joined_within_the_grain_and_on_one_side_of_the_fence() -> None:
    """A stretch that was read again must not take the older time of its neighbour."""
    minute = timedelta(minutes=1)
    before = Ledger((Piece(long_ago(0), long_ago(9), NOON - 5 * minute),))
    again = Piece(long_ago(5), long_ago(6), NOON)
    assert len(before.record(again).pieces) == 1
    for policy, pieces in (
        (replace(DEFAULT_POLICY, grain=4 * minute), 3),
        (replace(DEFAULT_POLICY, grain=5 * minute), 1),
        (replace(DEFAULT_POLICY, fence=NOON), 3),
        (replace(DEFAULT_POLICY, fence=NOON - 5 * minute), 1),
        (replace(DEFAULT_POLICY, fence=NOON + TICK), 1),
    ):
        assert len(before.record(again, policy).pieces) == pieces, policy


def test_reading_the_oldest_look_a_little_at_a_time_reaches_all_of_it() -> None:
    """One of 100 parts every two minutes, as credit pays for it: after each round no look is older than a round and a
    third; the ledger stays small.
    """
    parts, step = 100, timedelta(minutes=2)
    policy = replace(DEFAULT_POLICY, grain=parts * step / 10)
    now, ledger = NOON, Ledger((Piece(long_ago(0), long_ago(parts), NOON),))
    for _ in range(3):
        for _ in range(parts + 10):
            now += step
            hole = ledger.stalest(now - step / 2, now)
            assert hole is not None
            part = Piece(max(hole.since, hole.until - timedelta(hours=1)), hole.until, now)
            ledger = ledger.record(part, policy)
        assert min(piece.verified_at for piece in ledger.pieces) > now - 1.3 * parts * step
        assert len(ledger.pieces) < 40


def test_the_oldest_look_is_read_on_downwards() -> None:
    """From the upper end of the piece with the oldest look, as far as what follows is old too; what only filters show is
    left out, and an unsure stretch waits longer.
    """
    hour = timedelta(hours=1)
    pieces = (
        Piece(long_ago(0), long_ago(1), NOON - 3 * hour),
        Piece(long_ago(1), long_ago(2), NOON - 9 * hour),
        Piece(long_ago(2), long_ago(3), NOON - 5 * hour, is_proven=False, reason=Doubt.LOST),
        Piece(long_ago(3), long_ago(4), NOON - 99 * hour, is_proven=False, reason=Doubt.SLICED),
    )
    ledger = Ledger(pieces)
    assert ledger.stalest(NOON, NOON) == Interval(long_ago(0), long_ago(2))
    assert ledger.stalest(NOON - 4 * hour, NOON) == Interval(long_ago(1), long_ago(2))
    assert Ledger(pieces[2:]).stalest(NOON, NOON - 6 * hour) is None
    assert Ledger(pieces[2:]).stalest(NOON, NOON) == Interval(long_ago(2), long_ago(3))
    assert ledger.without(Interval(long_ago(0), long_ago(3))).stalest(NOON, NOON) is None
