"""What a verification has seen so far: each difference once, each call once, and what the drawn pages say."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from replicator.verify.compare import Comparison, Difference
from replicator.verify.findings import Findings
from replicator.verify.sample import at_most_share
from tests.sync.fix_values import a_call, a_page, at

if TYPE_CHECKING:
    from replicator.records import Page

pytestmark = pytest.mark.pure

FIRST, SECOND, THIRD = (UUID(int=number) for number in (1, 2, 3))
PAGE = a_page([a_call(1), a_call(2), a_call(3, status=None)])
MISSING = Difference("missing", FIRST, at(-1))


def taken(*comparisons: Comparison, page: Page = PAGE) -> Findings:
    found = Findings()
    for comparison in comparisons:
        found.take(page, comparison)
    return found


def test_a_difference_that_is_seen_twice_is_one() -> None:
    """The later look counts; another kind of difference of the same call is another one."""
    later = Difference("missing", FIRST, at(-1), is_confirmed=True)
    found = taken(Comparison(differences=(MISSING,)), Comparison(differences=(later, Difference("stale", FIRST))))
    assert list(found.differences.values()) == [later, Difference("stale", FIRST)]


def test_rows_that_only_their_bytes_tell_apart_are_several() -> None:
    """Two unreadable rows without an id, each by its hash."""
    rows = tuple(Difference("unreadable", digest=digest) for digest in (b"1", b"2", b"1"))
    assert len(taken(Comparison(differences=rows)).differences) == 2


def test_a_call_is_compared_once_and_not_where_it_could_not_be() -> None:
    """Overlapping pages count it once; one that is too new, or that came meanwhile, was not compared."""
    one = Comparison(newer=frozenset({FIRST}), late=frozenset({SECOND}))
    found = taken(one, one)
    assert (found.compared, found.newer, found.late) == ({THIRD}, {FIRST}, {SECOND})
    found.take(PAGE, Comparison())
    assert found.compared == {FIRST, SECOND, THIRD}


def test_what_explains_a_difference_of_ranks_counts_once() -> None:
    """By what it is: a call that two pages name moves the ranks by one."""
    reason = (FIRST, at(-1), 1)
    found = taken(Comparison(explained=(reason,)), Comparison(explained=(reason, (SECOND, at(-2), -1))))
    assert sorted(found.explained.values(), key=lambda one: one[2]) == [(SECOND, at(-2), -1), reason]


def test_statuses_are_counted_and_none_is_no_status() -> None:
    """As they stand on the pages."""
    assert taken(Comparison()).statuses == {"completed": 2}


def test_a_note_is_made_once() -> None:
    """However often the same is found."""
    found = Findings()
    for text in ("a", "b", "a"):
        found.note(text)
    assert found.notes == ["a", "b"]


def test_only_drawn_pages_that_were_read_whole_speak_of_the_rest() -> None:
    """A page that was looked at for another reason, and one that was drawn and not read, are no sample."""
    found = Findings(pages=9, drawn=[0, 98, 196, 294], verdicts={0: False, 98: True, 196: False, 490: True})
    facts = found.sampled(is_complete=False)
    assert (facts["random_pages"], facts["random_pages_with_differences"], facts["pages_compared"]) == (3, 1, 9)
    assert facts["at_most_share_of_pages"] == at_most_share(3, 1)
    assert "3 random pages" in facts["statement"]


def test_nothing_seen_says_nothing() -> None:
    """No page was drawn: all of them may differ, and it is said that nothing is said."""
    facts = Findings().sampled(is_complete=False)
    assert (facts["at_most_share_of_pages"], facts["calls_compared"], facts["random_pages"]) == (1.0, 0, 0)
    assert "nothing is said" in facts["statement"]


def test_a_complete_look_says_so() -> None:
    """What was seen is the whole."""
    facts = Findings(drawn=[0], verdicts={0: False}).sampled(is_complete=True)
    assert (facts["is_complete"], facts["at_most_share_of_pages"]) == (True, 0.0)
    assert facts["statement"].startswith("complete")


def test_what_is_no_difference_is_counted_by_its_reason() -> None:
    """Each call and each row once, in as many looks as they were seen."""
    one = Comparison(touched=frozenset({FIRST}), late=frozenset({SECOND}), unreadable=frozenset({b"1", b"2"}))
    assert taken(one, one).counted() == {
        "moved_by_our_reading": 1, "seen_after_the_request": 1, "known_unreadable": 2,
    }  # fmt: skip
