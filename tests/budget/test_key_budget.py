"""The budget of one key as the engine sees it: what is free, what is owed to the books, and what is believed of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.budget.key_budget import CLOCK_SLACK, ENOUGH, LEARNED_LIMIT_AGE, KeyBudget, Limits, a_minute
from replicator.budget.rules import EPOCH, LONGEST_WAIT, SHORTEST_WAIT, ClockOffset, Completion
from replicator.errors import RateLimited
from tests.sync.fix_replica import Books

pytestmark = pytest.mark.pure

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = int((NOON - EPOCH).total_seconds()) // 60
EXACT = ClockOffset(timedelta(0), timedelta(0))


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def answered(sent: float, received: float) -> Completion:
    """Return the end of a request to a source whose clock is ours."""
    return Completion(after(sent), after(received), after(received).replace(microsecond=1))


def seen(limits: Limits) -> KeyBudget:
    """Return a budget that has charged one request at NOON, and was answered a millisecond later."""
    key_budget = KeyBudget(limits)
    key_budget.charge(NOON, 1)
    key_budget.completed([answered(0, 0.001)])
    return key_budget


@pytest.mark.parametrize(
    ("limits", "ours", "a_minute"),
    [
        (Limits(), 95, 95),
        (Limits(None), None, None),
        (Limits(100, 60, 0.0), 100, 100),
        (Limits(10, 1.0, 0.0), 10, 600),
        (Limits(1, 60, 0.9), 1, 1),
        (Limits(7, 120, 0.5), 3, 1.5),
    ],
)
def test_a_share_is_left_to_others(limits: Limits, ours: int | None, a_minute: float | None) -> None:
    """Of a limit the headroom is not used, one request a window is always ours, and no limit is none."""
    assert (limits.ours, limits.ours_a_minute) == (ours, a_minute)


def test_keys_together_send_what_each_may() -> None:
    """95 a minute, and 30 a second with a tenth left to others; one key without a limit has no sum."""
    one, other = KeyBudget(Limits(100)), KeyBudget(Limits(30, 1.0, 0.1))
    assert a_minute([one, other]) == 95 + 27 * 60
    assert a_minute([one, KeyBudget(Limits(None))]) is None


def test_a_source_without_a_limit_frees_enough() -> None:
    """Nothing is kept back and nothing is owed, also for requests that a killed process had under way."""
    key_budget = KeyBudget(Limits(None))
    key_budget.assume_lost(NOON, 8)
    key_budget.charge(NOON, 500)
    key_budget.completed([answered(0, 90)])
    assert (key_budget.free(NOON), key_budget.spare(NOON)) == (ENOUGH, ENOUGH)
    assert key_budget.take_owed() == {}


def test_what_is_charged_is_not_free() -> None:
    """Of 10 requests 7 are left after 3, and none after 10, until the next window begins."""
    key_budget = seen(Limits(10, 60, 0.0))
    key_budget.charge(after(1), 2)
    assert key_budget.free(after(1)) == 7
    key_budget.charge(after(1), 7)
    assert (key_budget.free(after(1)), key_budget.free(after(58))) == (0, 0)
    key_budget.completed([answered(1, 2)] * 9)
    assert key_budget.free(after(61)) == 10


def test_what_can_wait_gets_less_at_a_windows_beginning() -> None:
    """40 % of a window are given out over its time, and at its end everything is spare."""
    key_budget = seen(Limits(100, 60, 0.0))
    assert (key_budget.free(after(0.1)), key_budget.spare(after(0.1))) == (99, 60)
    assert key_budget.spare(after(59.9)) == 99


def test_an_answer_in_a_later_window_is_owed_to_it_once() -> None:
    """A request that was under way when a window began may count there too: the books are told of it one time."""
    key_budget = seen(Limits(10, 60, 0.0))
    key_budget.charge(after(59), 2)
    key_budget.completed([answered(59, 61), answered(59, 62)])
    assert key_budget.take_owed() == {WINDOW + 1: 2}
    assert key_budget.take_owed() == {}
    assert key_budget.free(after(63)) == 8


def test_a_request_that_was_not_sent_stays_charged() -> None:
    """Nobody knows for certain that it did not leave."""
    key_budget = seen(Limits(10, 60, 0.0))
    key_budget.charge(after(1), 4)
    key_budget.completed([Completion(after(1), after(1), None)] * 4)
    assert key_budget.free(after(2)) == 5
    assert key_budget.take_owed() == {}


def test_a_killed_processs_requests_count_in_this_window_and_the_next() -> None:
    """They may still arrive; no more than a window's limit is charged for them, and the books are told."""
    key_budget = KeyBudget(Limits(10, 60, 0.0))
    key_budget.recall(NOON, {}, EXACT, None, None)
    key_budget.assume_lost(after(30), 500)
    owed = key_budget.take_owed()
    assert set(owed) == {WINDOW, WINDOW + 1}
    assert set(owed.values()) == {10}
    assert key_budget.free(after(30)) == 0


def test_a_refusal_is_waited_out_by_the_servers_clock() -> None:
    """A reset_at is the source's time: where its clock is 30 s behind ours, we wait 30 s longer."""
    key_budget = KeyBudget(Limits(10, 60, 0.0))
    key_budget.charge(NOON, 1)
    key_budget.completed([Completion(NOON, after(0.001), after(-30).replace(microsecond=1))])
    key_budget.refused(after(1), RateLimited("no", reset_at=after(-20)))
    assert key_budget.free(after(9)) == 0
    assert key_budget.free(after(11)) > 0


@pytest.mark.parametrize("skew", [-90, 0, 90])
def test_a_wait_in_seconds_is_ours(skew: int) -> None:
    """Retry-After counts from now, whatever the source's clock says."""
    key_budget = KeyBudget(Limits(10, 60, 0.0))
    key_budget.charge(NOON, 1)
    key_budget.completed([Completion(NOON, after(0.001), after(skew).replace(microsecond=1))])
    key_budget.refused(after(1), RateLimited("no", retry_after_seconds=7))
    assert key_budget.budget.not_before is not None
    assert abs(key_budget.budget.not_before - after(8) - SHORTEST_WAIT) < timedelta(milliseconds=5)


def test_a_wait_of_a_week_is_cut() -> None:
    """Retry-After with an absurd number of seconds holds nobody for longer than two minutes."""
    key_budget = KeyBudget(Limits(10, 60, 0.0))
    key_budget.refused(NOON, RateLimited("no", retry_after_seconds=1e6))
    assert key_budget.free(NOON + LONGEST_WAIT + timedelta(seconds=1)) > 0


def test_a_refusals_limit_caps_ours_and_never_raises_it() -> None:
    """Our headroom is taken from the limit that the source names, too."""
    key_budget = KeyBudget(Limits(100, 60, 0.1))
    key_budget.refused(NOON, RateLimited("no", limit=5000))
    assert key_budget.budget.limit == 90
    key_budget.refused(NOON, RateLimited("no", limit=50))
    assert key_budget.budget.limit == 45


@pytest.mark.parametrize(
    ("age", "learned", "expected"),
    [
        (timedelta(hours=1), 20, 20),
        (timedelta(hours=1), 5000, 100),
        (timedelta(hours=1), None, 100),
        (LEARNED_LIMIT_AGE - timedelta(seconds=1), 20, 20),
        (LEARNED_LIMIT_AGE, 20, 100),
        (None, 20, 100),
    ],
)
def test_a_learned_limit_is_believed_for_a_day(age: timedelta | None, learned: int | None, expected: int) -> None:
    """A smaller limit that a refusal taught holds for a day after it; a larger one never does."""
    key_budget = KeyBudget(Limits(100, 60, 0.0))
    key_budget.recall(NOON, {}, EXACT, None if age is None else NOON - age, learned)
    assert key_budget.budget.limit == expected


def test_no_limit_stays_none_whatever_was_learned() -> None:
    """The operator has said that there is none."""
    key_budget = KeyBudget(Limits(None))
    key_budget.recall(NOON, {}, EXACT, NOON, 5)
    assert key_budget.budget.limit is None


def test_what_another_process_charged_is_not_free() -> None:
    """The books replace what was known of the windows, and a 429 that was kept is waited out."""
    key_budget = seen(Limits(10, 60, 0.0))
    key_budget.recall(after(1), {WINDOW: 8}, None, after(20), None)
    assert key_budget.free(after(19)) == 0
    assert key_budget.free(after(21)) == 2
    key_budget.recall(after(21), {WINDOW: 1}, None, None, None)
    assert key_budget.budget.not_before == after(20)


def test_what_is_owed_counts_beside_what_is_stored() -> None:
    """A killed process's requests are stored with the next batch. Until then the books do not have them, and reading the books
    again, because another process was faster, does not forget them.
    """
    key_budget = seen(Limits(10, 60, 0.0))
    key_budget.assume_lost(after(10), 3)
    key_budget.recall(after(11), {WINDOW: 5}, None, None, None)
    assert key_budget.free(after(11)) == 2
    owed = key_budget.take_owed()
    key_budget.recall(after(12), {WINDOW: 5 + owed[WINDOW]}, None, None, None)
    assert key_budget.free(after(12)) == 2


def test_a_stored_clock_only_names_the_windows() -> None:
    """It is widened by a second on both sides, and one that an answer told of in this process is not replaced by it."""
    fresh = KeyBudget(Limits(10, 60, 0.0))
    fresh.recall(NOON, {}, EXACT, None, None)
    assert fresh.budget.clock == ClockOffset(-CLOCK_SLACK, CLOCK_SLACK)
    assert fresh.free(after(30)) == 1
    known = seen(Limits(10, 60, 0.0))
    told = known.budget.clock
    known.recall(after(1), {}, ClockOffset(timedelta(hours=1), timedelta(hours=1)), None, None)
    assert known.budget.clock == told


STEPS = st.lists(
    st.tuples(st.sampled_from("ssssak"), st.floats(0, 4), st.integers(1, 5), st.floats(0, 3)), min_size=1, max_size=25
)


@settings(max_examples=25)
@given(STEPS, st.integers(1, 6))
def test_no_window_holds_more_than_the_limit_whenever_the_process_is_killed(
    steps: list[tuple[str, float, int, float]], limit: int
) -> None:
    """Requests are sent, answered and forgotten in any order, by processes that are killed and share their books: no window of
    the source counts more than the limit.
    """
    books, now = Books(Limits(limit, 5.0, 0.0)), 0.0
    key_budget = books.opened(NOON)
    counted: Counter[int] = Counter()
    flying: list[tuple[float, float]] = []
    for kind, pause, most, travel in steps:
        now += pause
        came_in = [one for one in flying if one[1] <= now] if kind != "k" else []
        flying = [one for one in flying if one not in came_in]
        key_budget.completed([answered(*one) for one in came_in])
        books.save(key_budget)
        if kind == "k":
            key_budget, lost = books.opened(after(now)), len(flying)
            key_budget.assume_lost(after(now), lost)
            flying = []
        elif kind == "s":
            books.recall(key_budget, after(now))
            sent = min(most, key_budget.free(after(now)))
            if sent:
                books.charge(key_budget.budget.windows(after(now)), sent)
                key_budget.charge(after(now), sent)
                counted[int(after(now + travel).timestamp() // 5)] += sent
                flying += [(now, now + travel)] * sent
    assert max(counted.values(), default=0) <= limit
