"""What answers to the question for a transcript or a recording mean, and what pages say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from replicator.errors import Forbidden, NotFound, RequestRefused, SourceUnavailable
from replicator.records import Recording
from replicator.store.rows import DetailRow
from replicator.sync.content.calls import Observation, Policy, settle
from replicator.sync.content.details import answered, as_past_the_end, counts_for, is_absent, one_each, wanted_of
from replicator.sync.coverage.ledger import EVERYTHING
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from tests.sync.fix_values import NOW, SAID, SILENT, a_call, a_detail, a_request, at, known_detail, of_detail, outcome

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.store.rows import KnownDetail
    from replicator.sync.protocol.requests import Outcome

pytestmark = pytest.mark.pure

POLICY = Policy()
GONE = NotFound("no", status=404)
DOWN = SourceUnavailable("no", status=502, code="provider_error")
HELD = known_detail(fetched_at=at(-9), fingerprint=b"text")


@pytest.mark.parametrize("status", [400, 404, 410, 416, 422])
def test_a_refusal_behind_the_last_row_is_an_empty_page(status: int) -> None:
    """What some APIs answer to an offset behind all rows that the list says it has."""
    walk = Walk(Lane.BACKFILL, EVERYTHING, 300, total=300)
    taken = as_past_the_end(outcome(a_request(walk=walk), RequestRefused("no", status=status)))
    assert taken.error is None
    assert taken.page is not None
    assert (taken.page.rows, taken.page.total, taken.page.offset) == (0, None, 300)


@pytest.mark.parametrize(
    "walk",
    [
        Walk(Lane.BACKFILL, EVERYTHING, 299, total=300),
        Walk(Lane.BACKFILL, EVERYTHING, 0, total=0),
        Walk(Lane.BACKFILL, EVERYTHING, 300),
        Walk(Lane.SLICE, EVERYTHING, 300, total=300, filter=(("status", "busy"),)),
    ],
)
def test_any_other_refusal_stays_one(walk: Walk) -> None:
    """Before the last row, at the head, where no total is known, and of a slice."""
    refused = outcome(a_request(walk=walk), RequestRefused("no", status=422))
    assert as_past_the_end(refused) is refused


def test_an_error_of_another_kind_is_no_end() -> None:
    """A 500, a 403, and a refusal of a detail say nothing of the list's end."""
    request = a_request(walk=Walk(Lane.BACKFILL, EVERYTHING, 300, total=300))
    for one in (
        outcome(request, SourceUnavailable("no", status=500)),
        outcome(request, Forbidden("no", status=404)),
        outcome(request),
        of_detail(error=GONE),
    ):
        assert as_past_the_end(one) is one


SEEN_OFTEN = known_detail("pending", absent_looks=2, absent_since=at(-60 * 24), deadline_at=at(-60))
"""It was not there twice, the first time a day ago, and its deadline is over."""


def test_an_empty_transcript_is_not_there() -> None:
    """As a 404 says it; a fault of the source says nothing."""
    assert is_absent(of_detail(found=SILENT))
    assert is_absent(of_detail(error=GONE))
    assert not is_absent(of_detail(found=SAID))
    assert not is_absent(of_detail(error=DOWN))


def test_an_answer_with_content_is_stored() -> None:
    """A transcript, and a recording's URL."""
    row = answered(of_detail(found=SAID), None, POLICY)
    assert row is not None
    assert (row.state, row.transcript, row.is_new, row.deadline_at) == ("present", SAID, True, at(60))
    audio = answered(of_detail(a_detail(kind="recording"), found=Recording("https://a/1", None, "{}")), None, POLICY)
    assert audio is not None
    assert (audio.kind, audio.state) == ("recording", "present")


def test_an_absence_is_believed_at_the_third_look_after_a_day() -> None:
    """A 404 is final then, and an empty transcript is stored as one without a word; neither at the first look, and neither
    in a wave.
    """
    asked = a_detail(attempts=2, deadline_at=at(-60))
    final = answered(of_detail(asked, error=GONE), SEEN_OFTEN, POLICY)
    assert final is not None
    assert (final.state, final.due_at) == ("absent_final", None)
    empty = answered(of_detail(asked, found=SILENT), SEEN_OFTEN, POLICY)
    assert empty is not None
    assert (empty.state, empty.transcript, empty.due_at) == ("present", SILENT, None)
    for answer in (of_detail(asked, error=GONE), of_detail(asked, found=SILENT)):
        for known, is_wave in ((known_detail("pending"), False), (SEEN_OFTEN, True)):
            row = answered(answer, known, POLICY, is_wave=is_wave)
            assert row is not None
            assert (row.state, row.transcript, row.due_at is not None) == ("pending", None, True)


def test_a_detail_counts_once_for_the_habit() -> None:
    """As absent at the first look that misses it, as found when it is there; where it was missed before, at that look.
    A fault, a later look and a detail that was found before change nothing.
    """

    def change(answer: Outcome, known: KnownDetail | None) -> tuple[datetime, int, int] | None:
        row = answered(answer, known, POLICY)
        assert row is not None
        return counts_for(row, known, answer.sent_at)

    missed = known_detail("pending", absent_looks=1, absent_since=at(-9))
    assert change(of_detail(found=SAID), None) == (NOW, 1, 0)
    assert change(of_detail(found=SAID), missed) == (at(-9), 1, -1)
    assert change(of_detail(found=SAID), HELD) is None
    assert change(of_detail(error=GONE), known_detail("pending")) == (NOW, 0, 1)
    assert change(of_detail(found=SILENT), None) == (NOW, 0, 1)
    assert change(of_detail(error=GONE), missed) is None
    assert change(of_detail(error=DOWN), None) is None


def test_an_answer_that_is_stored_already_changes_nothing() -> None:
    """A commit whose end was lost is done again: no look counts twice."""
    stored = known_detail("pending", asked_at=NOW, absent_looks=2, absent_since=at(-60 * 48))
    assert answered(of_detail(error=GONE), stored, POLICY) is None
    # A look that a wrong clock dated years ahead hides no later one: it would be asked for again for ever.
    ahead = replace(stored, asked_at=at(60 * 24 * 3650))
    assert answered(of_detail(error=GONE), ahead, POLICY) is not None


def test_a_detail_that_is_not_there_yet_stays_in_the_queue() -> None:
    """With the reason, and the attempts counted; a fault of the source is told with its status and code."""
    row = answered(of_detail(error=GONE), None, POLICY)
    assert row is not None
    assert (row.state, row.attempts, row.last_error) == ("pending", 1, "NotFound 404")
    row = answered(of_detail(found=SILENT), None, POLICY)
    assert row is not None
    assert (row.state, row.last_error) == ("pending", "empty")
    row = answered(of_detail(error=DOWN), None, POLICY)
    assert row is not None
    assert row.last_error == "SourceUnavailable 502 provider_error"


def test_what_was_served_once_is_never_taken_away() -> None:
    """A 404, a 403 or an empty answer leaves stored content as it is, in no queue; a fault asks again."""
    for one in (of_detail(error=GONE), of_detail(error=Forbidden("no", status=403)), of_detail(found=SILENT)):
        row = answered(one, HELD, POLICY)
        assert row is not None
        assert (row.state, row.transcript, row.due_at, row.last_error) == ("present", None, None, None)
    row = answered(of_detail(error=DOWN), HELD, POLICY)
    assert row is not None
    assert (row.state, row.due_at is not None) == ("present", True)


def test_a_detail_that_is_refused_is_denied() -> None:
    """A 403 says that this key may not see it: it is not asked for again."""
    row = answered(of_detail(error=Forbidden("no", status=403)), known_detail("pending"), POLICY)
    assert row is not None
    assert (row.state, row.due_at, row.last_error) == ("denied", None, "Forbidden 403")


def test_an_outcome_that_is_none_of_a_detail_makes_no_row() -> None:
    """A page, and a request that came to nothing."""
    assert answered(outcome(a_request()), None, POLICY) is None
    assert answered(of_detail(), None, POLICY) is None


def test_a_deadline_that_is_known_is_kept() -> None:
    """Where the request did not say it, the stored one stays."""
    detail = a_detail(deadline_at=None)
    row = answered(of_detail(detail, found=SAID), known_detail("pending", deadline_at=at(77)), POLICY)
    assert row is not None
    assert row.deadline_at == at(77)


def test_calls_of_a_batch_queue_what_they_can_have() -> None:
    """Each with what is stored of its own details, as of the look that was asked last."""
    looks = [Observation(a_call(1), at(1)), Observation(a_call(2), at(2)), Observation(a_call(3, status="busy"), at(3))]
    settled = settle({}, looks)
    rows = wanted_of(settled, looks, {UUID(int=2): {"transcript": HELD}}, Policy(("transcript",)))
    assert [(row.call_id, row.due_at) for row in rows] == [(UUID(int=1), at(1))]
    assert wanted_of(settle({}, []), [], {}, POLICY) == []


def test_one_row_a_detail_is_left_and_content_is_not_lost() -> None:
    """The last one; but a place in the queue does not replace content that came with the same batch."""
    queued = DetailRow("transcript", UUID(int=1), "pending", NOW)
    found = replace(queued, state="present", transcript=SAID)
    later = replace(found, attempts=7)
    other = replace(queued, call_id=UUID(int=2))
    audio = replace(queued, kind="recording")
    assert one_each([queued, found]) == [found]
    assert one_each([found, queued]) == [found]
    assert one_each([found, later]) == [later]
    assert one_each([queued, replace(queued, attempts=2)]) == [replace(queued, attempts=2)]
    assert one_each([queued, other, audio]) == [queued, other, audio]
    assert one_each([]) == []
