"""The books of one key: charged before sending, in the windows of the source's clock."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.budget.rules import Budget, ClockOffset, Completion, offset_seen, with_headroom

pytestmark = pytest.mark.pure


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=80),
    st.integers(1, 12),
    st.floats(-100, 100),
    st.booleans(),
)
def test_no_window_of_the_server_holds_more_than_the_limit(
    steps: list[tuple[float, float, float]], limit: int, skew: float, says_time: bool
) -> None:
    """Whatever the clocks' offset and however long requests travel: each window of the server counts at most `limit`."""
    budget, now = Budget(limit, 10.0), NOON
    counted: Counter[int] = Counter()
    flying: list[tuple[datetime, datetime, datetime, datetime]] = []
    for pause, there, back in steps:
        now += timedelta(seconds=pause)
        for sent_at, arrived_at, received_at, said in [flight for flight in flying if flight[2] <= now]:
            assert arrived_at <= received_at
            budget = budget.completed(Completion(sent_at, received_at, said if says_time else None))
            flying.remove((sent_at, arrived_at, received_at, said))
        while budget.allowance(now):
            budget = budget.charge(now, 1)
            arrived = now + timedelta(seconds=there)
            server = arrived + timedelta(seconds=skew)
            counted[int(server.timestamp() // 10)] += 1
            flying.append((now, arrived, arrived + timedelta(seconds=back), server))
    assert max(counted.values(), default=0) <= limit


def test_a_full_window_opens_with_the_next_one() -> None:
    """After `limit` requests nothing is allowed until the server's next window begins."""
    clock = ClockOffset(timedelta(seconds=5), timedelta(seconds=5))
    budget = Budget(3, 60.0, clock, is_clock_seen=True).charge(NOON, 3)
    assert budget.allowance(NOON) == 0
    assert budget.opens_at(NOON) == NOON + timedelta(seconds=55)
    for _ in range(3):
        budget = budget.completed(Completion(NOON, NOON + timedelta(seconds=1), None))
    assert budget.allowance(NOON + timedelta(seconds=55)) == 3


def test_the_first_request_is_alone() -> None:
    """Until an answer has told where the server's windows lie, one request is under way at a time."""
    budget = Budget(100)
    assert budget.allowance(NOON) == 1
    assert budget.charge(NOON, 1).allowance(NOON) == 0


def test_failures_before_the_first_answer_count() -> None:
    """While nobody knows where the server's windows lie, requests fail; the first answer says in which they counted."""
    budget = Budget(10)
    for second in range(3):
        at = NOON + timedelta(seconds=second)
        budget = budget.charge(at, 1).completed(Completion(at, at + timedelta(seconds=0.5), None))
    at, said = NOON + timedelta(seconds=3), NOON - timedelta(seconds=87)
    budget = budget.charge(at, 1).completed(Completion(at, at + timedelta(milliseconds=1), said.replace(microsecond=1)))
    assert budget.allowance(at + timedelta(seconds=1)) == 10 - 4


def test_a_refusal_is_waited_out() -> None:
    """After a 429 nothing before reset_at, in the server's time; its limit caps ours and never raises it."""
    clock = ClockOffset(timedelta(seconds=-30), timedelta(seconds=-30))
    budget = Budget(100, 60.0, clock, is_clock_seen=True).refused(
        NOON, NOON, 50, 0.1
    )  # reset_at by a clock 30 s behind ours
    assert budget.limit == 45
    assert budget.allowance(NOON + timedelta(seconds=29)) == 0
    assert budget.allowance(NOON + timedelta(seconds=31)) == 45
    assert budget.refused(NOON, NOON, 5000, 0.1).limit == 45


def test_a_senseless_reset_is_cut() -> None:
    """A reset_at in the past or in a year's time is replaced by the window's end, or cut."""
    clock = ClockOffset(timedelta(0), timedelta(0))
    budget = Budget(100, 60.0, clock)
    past = budget.refused(NOON + timedelta(seconds=10), NOON - timedelta(hours=1), None, 0)
    assert past.not_before is not None
    assert NOON + timedelta(seconds=60) <= past.not_before <= NOON + timedelta(seconds=61)
    far = budget.refused(NOON, NOON + timedelta(days=365), None, 0)
    assert far.not_before is not None
    assert far.not_before <= NOON + timedelta(seconds=121)


def test_a_source_without_a_limit_allows_everything() -> None:
    """None means as many as wanted, until a refusal says otherwise."""
    budget = Budget(None)
    assert budget.allowance(NOON) is None
    assert budget.refused(NOON, None, 10, 0).allowance(NOON) == 0


def test_answers_narrow_the_clocks() -> None:
    """Each answer bounds the offset; a whole second counts as anything within it; a clock that was set starts anew."""
    wide = offset_seen(NOON, NOON + timedelta(seconds=2), NOON + timedelta(seconds=1))
    assert wide == ClockOffset(timedelta(seconds=-1), timedelta(seconds=2))
    narrow = offset_seen(NOON, NOON + timedelta(seconds=0.5), NOON + timedelta(seconds=0.2, microseconds=1))
    both = wide.narrowed(narrow)
    assert both.low >= wide.low
    assert both.high <= wide.high
    jumped = ClockOffset(timedelta(hours=1), timedelta(hours=1))
    assert both.narrowed(jumped) == jumped


@pytest.mark.parametrize("minutes", [-60, -3, 3, 60])
def test_one_answer_with_another_time_frees_no_window(minutes: int) -> None:
    """A cache answers with a time of its own. What was counted so far counts in the windows that it names, too, and is counted
    once where the next answer names the true one again.
    """
    budget, away = Budget(100).charge(NOON, 1), timedelta(minutes=minutes)
    budget = budget.completed(Completion(NOON, NOON, NOON)).charge(NOON, 89)
    for _ in range(44):
        budget = budget.completed(Completion(NOON, NOON, NOON))
    budget = budget.completed(Completion(NOON, NOON, NOON + away))
    assert (budget.allowance(NOON) or 0) <= 10
    budget = budget.charge(NOON, 4)
    for _ in range(48):
        budget = budget.completed(Completion(NOON, NOON, NOON))
    assert budget.allowance(NOON) == 6
    assert budget.allowance(NOON + timedelta(minutes=1)) == 100


def test_an_answer_from_before_its_question_is_borne() -> None:
    """Our clock is set back while a request is under way: the offset is still an interval, and the request is charged."""
    earlier = NOON - timedelta(hours=1)
    seen = offset_seen(NOON, earlier, NOON)
    assert seen.low <= seen.high
    budget = Budget(10).charge(NOON, 1).completed(Completion(NOON, earlier, NOON))
    assert budget.allowance(earlier) is not None
    assert sum(budget.charged.values()) >= 1


def test_headroom_leaves_the_customer_a_share() -> None:
    """5 % of 100 requests are left to the customer's own traffic; one request is always ours."""
    assert with_headroom(100, 0.05) == 95
    assert with_headroom(1, 0.9) == 1
