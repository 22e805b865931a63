"""What a position remembers of answers that come in while others are still to be committed: no network, no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.records import Page
from replicator.sync.coverage.ledger import BEGINNING, Ledger, Piece
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.deletions import bisect
from replicator.sync.engine.failures import Verdict
from replicator.sync.engine.position import Batch, Position, Source, absorb
from replicator.sync.engine.presence import Presence
from replicator.sync.engine.state import State
from replicator.sync.protocol.requests import Outcome, Request

pytestmark = pytest.mark.pure


NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROVEN = Ledger((Piece(BEGINNING, NOW, NOW),))


def compare(position: Position) -> Position:
    """Compare the totals. Nothing is suspected here, so the replica is asked nothing."""
    decision = Presence(timedelta(minutes=10), ()).compare(position, NOW)
    with pytest.raises(StopIteration) as end:
        next(decision)
    compared: Position = end.value.value
    return compared


def page(position: Position, *, lane: Lane, total: int, is_head: bool = False) -> Position:
    """Let a position take a page that shows one call."""
    walk = Walk(lane, position.stored.pieces[0].interval, offset=0)
    request = Request(lane, 0, NOW, walk, is_head)
    created = (NOW - timedelta(days=1),)
    answer = Page((), (), created, 0, 100, total, None, NOW)
    outcome = Outcome(request, NOW, NOW, NOW, page=answer)
    return absorb(position, outcome, Verdict.TAKEN, Batch(), stored_before={created[0]: 0})


def test_the_end_of_a_search_is_remembered_until_it_is_compared() -> None:
    """A poll of the head that comes in after a search's last page, and before both are committed, does not hide that the
    search is over: what it could not explain is remembered, and is not searched for again.
    """
    search = replace(bisect.begin(NOW, total=1, surplus=1), left=1)
    state = State(PROVEN, search=search)
    position = Position(state, PROVEN, Source("", total=1), live=2)
    position = page(position, lane=Lane.SEARCH, total=1)
    assert position.state.search is None
    position = page(position, lane=Lane.FRESH, total=1, is_head=True)
    assert (position.is_total_new, position.is_search_over) == (True, True)
    compared = compare(position)
    assert compared.difference == 1
    assert compared.state.search is None
    assert (compared.is_total_new, compared.is_search_over) == (False, False)


def test_a_new_total_begins_a_search_once() -> None:
    """A total that is not the number of live calls is searched for; without a new total nothing is compared."""
    position = Position(State(PROVEN), PROVEN, Source("", total=1), live=2)
    assert compare(position).state.search is None
    position = compare(page(position, lane=Lane.FRESH, total=1, is_head=True))
    assert position.state.search is not None
