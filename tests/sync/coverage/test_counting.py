"""Lists are counted by their slices: what adds up is whole, what holds more is capped, and what is ignored says nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from replicator.store.doubts import Doubt
from replicator.sync.coverage.counting import MARGIN, MOST_AGENTS, Counted, Found, absorb, begin
from replicator.sync.coverage.ledger import BEGINNING, Interval
from replicator.sync.coverage.page import Filter, Seen
from tests.sync.coverage.fix_walking import NOW

pytestmark = pytest.mark.pure

VALUES: Filter = (("status", "busy"), ("status", "failed"), ("direction", "inbound"), ("direction", "outbound"))


def count(reason: Doubt | None, total: int, counts: list[int | None], values: Filter = VALUES) -> Counted:
    """Count a list whose slices have these totals; None: the filter is ignored."""
    counting = begin(Interval(BEGINNING, NOW), reason, total, values)
    for one in counts:
        assert counting.ask().limit == 1
        seen = Seen((NOW - timedelta(hours=1),), 0, total if one is None else one, NOW, NOW)
        outcome = absorb(counting, seen, is_honoured=one is not None)
        counting = outcome.counting
    return outcome


@pytest.mark.parametrize(
    ("reason", "counts", "found"),
    [
        (Doubt.ROUND, [300, 200], Found.WHOLE),
        (Doubt.ROUND, [300, 201], Found.CAPPED),
        (Doubt.ROUND, [300, 190], None),  # a status that is not known: the directions are counted
        (Doubt.ROUND, [300, 190, 250, 250], Found.WHOLE),
        (Doubt.ROUND, [300, 190, 250, 249], Found.NOTHING),
        (Doubt.ROUND, [500, 0], None),  # a slice as long as the list may end at the same cap
        (Doubt.ROUND, [None, None], Found.NOTHING),
        (None, [300, 200 + MARGIN], None),
        (None, [300, 201 + MARGIN], Found.CAPPED),
        (None, [300, 200, 250, 250], Found.NOTHING),
        (None, [None, 300, 300], Found.CAPPED),
    ],
)
def test_what_the_slices_of_a_list_of_500_show(
    reason: Doubt | None, counts: list[int | None], found: Found | None
) -> None:
    """By status, and where that shows nothing by direction."""
    assert count(reason, 500, counts).found is found


def test_a_count_asks_for_twenty_agents_at_most() -> None:
    """Each costs a request; a tie group is worth all of them."""
    agents = tuple(("agent_id", str(number)) for number in range(30))
    assert len(begin(Interval(BEGINNING, NOW), None, 500, agents).attempts[0]) == MOST_AGENTS
    assert len(begin(Interval(BEGINNING, NOW), Doubt.TIE, 500, agents).attempts[0]) == 30


def test_a_tie_group_without_any_value_ends() -> None:
    """Where no stored call has a status, a direction or an agent, one request shows that nothing adds up."""
    assert count(Doubt.TIE, 120, [0], ()).found is Found.NOTHING
