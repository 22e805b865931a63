"""What a failure means for the run: ask again, narrow the page down, wait, or end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from replicator.errors import (
    BadKey,
    Forbidden,
    NotFound,
    NotTheApi,
    PaymentRequired,
    RateLimited,
    RequestRefused,
    SourceError,
    SourceUnavailable,
    UnreadableAnswer,
)
from replicator.sync.coverage.ledger import EVERYTHING
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.engine.failures import (
    FIRST_ANSWERS,
    FIRST_CIRCUIT,
    FIRST_TRIES,
    LONGEST_CIRCUIT,
    LONGEST_PAUSE_SECONDS,
    PATIENCE,
    PROVIDER_TRIES,
    REFUSED_PATIENCE,
    Judge,
    Verdict,
)
from tests.sync.fix_values import NOW, SAID, a_detail, a_page, a_request, of_detail, of_probe, outcome

pytestmark = pytest.mark.pure

DEEP = a_request(walk=Walk(Lane.BACKFILL, EVERYTHING, 300))
HEAD = a_request(walk=Walk(Lane.FRESH, EVERYTHING, 0))
SLICE = a_request(walk=Walk(Lane.SLICE, EVERYTHING, 0, filter=(("status", "busy"),)))
NO_ANSWER = SourceUnavailable("cut")
BROKEN = SourceUnavailable("no", status=500)


def later(seconds: float) -> object:
    return NOW + timedelta(seconds=seconds)


def answered() -> Judge:
    """Return what is known after one page was answered."""
    judge = Judge()
    assert judge.judge(outcome(HEAD, page=a_page()), NOW) is Verdict.TAKEN
    return judge


def test_an_answer_is_taken_and_forgives_all_failures() -> None:
    """What failed before is forgotten: pauses begin anew."""
    judge = answered()
    judge.judge(outcome(DEEP, BROKEN), NOW)
    judge.judge(outcome(DEEP, RateLimited("no")), NOW)
    assert (judge.failures, judge.failing_since, judge.refused_since, judge.has_spoken) == (1, NOW, NOW, True)
    judge.judge(outcome(DEEP, page=a_page()), NOW)
    assert (judge.failures, judge.failing_since, judge.refused_since, judge.has_spoken) == (0, None, None, False)
    assert (judge.answers, judge.resume_at) == (2, None)


def test_what_was_not_sent_is_asked_again() -> None:
    """It says nothing of the source."""
    judge = Judge()
    assert judge.judge(outcome(HEAD, NO_ANSWER, is_sent=False), NOW) is Verdict.AGAIN
    assert judge == Judge()


@pytest.mark.parametrize("error", [NotFound("no", status=404), Forbidden("no", status=403)])
def test_a_detail_that_is_not_there_or_denied_is_an_answer(error: SourceError) -> None:
    """Also by id; it shows that the source lives."""
    judge = Judge(failures=2)
    assert judge.judge(of_detail(error=error), NOW) is Verdict.TAKEN
    assert judge.judge(of_probe(1, error=error), NOW) is Verdict.TAKEN
    assert (judge.answers, judge.failures) == (2, 0)


@pytest.mark.parametrize("error", [BadKey("no"), PaymentRequired("no"), Forbidden("no")])
def test_a_key_that_is_refused_ends_the_run(error: SourceError) -> None:
    """At once, for a page, also after answers; a detail that is forbidden does not."""
    assert answered().judge(outcome(DEEP, error), NOW) is Verdict.FATAL
    if not isinstance(error, Forbidden):
        assert answered().judge(of_detail(error=error), NOW) is Verdict.FATAL


def test_something_else_than_the_api_ends_a_run_that_had_no_answer() -> None:
    """Where the API has answered before, a web page is a fault like others."""
    error = NotTheApi("no", status=200)
    assert Judge().judge(outcome(HEAD, error), NOW) is Verdict.FATAL
    assert answered().judge(outcome(DEEP, error), NOW) is Verdict.AGAIN


def test_a_refusal_is_waited_for_an_hour() -> None:
    """A 429 is no failure; a source that does nothing but refuse for longer ends the run."""
    judge, no = Judge(), outcome(HEAD, RateLimited("no"))
    assert judge.judge(no, NOW) is Verdict.REFUSED
    assert judge.judge(no, NOW + REFUSED_PATIENCE) is Verdict.REFUSED
    assert judge.judge(no, NOW + REFUSED_PATIENCE + timedelta(seconds=1)) is Verdict.FATAL
    assert (judge.failures, judge.resume_at) == (0, None)


def test_the_plainest_page_that_is_refused_ends_the_run() -> None:
    """A 422 for the head; one for a later page or a slice, once the source has answered, is that page's fault."""
    error = RequestRefused("no", status=422)
    assert Judge().judge(outcome(HEAD, error), NOW) is Verdict.FATAL
    assert Judge().judge(outcome(DEEP, error), NOW) is Verdict.FATAL
    assert answered().judge(outcome(HEAD, error), NOW) is Verdict.FATAL
    assert answered().judge(outcome(DEEP, error), NOW) is Verdict.AGAIN
    assert answered().judge(outcome(SLICE, error), NOW) is Verdict.AGAIN


def test_a_detail_that_cannot_be_had_is_taken_as_that() -> None:
    """A refused or unreadable detail is committed with its reason; it stops nothing."""
    for error in (RequestRefused("no", status=422), UnreadableAnswer("no", status=200)):
        judge = Judge()
        assert judge.judge(of_detail(error=error), NOW) is Verdict.TAKEN
        assert judge.failures == 0


def test_a_page_that_cannot_be_read_is_narrowed_down_at_once() -> None:
    """The answer came, so it is the page; one that failed otherwise is asked again first."""
    assert answered().judge(outcome(DEEP, UnreadableAnswer("no", status=200)), NOW) is Verdict.BROKEN
    assert answered().judge(outcome(DEEP, BROKEN), NOW) is Verdict.AGAIN


def test_a_page_that_fails_again_and_again_is_narrowed_down() -> None:
    """After its rests, while the source answers others."""
    judge, now, verdicts = answered(), NOW, []
    for _ in range(6):
        verdicts.append(judge.judge(outcome(DEEP, BROKEN), now))
        now += timedelta(seconds=10)
        judge.judge(outcome(HEAD, page=a_page()), now)
    assert verdicts[0] is Verdict.AGAIN
    assert Verdict.BROKEN in verdicts
    assert Verdict.FATAL not in verdicts


def test_a_source_that_never_answered_is_left_after_three_attempts() -> None:
    """Nobody is there."""
    judge = Judge()
    verdicts = [judge.judge(outcome(HEAD, NO_ANSWER), NOW) for _ in range(FIRST_TRIES)]
    assert verdicts[-1] is Verdict.FATAL
    assert Verdict.FATAL not in verdicts[:-1]


def test_a_source_that_answers_with_errors_is_asked_more_often() -> None:
    """Eighteen times: enough to narrow a page down to the row that breaks it, whoever closes the connection in between."""
    judge = Judge()
    errors = [BROKEN, NO_ANSWER] * FIRST_ANSWERS
    verdicts = [judge.judge(outcome(HEAD, error), NOW) for error in errors[:FIRST_ANSWERS]]
    assert verdicts[-1] is Verdict.FATAL
    assert Verdict.FATAL not in verdicts[:-1]


def test_a_source_that_did_answer_may_fail_for_a_while() -> None:
    """Two and a half minutes, however many requests; then the run ends."""
    judge = answered()
    for _ in range(100):
        assert judge.judge(of_detail(error=BROKEN), NOW) is not Verdict.FATAL
    assert judge.judge(of_detail(error=BROKEN), NOW + PATIENCE) is Verdict.TAKEN
    assert judge.judge(of_detail(error=BROKEN), NOW + PATIENCE + timedelta(seconds=1)) is Verdict.FATAL


def test_pauses_grow_to_twenty_seconds() -> None:
    """They double with each failure where nobody answers; where errors come, they grow slowly at first."""
    judge, pauses = answered(), []
    for _ in range(12):
        judge.judge(of_detail(error=NO_ANSWER), NOW)
        assert judge.resume_at is not None
        pauses.append((judge.resume_at - NOW).total_seconds())
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    spoken = answered()
    for number in range(1, FIRST_ANSWERS + 1):
        spoken.judge(of_detail(error=BROKEN), NOW)
        assert spoken.resume_at == NOW + timedelta(seconds=0.05 * number)
    spoken.judge(of_detail(error=BROKEN), NOW)
    assert spoken.resume_at == later(LONGEST_PAUSE_SECONDS)


FAULT = SourceUnavailable("no", status=502, code="provider_error")


def test_a_provider_that_fails_stops_its_kind_of_detail_only() -> None:
    """After five faults in a row for 30 seconds, doubled with each further one up to half an hour; the source itself lives."""
    judge = Judge()
    for number in range(1, PROVIDER_TRIES):
        assert judge.judge(of_detail(error=FAULT), NOW) is Verdict.TAKEN
        assert judge.is_open("transcript", NOW), number
    judge.judge(of_detail(error=FAULT), NOW)
    assert not judge.is_open("transcript", NOW)
    assert judge.is_open("recording", NOW)
    assert judge.is_open("transcript", NOW + FIRST_CIRCUIT)
    judge.judge(of_detail(error=FAULT), NOW)
    assert judge.closed_until["transcript"] == NOW + 2 * FIRST_CIRCUIT
    for _ in range(50):
        judge.judge(of_detail(error=FAULT), NOW)
    assert judge.closed_until["transcript"] == NOW + LONGEST_CIRCUIT
    assert (judge.failures, judge.resume_at) == (0, None)


def test_a_detail_that_comes_ends_the_row_of_its_providers_faults() -> None:
    """A detail of the other kind does not, and neither does one that is not there."""
    judge = Judge()
    for _ in range(PROVIDER_TRIES - 1):
        judge.judge(of_detail(error=FAULT), NOW)
    judge.judge(of_detail(a_detail(kind="recording"), found=SAID), NOW)
    judge.judge(of_detail(error=NotFound("no", status=404)), NOW)
    assert judge.provider_faults["transcript"] == PROVIDER_TRIES - 1
    judge.judge(of_detail(found=SAID), NOW)
    judge.judge(of_detail(error=FAULT), NOW)
    assert judge.is_open("transcript", NOW)


def test_a_providers_code_for_a_page_is_a_failure_like_others() -> None:
    """Behind the list there is no provider."""
    judge = answered()
    assert judge.judge(outcome(replace(DEEP), FAULT), NOW) is Verdict.AGAIN
    assert judge.failures == 1
