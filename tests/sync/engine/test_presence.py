"""Which calls the source has: whether it is the one that is stored, where it differs, and what is asked for by id."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from replicator.errors import AnotherSource, NotFound, SourceUnavailable
from replicator.store.doubts import Doubt
from replicator.sync.coverage.full_scan import FullScan
from replicator.sync.coverage.ledger import BEGINNING, EVERYTHING, Ledger, Piece
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.deletions import bisect
from replicator.sync.deletions.rules import Absence
from replicator.sync.engine.failures import Verdict
from replicator.sync.engine.identity import TRIES
from replicator.sync.engine.position import Position, Source
from replicator.sync.engine.presence import AT_HAND, LOOK_EVERY, MOST_SEARCHES, Presence
from replicator.sync.engine.state import State
from replicator.sync.protocol.questions import DueAbsences, KnowsAny, StoredBefore, Suspected
from tests.sync.fix_values import NOW, a_call, a_page, a_request, at, decided, of_probe, outcome

if TYPE_CHECKING:
    from replicator.sync.protocol.requests import Outcome

pytestmark = pytest.mark.pure

WHOLE = Ledger((Piece(BEGINNING, at(-1), NOW),))
ID, OTHER = UUID(int=1), UUID(int=2)
GONE = NotFound("no", status=404)


def placed(total: int | None = 100, live: int | None = 100, **changes: Any) -> Position:
    state = changes.pop("state", State(WHOLE))
    return Position(state, state.ledger, Source("", total=total), live=live, is_total_new=True, **changes)


def presence(*remembered: UUID, keys: int = 1, **options: Any) -> Presence:
    return Presence(timedelta(minutes=10), remembered, keys, **options)


def a_head(*numbers: int) -> Outcome:
    return outcome(a_request(), page=a_page([a_call(number) for number in numbers]))


# The source's identity ---------------------------------------------------------------------------------------------


def test_an_empty_replica_believes_any_source() -> None:
    """There is nothing to recognise it by; nor is there a need where the operator vouches for it."""
    head = a_head(7)
    assert decided(presence().recognise(head, Verdict.TAKEN)) == ([head], [])
    assert decided(presence(ID, is_same_account=True).recognise(head, Verdict.TAKEN)) == ([head], [])


def test_a_first_page_with_a_stored_call_is_recognised() -> None:
    """It counts at once, and later pages are not looked at for that."""
    known, head = presence(ID), a_head(1, 7)
    assert decided(known.recognise(head, Verdict.TAKEN), True) == ([head], [KnowsAny((ID, UUID(int=7)))])
    assert decided(known.recognise(a_head(9), Verdict.TAKEN))[1] == []


def test_a_first_page_without_one_waits_until_a_stored_call_answers() -> None:
    """The remembered calls are asked for by id; the page counts with the first that answers as itself, once."""
    doubted, head = presence(ID, OTHER), a_head(7)
    assert decided(doubted.recognise(head, Verdict.TAKEN), False)[0] == []
    assert decided(doubted.ready(placed(), NOW, 5)) == (1, [])
    assert doubted.next(0).call_id == ID
    assert decided(doubted.ready(placed(), NOW, 5)) == (0, [])
    assert decided(doubted.recognise(of_probe(1, error=GONE, about=0), Verdict.TAKEN))[0] == []
    assert doubted.next(0).call_id == OTHER
    assert decided(doubted.recognise(of_probe(2, call=a_call(2), about=0), Verdict.TAKEN))[0] == [head]
    assert doubted.identity.is_known
    late = of_probe(2, call=a_call(2), about=0)
    assert decided(doubted.recognise(late, Verdict.TAKEN))[0] == []


def test_a_source_that_knows_none_of_the_stored_calls_is_another_one() -> None:
    """Also one that answers with a call of another id. Nothing of its first page counts."""
    doubted = presence(ID, OTHER)
    decided(doubted.recognise(a_head(7), Verdict.TAKEN), False)
    doubted.next(0)
    decided(doubted.recognise(of_probe(1, error=GONE, about=0), Verdict.TAKEN))
    doubted.next(0)
    with pytest.raises(AnotherSource, match="none of 2 calls"):
        decided(doubted.recognise(of_probe(2, error=GONE, about=0), Verdict.TAKEN))


def test_a_remembered_call_that_fails_is_asked_for_again() -> None:
    """Three times; an error is no word about the source, and in the end it is that error that is told."""
    doubted, error = presence(ID), SourceUnavailable("no", status=500)
    decided(doubted.recognise(a_head(7), Verdict.TAKEN), False)
    for _ in range(TRIES - 1):
        doubted.next(0)
        decided(doubted.recognise(of_probe(1, error=error, about=0), Verdict.TAKEN))
        assert decided(doubted.ready(placed(), NOW, 5))[0] == 1
    doubted.next(0)
    with pytest.raises(SourceUnavailable):
        decided(doubted.recognise(of_probe(1, error=error, about=0), Verdict.TAKEN))


def test_a_first_page_that_cannot_be_read_is_doubted_too() -> None:
    """The remembered calls are asked for; a page that is only asked again is nothing to doubt."""
    doubted = presence(ID)
    failed = outcome(a_request(), SourceUnavailable("no", status=500))
    assert decided(doubted.recognise(failed, Verdict.AGAIN))[0] == [failed]
    assert decided(doubted.ready(placed(), NOW, 5))[0] == 0
    assert decided(doubted.recognise(failed, Verdict.BROKEN))[0] == [failed]
    assert decided(doubted.ready(placed(), NOW, 5))[0] == 1


# Calls by id -------------------------------------------------------------------------------------------------------


def test_suspected_calls_are_looked_for_every_half_minute() -> None:
    """Where there are any; at once when there may be others than before."""
    there, position = presence(), placed(has_absences=True)
    assert decided(there.ready(placed(), NOW, 5))[1] == []
    assert decided(there.ready(position, NOW, 5), []) == (0, [DueAbsences(100, NOW, AT_HAND)])
    assert decided(there.ready(position, NOW + LOOK_EVERY - timedelta(seconds=1), 5))[1] == []
    there.changed()
    soon = NOW + timedelta(seconds=1)
    assert decided(there.ready(position, soon, 5), [])[1] == [DueAbsences(100, soon, AT_HAND)]
    assert len(decided(there.ready(position, soon + LOOK_EVERY, 5), [])[1]) == 1


def test_no_suspected_call_is_asked_for_where_no_key_may() -> None:
    """Else it would take the place of other work. Here the first key does not show any call, and another one may be used."""
    there, position = presence(keys=2), placed(has_absences=True)
    there.identity.known.add(1)
    gap = Absence(1, OTHER, "suspected", 0, None, NOW)
    assert decided(there.ready(position, NOW, 5)) == (0, [])
    there.seen([ID])
    assert decided(there.ready(position, NOW, 5), [gap])[0] == 1
    probe = there.next(0)
    assert (probe.call_id, probe.about) == (ID, 0)
    assert decided(there.ready(position, NOW, 5))[0] == 0


def test_a_suspected_call_is_asked_for_behind_a_control() -> None:
    """Without a call that was just listed nothing can be asked; the first request is for that call."""
    there, position = presence(), placed(has_absences=True)
    gap = Absence(1, OTHER, "suspected", 0, None, NOW)
    assert decided(there.ready(position, NOW, 5), [gap])[0] == 0
    there.prober.seen([ID])
    assert decided(there.ready(position, NOW, 5))[0] == 1
    assert there.next(0).call_id == ID


# Where replica and source differ -----------------------------------------------------------------------------------


def test_equal_totals_begin_no_search() -> None:
    """Nothing differs; what was noted as new is done with."""
    position, asked = decided(presence().compare(placed(100, 100, is_search_over=True), NOW))
    assert (position.state.search, position.difference, asked) == (None, None, [])
    assert (position.is_total_new, position.is_search_over) == (False, False)


@pytest.mark.parametrize(("total", "live"), [(99, 100), (100, 99)])
def test_another_total_begins_a_search(total: int, live: int) -> None:
    """Whichever side has more."""
    position, _ = decided(presence().compare(placed(total, live), NOW))
    assert position.state.search == bisect.begin(NOW, total=total, surplus=live - total)
    assert position.state.searches == 1


def test_suspected_calls_explain_a_difference() -> None:
    """The source lists one less, and one call is suspected: nothing is searched for."""
    position, asked = decided(presence().compare(placed(99, 100, has_absences=True), NOW), 1)
    assert asked == [Suspected()]
    assert position.state.search is None


def test_what_a_search_could_not_explain_is_remembered_and_not_searched_for_again() -> None:
    """Until the difference is another one; a difference that went away is forgotten."""
    after, _ = decided(presence().compare(placed(99, 100, is_search_over=True), NOW))
    assert (after.difference, after.is_difference_new, after.state.search) == (1, True, None)
    again, _ = decided(presence().compare(replace(after, is_total_new=True, is_difference_new=False), NOW))
    assert (again.state.search, again.is_difference_new) == (None, False)
    other, _ = decided(presence().compare(replace(after, is_total_new=True, live=101), NOW))
    assert other.state.search is not None
    gone, _ = decided(presence().compare(replace(after, is_total_new=True, live=99, is_difference_new=False), NOW))
    assert (gone.difference, gone.is_difference_new) == (None, True)


def test_a_total_that_is_a_cap_is_not_searched() -> None:
    """It does not count the calls; the difference is remembered, and tells the next run where the cap is."""
    position = placed(99, 1200, state=State(WHOLE, capped_at=99))
    capped, _ = decided(presence().compare(position, NOW))
    assert (capped.state.search, capped.difference, capped.is_difference_new) == (None, 1101, True)
    other, _ = decided(presence().compare(replace(position, state=State(WHOLE, capped_at=98)), NOW))
    assert other.state.search is not None


def test_nothing_is_compared_where_it_would_mean_nothing() -> None:
    """Without a new total, a total or a count; while a search runs, a list is in no order, or its end or a part is not proven."""
    doubt = Piece(BEGINNING, at(-1), NOW, is_proven=False, reason=Doubt.CAPPED)
    running = bisect.begin(NOW, total=99, surplus=1)
    for position in (
        replace(placed(99), is_total_new=False),
        placed(None),
        placed(99, None),
        placed(99, state=State(WHOLE, search=running)),
        placed(99, state=State(WHOLE, scan=FullScan())),
        placed(99, state=State(WHOLE, scanned_at=NOW)),
        placed(99, state=State(Ledger())),
        placed(99, state=State(Ledger((doubt,)))),
        placed(99, state=State(Ledger((Piece(at(-90), at(-1), NOW),)))),
        placed(99, state=State(WHOLE, searches=MOST_SEARCHES)),
    ):
        compared, asked = decided(presence().compare(position, NOW))
        assert (compared.state.search, compared.difference, asked) == (position.state.search, None, [])


def test_a_page_of_a_search_asks_for_the_ranks_of_its_two_ends() -> None:
    """As of when the search began; any other page asks nothing."""
    position = placed(state=State(WHOLE, search=bisect.begin(at(-9), total=100, surplus=1)))
    page = a_page([a_call(1), a_call(2), a_call(3)], offset=40, total=100)
    searched = outcome(a_request(Lane.SEARCH, Walk(Lane.SEARCH, EVERYTHING, 40)), page=page)
    ranks, asked = decided(presence().ranks(position, searched), {at(-1): 60})
    assert (ranks, asked) == ({at(-1): 60}, [StoredBefore((at(-1), at(-2)), at(-9))])
    for other in (outcome(a_request(), page=page), replace(searched, page=None)):
        assert decided(presence().ranks(position, other)) == ({}, [])
    assert decided(presence().ranks(placed(), searched)) == ({}, [])
