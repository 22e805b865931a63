"""Which keys may be used: each has to show a call of the stored account before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from replicator.errors import AnotherSource, NotFound, RateLimited, SourceError, SourceUnavailable
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.identity import MOST_SHOWN, TRIES, Identity
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
    found = identity.listed(key, page, ids(*numbers), is_stored=is_stored)
    assert found in ([], [page])
    return found


def asked(identity: Identity, key: int, *, is_there: bool = False, error: SourceError | None = GONE) -> list[Outcome]:
    """Ask for the next call through a key; it is there, or the answer is the error."""
    assert CONFIRM in identity.through(key, [FRESH, CONFIRM, DETAIL])
    probe = identity.next(key)
    assert CONFIRM not in identity.through(key, [FRESH, CONFIRM, DETAIL]), "one at a time"
    request = Request(CONFIRM, key, NOW + timedelta(minutes=1), probe=probe)
    call = a_call(probe.call_id.int) if is_there else None
    return identity.completed(key, probe, Outcome(request, NOW, NOW, call=call, error=None if is_there else error))


def test_one_key_of_an_empty_replica_needs_no_proof() -> None:
    """There is nothing to compare it with; nor is there a need where the operator vouches for the account."""
    for identity in (Identity(), Identity(ids(1), 2, is_vouched=True)):
        assert identity.is_known
        assert identity.through(0, [FRESH, CONFIRM, DETAIL]) == [FRESH, CONFIRM, DETAIL]
    assert identity.through(1, [FRESH, CONFIRM, DETAIL]) == [FRESH, DETAIL]


def test_before_the_first_page_any_key_may_ask_for_it_and_for_nothing_else() -> None:
    """Also where nothing is stored."""
    for identity in (Identity(ids(1), 2), Identity((), 2)):
        assert not identity.is_known
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
    assert identity.next(0) == Probe(UUID(int=7))
    assert identity.through(0, [DETAIL, DETAIL]) == []
    assert identity.keys_for([DETAIL]) == [1]
    request = Request(CONFIRM, 0, NOW, probe=Probe(UUID(int=7)))
    assert identity.completed(0, Probe(UUID(int=7)), Outcome(request, NOW, NOW, call=a_call(7))) == []
    assert identity.through(0, [DETAIL, CONFIRM]) == [DETAIL, CONFIRM]


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


@pytest.mark.parametrize("key", [0, 1])
def test_a_key_that_knows_no_stored_call_is_of_another_account(key: int) -> None:
    """Whether it is used first or not; the error says which key it is."""
    identity = Identity(ids(1, 2), 2)
    first_page(identity, 1, [7], is_stored=key == 0)
    asked(identity, key)
    with pytest.raises(AnotherSource, match=f"number {key + 1} knows none of 2 calls of this account"):
        asked(identity, key)
    assert not identity.knows(key)


def test_nothing_of_an_empty_replica_is_written_before_all_keys_agree() -> None:
    """Each other key has to show one call of the first page; that page waits until then."""
    identity = Identity((), 3)
    assert first_page(identity, 2, range(100, 200)) == []
    assert len(identity.shown) <= MOST_SHOWN
    assert identity.ready() == 2
    assert identity.keys_for([CONFIRM]) == [0, 1]
    assert identity.through(2, [FRESH, CONFIRM]) == [FRESH]
    assert asked(identity, 0, is_there=True) == []
    assert identity.through(0, [CONFIRM]) == []
    assert asked(identity, 1) == []
    assert not identity.is_known
    (page,) = asked(identity, 1, is_there=True)
    assert page.page is not None
    assert identity.known == {0, 1, 2}


def test_keys_of_two_accounts_are_refused_for_an_empty_replica() -> None:
    """Nobody can say which of them is meant, so nothing is written."""
    identity = Identity((), 2)
    first_page(identity, 1, [7])
    with pytest.raises(
        AnotherSource, match=r"number 1 knows none of 1 calls that another one lists.*not of one account"
    ):
        asked(identity, 0)


def test_a_first_page_that_cannot_be_compared() -> None:
    """An account without calls is taken as it is; so is a first page that cannot be read, where nothing is stored. The other
    key is used when there is a call to ask it for.
    """
    empty, unread = Identity((), 2), Identity((), 2)
    assert first_page(empty, 1, [])
    unread.unread(1)
    for identity in (empty, unread):
        assert identity.known == {1}
        assert identity.through(0, [DETAIL]) == []
        identity.shown = ids(7)
        assert identity.through(0, [DETAIL]) == [CONFIRM]
    known = Identity(ids(1), 2)
    known.unread(1)
    assert known.through(1, [FRESH, CONFIRM]) == [FRESH, CONFIRM]
    assert asked(known, 1, is_there=True) == []
    assert known.known == {1}


def test_a_doubt_does_not_end_with_a_page_that_cannot_be_read() -> None:
    """The first page that was read still waits for the other keys."""
    identity = Identity((), 2)
    assert first_page(identity, 1, [7]) == []
    identity.unread(1)
    assert not identity.is_known
    (page,) = asked(identity, 0, is_there=True)
    assert page.page is not None


def test_an_account_that_looked_full_and_then_empty_is_taken_as_it_is() -> None:
    """The page that waited is of an earlier moment, and counts no longer."""
    identity = Identity((), 2)
    assert first_page(identity, 1, [7]) == []
    assert first_page(identity, 1, [])
    assert (identity.known, identity.head) == ({1}, None)
    assert asked(identity, 0, is_there=True) == []


def test_a_refusal_or_a_request_that_was_not_sent_says_nothing() -> None:
    """The limit is used up by another program for some minutes: the call is asked for again, and the run goes on."""
    identity = Identity(ids(1))
    identity.unread(0)
    for _ in range(10):
        assert asked(identity, 0, error=RateLimited("refused")) == []
        probe = identity.next(0)
        request = Request(CONFIRM, 0, NOW, probe=probe)
        assert identity.completed(0, probe, Outcome(request, NOW, NOW, error=FAILED, is_sent=False)) == []
    for _ in range(TRIES - 1):
        assert asked(identity, 0, error=FAILED) == []
    with pytest.raises(SourceUnavailable):
        asked(identity, 0, error=FAILED)
