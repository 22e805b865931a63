"""The planner's state: what of a stretch that is to be compared is left."""

from __future__ import annotations

import pytest

from replicator.sync.coverage.ledger import BEGINNING, Interval, Ledger, Piece
from replicator.sync.engine.state import Comparison
from tests.sync.fix_values import NOW, at

pytestmark = pytest.mark.pure


def test_what_was_compared_since_is_done() -> None:
    """The newest part is left first, over neighbours; holes are not compared but read for the first time."""
    pieces = (
        Piece(BEGINNING, at(-90), at(-5)),
        Piece(at(-90), at(-60), at(-4)),
        Piece(at(-30), at(-20), at(-3)),
        Piece(at(-20), at(0), at(1)),
    )
    asked = Comparison(NOW)
    assert asked.left(Ledger(pieces)) == Interval(at(-30), at(-20))
    assert asked.left(Ledger(pieces[:2])) == Interval(BEGINNING, at(-60))
    assert asked.left(Ledger(pieces[3:])) is None
    assert Comparison(NOW, Interval(at(-70), at(-25))).left(Ledger(pieces[:2])) == Interval(at(-70), at(-60))
    assert Comparison(NOW, Interval(at(-55), at(-35))).left(Ledger(pieces)) is None
