"""Which keys may be used: each has to show a call of the stored account before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from replicator.errors import AnotherSource, NotFound, RateLimited, SourceError, SourceUnavailable
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.identity import ENOUGH, TRIES, Identity
from replicator.sync.protocol.requests import Outcome, Probe, Request
from tests.sync.fix_values import NOW, a_call, a_page, a_request, outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.pure

GONE = NotFound("no", status=404)
FAILED = SourceUnavailable("failed", status=500)
FRESH, CONFIRM, DETAIL = Lane.FRESH, Lane.CONFIRM, Lane.DETAIL


def ids(*numbers: int) -> tuple[UUID, ...]:
    return tuple(UUID(int=number) for number in numbers)


def first_page(identity: Identity, key: int, numbers: Sequence[int], *, is_stored: bool = False) -> list[Outcome]:
    page = outcome(a_request(), page=a_page([a_call(number) for number in numbers]))
    found = identity.listed(key, page, is_stored=is_stored)
    assert found in ([], [page])
    return found


def asked(identity: Identity, key: int, *, is_there: bool = False, error: SourceError | None = GONE) -> list[Outcome]:
    """Ask for the next call through a key; it is there, or the answer is the error."""
    assert CONFIRM in identity.through(key, [FRESH, CONFIRM, DETAIL])
    probe = identity.next(key)
    assert probe is not None
    if not identity.knows(key):
        assert CONFIRM not in identity.through(key, [FRESH, CONFIRM, DETAIL]), "one at a time"
    return answered(identity, key, probe, is_there=is_there, error=error)


def answered(
    identity: Identity, key: int, probe: Probe, *, is_there: bool = False, error: SourceError | None = GONE
) -> list[Outcome]:
    request = Request(CONFIRM, key, NOW + timedelta(minutes=1), probe=probe)
    call = a_call(probe.call_id.int) if is_there else None
    assert probe.about is not None
    return identity.completed(
        probe.about, probe.call_id, Outcome(request, NOW, NOW, call=call, error=None if is_there else error)
    )


def test_where_nothing_is_stored_the_first_page_is_taken_at_its_word() -> None:
    """There is nothing to compare it with. The other keys have to show what it lists; until it comes, any key may ask for it."""
    identity = Identity((), 3)
    assert not identity.is_known
    assert [identity.through(key, [FRESH, CONFIRM, DETAIL]) for key in (2, 1, 0)] == [[FRESH]] * 3
    assert first_page(identity, 2, [7, 8])
    assert identity.known == {2}
    assert identity.through(1, [DETAIL]) == identity.through(0, [CONFIRM]) == []
    identity.shown = ids(7, 8)
    assert identity.through(1, [DETAIL]) == identity.through(0, [CONFIRM]) == [CONFIRM]
    assert asked(identity, 1, is_there=True) == []
    assert identity.through(1, [DETAIL]) == [DETAIL]
    unread = Identity((), 2)
    unread.doubt(1, None)
    assert unread.known == {1}
    assert Identity().through(0, [FRESH, CONFIRM, DETAIL]) == [FRESH, CONFIRM, DETAIL]


def test_nothing_has_to_be_shown_where_the_operator_vouches_for_the_account() -> None:
    """Of any key."""
    identity = Identity(ids(1), 2, is_vouched=True)
    assert identity.is_known
    assert identity.through(0, [FRESH, CONFIRM, DETAIL]) == [FRESH, CONFIRM, DETAIL]
    assert identity.through(1, [FRESH, CONFIRM, DETAIL]) == [FRESH, DETAIL]


def test_before_the_first_page_any_key_may_ask_for_it_and_for_nothing_else() -> None:
    """The last one does, if it can."""
    identity = Identity(ids(1), 2)
    assert not identity.is_known
    assert identity.order() == [1, 0]
    assert identity.through(0, [DETAIL, FRESH, CONFIRM]) == identity.through(1, [DETAIL, FRESH, CONFIRM]) == [FRESH]
    assert identity.keys_for([FRESH]) == [0, 1]
    assert identity.keys_for([DETAIL]) == []


def test_a_stored_call_in_the_first_page_shows_that_its_key_may_be_used() -> None:
    """It says nothing of another key: that one is asked for one call by id, when it has something to do."""
    identity = Identity(ids(1, 2), 2)
    assert first_page(identity, 1, [7, 1], is_stored=True)
    assert identity.through(1, [DETAIL, DETAIL]) == [DETAIL, DETAIL]
    assert identity.through(0, []) == []
    assert identity.through(0, [DETAIL, DETAIL]) == [CONFIRM]
    identity.shown = ids(7)
    probe = identity.next(0)
    assert probe == Probe(UUID(int=7), about=0)
    assert identity.through(0, [DETAIL, DETAIL]) == []
    assert identity.keys_for([DETAIL]) == [1]
    assert answered(identity, 0, probe, is_there=True) == []
    assert identity.through(0, [DETAIL, CONFIRM]) == [DETAIL, CONFIRM]


def test_a_key_that_is_known_is_used_before_one_that_is_not() -> None:
    """No request is spent to know a key that is not needed."""
    identity = Identity(ids(1), 3)
    first_page(identity, 0, [1], is_stored=True)
    assert identity.order() == [0, 2, 1]


def test_a_first_page_without_a_stored_call_waits_for_one_by_id_through_the_same_key() -> None:
    """Nothing goes through the other key meanwhile, not even the next first page."""
    identity = Identity(ids(1, 2), 2)
    assert first_page(identity, 1, [7]) == []
    assert identity.ready() == 1
    assert identity.through(0, [FRESH, CONFIRM, DETAIL]) == []
    assert identity.keys_for([CONFIRM]) == [1]
    assert asked(identity, 1) == []
    assert not identity.is_known
    (page,) = asked(identity, 1, is_there=True)
    assert page.page is not None
    assert identity.known == {1}


def test_a_page_that_came_in_since_is_the_one_that_counts() -> None:
    """A second first page takes the place of the one that waits; where it shows a stored call, nothing waits any longer."""
    identity = Identity(ids(1))
    assert first_page(identity, 0, [7]) == first_page(identity, 0, [8, 7]) == []
    (page,) = asked(identity, 0, is_there=True)
    assert page.page is not None
    assert [call.id.int for call in page.page.calls] == [8, 7]
    identity = Identity(ids(1), 2)
    assert first_page(identity, 0, [7]) == []
    assert first_page(identity, 0, [8, 1], is_stored=True)
    assert asked(identity, 1, is_there=True) == []
    assert identity.known == {0, 1}


def test_a_first_key_that_knows_no_stored_call_is_of_another_account() -> None:
    """The error says which one of several it is."""
    identity = Identity(ids(1, 2), 2)
    first_page(identity, 1, [7])
    asked(identity, 1)
    with pytest.raises(AnotherSource, match="number 2 knows none of 2 calls that are stored"):
        asked(identity, 1)
    assert not identity.known


def test_a_further_key_that_does_not_know_what_a_known_key_shows_is_of_another_account() -> None:
    """Each call that it does not know is asked for through the known key afterwards, before any other work of that key."""
    identity = Identity(ids(1, 2, 3, 4), 2)
    first_page(identity, 1, [1], is_stored=True)
    for number in range(ENOUGH):
        assert identity.through(1, [DETAIL]) == [DETAIL]
        assert asked(identity, 0) == []
        assert identity.through(0, [DETAIL]) == []
        assert identity.through(1, [DETAIL]) == [CONFIRM, DETAIL]
        if number < ENOUGH - 1:
            assert asked(identity, 1, is_there=True) == []
    with pytest.raises(
        AnotherSource, match=r"number 1 does not know calls that number 2 shows.*nothing that number 1 shows was"
    ):
        asked(identity, 1, is_there=True)
    assert identity.known == {1}


@pytest.mark.parametrize("error", [GONE, FAILED])
def test_a_call_that_no_key_shows_says_nothing(error: SourceError) -> None:
    """It was deleted, or the source fails. The key is left alone until a call is listed that it was not asked for."""
    identity = Identity((), 2)
    first_page(identity, 1, [5])
    identity.shown = ids(5, 6, 7, 8, 9)
    for _ in identity.shown:
        assert asked(identity, 0) == []
        assert asked(identity, 1, error=error) == []
    assert identity.through(0, [DETAIL]) == []
    assert identity.keys_for([DETAIL]) == [1]
    identity.shown = ids(9, 10)
    assert asked(identity, 0, is_there=True) == []
    assert identity.known == {0, 1}


def test_where_nothing_was_stored_the_error_says_what_was_written() -> None:
    """Nobody can say which account is meant."""
    identity = Identity((), 3)
    first_page(identity, 2, [5])
    identity.shown = ids(5, 6, 7, 8, 9)
    assert asked(identity, 1, is_there=True) == []
    for key in (2, 1):
        assert asked(identity, 0) == []
        assert asked(identity, key, is_there=True) == []
    assert asked(identity, 0) == []
    with pytest.raises(
        AnotherSource, match=r"number 1 does not know calls that number 2 and 3 shows.*only what number 2 and 3"
    ):
        asked(identity, 2, is_there=True)


def test_a_call_that_fails_through_a_further_key_says_nothing() -> None:
    """It is asked for TRIES times, and then the next one is; a known key is not asked. After ENOUGH calls it is left alone."""
    identity = Identity(ids(1, 2, 3, 4, 5), 2)
    first_page(identity, 1, [1], is_stored=True)
    tries = 0
    while identity.through(0, [DETAIL]):
        assert asked(identity, 0, error=FAILED) == []
        assert identity.through(1, [DETAIL]) == [DETAIL]
        tries += 1
    assert tries == 5 * (TRIES - 1) + ENOUGH
    identity.shown = ids(6)
    assert identity.through(0, [DETAIL]) == []


def test_a_refused_control_is_asked_for_again() -> None:
    """It says nothing of the call."""
    identity = Identity((), 2)
    first_page(identity, 1, [5])
    identity.shown = ids(5)
    assert asked(identity, 0) == []
    assert asked(identity, 1, error=RateLimited("refused")) == []
    assert identity.through(1, [DETAIL]) == [CONFIRM, DETAIL]
    probe = identity.next(1)
    assert probe is not None
    assert (probe.call_id.int, probe.about) == (5, 0)


def test_two_keys_that_are_not_known_are_asked_apart() -> None:
    """What one of them does not know says nothing of the other one."""
    identity = Identity((), 3)
    first_page(identity, 2, [5])
    identity.shown = ids(5)
    first, second = identity.next(0), identity.next(1)
    assert first is not None
    assert second is not None
    assert answered(identity, 0, first) == answered(identity, 1, second) == []
    controls = [identity.next(2), identity.next(2)]
    assert sorted(control.about for control in controls if control is not None and control.about is not None) == [0, 1]
    assert identity.next(2) is None


def test_an_answer_that_comes_late_changes_nothing() -> None:
    """The key has shown a stored call in a page meanwhile."""
    identity = Identity(ids(1, 2))
    first_page(identity, 0, [7])
    probe = identity.next(0)
    assert probe is not None
    assert first_page(identity, 0, [1], is_stored=True)
    assert answered(identity, 0, probe) == []
    assert identity.through(0, [DETAIL]) == [DETAIL]


def test_a_first_page_that_cannot_be_read_is_waited_for_no_longer() -> None:
    """Its key has to show a stored call by id; then pages are asked for in another way."""
    identity = Identity(ids(1), 2)
    identity.doubt(1, None)
    assert identity.through(0, [FRESH, CONFIRM]) == []
    assert identity.through(1, [FRESH, CONFIRM]) == [FRESH, CONFIRM]
    assert asked(identity, 1, is_there=True) == []
    assert identity.known == {1}


def test_a_call_that_fails_is_no_reason_to_refuse_its_key() -> None:
    """Another one is asked for. Where none is answered, the error is what is told: it says nothing of the account."""
    identity = Identity(ids(1, 2))
    identity.doubt(0, None)
    assert [asked(identity, 0, error=error) for error in (FAILED, GONE)] == [[], []]
    assert [asked(identity, 0, error=FAILED) for _ in range(TRIES - 2)] == [[]] * (TRIES - 2)
    with pytest.raises(SourceUnavailable):
        asked(identity, 0, error=FAILED)
    identity = Identity(ids(1, 2))
    identity.doubt(0, None)
    for _ in range(2 * TRIES - 1):
        assert asked(identity, 0, error=FAILED) == []
    assert asked(identity, 0, is_there=True) == []
    assert identity.known == {0}


def test_a_refusal_or_a_request_that_was_not_sent_says_nothing() -> None:
    """The limit is used up by another program for some minutes: the call is asked for again, and the run goes on."""
    identity = Identity(ids(1))
    identity.doubt(0, None)
    for _ in range(10):
        assert asked(identity, 0, error=RateLimited("refused")) == []
        probe = identity.next(0)
        assert probe is not None
        request = Request(CONFIRM, 0, NOW, probe=probe)
        assert identity.completed(0, probe.call_id, Outcome(request, NOW, NOW, error=FAILED, is_sent=False)) == []
    for _ in range(TRIES - 1):
        assert asked(identity, 0, error=FAILED) == []
    with pytest.raises(SourceUnavailable):
        asked(identity, 0, error=FAILED)
