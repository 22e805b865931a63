"""What the plain list does not show is read below it by `created_before`, and the rows prove that the parts meet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from replicator.store.doubts import Doubt
from replicator.sync.coverage.filters import BEFORE, DIMENSIONS
from replicator.sync.coverage.ledger import BEGINNING, TICK, Interval
from tests.sync.coverage.fix_filtered import NOW, Filtered, Row, Shape, calls, known

pytestmark = pytest.mark.pure

ALL = frozenset({*DIMENSIONS, BEFORE})
TIMED = Shape(cap=100, honoured=frozenset({BEFORE}))


@pytest.mark.parametrize("is_inclusive", [True, False])
@pytest.mark.parametrize("grain", [TICK, timedelta(seconds=1), timedelta(minutes=1)], ids=str)
def test_parts_that_are_capped_prove_the_whole_stretch(is_inclusive: bool, grain: timedelta) -> None:
    """A thousand calls a few minutes apart, behind a cap of 100: all are read and proven, however the instant is read."""
    shape = Shape(cap=100, honoured=TIMED.honoured, is_inclusive=is_inclusive, grain=grain)
    done = Filtered(shape, calls(1000, seconds=900)).read_through()
    assert done.ledger.is_proven(done.hole)
    assert len(done.read) == 1000
    assert len(done.asked) <= (40 if grain < timedelta(minutes=1) else 80)
    assert done.capped_at == 100


def test_a_list_that_is_not_capped_is_proven_for_a_few_requests() -> None:
    """Nothing lies below its end, which no cap explains: its total counts its calls."""
    done = Filtered(Shape(cap=10**6, honoured=ALL), calls(700)).read_through(Doubt.ROUND)
    assert done.ledger.is_proven(done.hole)
    assert done.capped_at is None
    assert len(done.asked) <= 6


def test_an_ignored_filter_costs_one_request() -> None:
    """Its first row is newer than what was asked for."""
    done = Filtered(Shape(cap=100, honoured=frozenset()), calls(300)).read_through()
    assert [asked[0][0] for asked in done.asked].count(BEFORE) == 1
    assert done.doubts == {Doubt.UNHONOURED}


def test_an_instant_that_is_cut_to_its_day_proves_nothing() -> None:
    """Calls of that day are hidden from the list before it; no row shows where the parts meet, so none is believed."""
    shape = Shape(cap=100, honoured=frozenset({BEFORE}), grain=timedelta(days=1))
    done = Filtered(shape, calls(600, seconds=200)).read_through()
    assert done.lost() == []
    assert not done.ledger.is_proven(done.hole)
    assert len(done.asked) < 60


def test_a_second_with_more_calls_than_the_cap_is_divided_by_value() -> None:
    """170 calls of one instant, behind a cap of 60: they are left to the other filters and stay unsure. What lies below is
    read on and proven.
    """
    rows = calls(150)
    at = rows[100].created_at
    crowd = [
        Row(1000 + number, at, "busy", ("inbound", "outbound")[number % 2], "abc"[number % 3]) for number in range(170)
    ]
    done = Filtered(Shape(cap=60, honoured=ALL, known=known([*rows, *crowd])), [*rows, *crowd]).read_through()
    assert done.lost() == []
    assert len(done.read) == 320
    assert done.doubts <= {Doubt.SLICED, Doubt.TIE}
    assert done.ledger.is_proven(Interval(BEGINNING, rows[102].created_at))
    assert not done.ledger.is_proven(Interval(at, at + TICK))


def test_a_part_that_fits_on_a_page_is_believed_and_a_longer_one_is_not() -> None:
    """A storage that ends filtered lists sooner than the plain one is found out: each longer part is continued."""

    class Sooner(Filtered):
        def page(self, wanted: tuple[tuple[str, str], ...], offset: int, limit: int) -> tuple[list[Row], int]:
            found = self.matching(wanted)[: 130 if wanted else self.shape.cap]
            return found[offset : offset + limit], len(found)

    done = Sooner(Shape(cap=500, honoured=frozenset({BEFORE})), calls(1200)).read_through()
    assert len(done.read) == 1200
    assert done.ledger.is_proven(done.hole)


def test_a_moving_list_is_followed() -> None:
    """Calls are created and deleted between any two requests: nothing that is called proven hides a call."""
    for seed in range(20):
        done = Filtered(Shape(cap=150, honoured=ALL, churn=3), calls(700, seed=seed, tie=3), seed).read_through()
        assert done.lost() == []
        assert done.ledger.is_proven(Interval(BEGINNING, NOW - timedelta(days=4)))
