"""What a position remembers of answers that come in while others are still to be committed: no network, no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from replicator.records import Page
from replicator.sync.coverage.ledger import BEGINNING, Interval, Ledger, Piece
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.deletions import bisect
from replicator.sync.engine.failures import Verdict
from replicator.sync.engine.position import PAID_EVERY, Batch, Position, Source, absorb, committed, paid_for
from replicator.sync.engine.presence import Presence
from replicator.sync.engine.state import Left, State
from replicator.sync.protocol.requests import Outcome, Request
from replicator.sync.protocol.results import Committed

pytestmark = pytest.mark.pure


NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROVEN = Ledger((Piece(BEGINNING, NOW, NOW),))


def compare(position: Position) -> Position:
    """Compare the totals. Nothing is suspected here, so the replica is asked nothing."""
    decision = Presence(timedelta(minutes=10), (), 1).compare(position, NOW)
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


def test_a_stretch_that_begins_to_fail_is_stored() -> None:
    """Though no answer came in: a run that ends with it says so, and the next one knows it."""
    quiet = Position(State(Ledger()), Ledger(), Source("x"))
    quiet = replace(quiet, stored=quiet.state.ledger)
    assert not quiet.is_to_be_stored
    at = datetime(2026, 3, 1, tzinfo=UTC)
    fails = replace(quiet, state=replace(quiet.state, left={at: Left(Interval(BEGINNING, at), at, at, at)}))
    assert fails.is_to_be_stored
    assert not committed(fails, Committed(0, None, has_absences=False, inserted=0, news=0)).is_to_be_stored


def test_credit_is_counted_once_a_second() -> None:
    """Each turn of a run would cost more than it earns; a clock that was set back is followed at once."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    first = paid_for(Position(State(Ledger()), Ledger(), Source("x", 10_000, at)), at, 90)
    assert first.state.credit.at == at
    assert paid_for(first, at + PAID_EVERY / 2, 90) is first
    later = paid_for(first, at + 60 * PAID_EVERY, 90)
    assert later.state.credit.requests == pytest.approx(27)
    assert paid_for(later, at, 90).state.credit.at == at


def test_a_cap_ends_with_its_total() -> None:
    """A list that has another total by now ends elsewhere."""
    position = Position(State(PROVEN, capped_at=1000), PROVEN, Source("x", 1000))
    for total, left in ((1000, 1000), (1200, None), (900, None)):
        assert page(position, lane=Lane.FRESH, total=total, is_head=True).state.capped_at == left


@pytest.mark.parametrize(
    ("lanes", "is_one"),
    [((), False), ((Lane.COMPARE,), True), ((Lane.RENEWAL, Lane.REREAD), True), ((Lane.COMPARE, Lane.FRESH), False)],
)
def test_a_batch_of_comparisons_has_nothing_else_in_it(lanes: tuple[Lane, ...], is_one: bool) -> None:
    """A page of new calls, or an answer about a detail, is waited for: what it queues is sent after its commit."""
    outcomes = [Outcome(Request(lane, 0, NOW), NOW, NOW) for lane in lanes]
    assert Batch(outcomes).is_comparison is is_one
