"""Renewal credit: what accrues, what it is capped at, and what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.sync.engine.credit import (
    EXTRA,
    LONGEST_GRAIN,
    NEW_ROWS_A_PAGE,
    Credit,
    Rest,
    grain,
    one_pass,
    stale_before,
)
from tests.sync.fix_values import NOW, at

pytestmark = pytest.mark.pure

MINUTE = timedelta(minutes=1)


def test_a_share_of_the_budget_accrues() -> None:
    """At 90 requests a minute and a share of 0.3: 27 each minute, from the first moment on."""
    first = Credit().accrued(NOW, 90, 1_000_000)
    assert (first.requests, first.at) == (0, NOW)
    assert first.accrued(at(1), 90, 1_000_000).requests == pytest.approx(27)
    assert replace(first, share=0.1).accrued(at(2), 90, 1_000_000).requests == pytest.approx(18)
    assert replace(first, share=0).accrued(at(2), 90, 1_000_000).requests == 0


def test_it_is_capped_at_one_whole_pass() -> None:
    """A day's share is 38,880 requests; a list of 9,600 calls needs 100 and some more. Without a limit a
    hundred requests a second are the budget.
    """
    assert one_pass(9600) == 9600 / NEW_ROWS_A_PAGE + EXTRA == 150
    assert Credit(at=NOW).accrued(at(1440), 90, 9600).requests == 150
    assert Credit(at=NOW).accrued(at(1), None, 9600).requests == 150
    assert Credit(at=NOW).accrued(at(0.01), None, 9600).requests == pytest.approx(18)
    assert Credit(at=NOW, requests=500).accrued(at(1), 90, 9600).requests == 150
    assert Credit(share=0, at=NOW).accrued(at(1), None, 9600).requests == 0


@given(st.lists(st.tuples(st.floats(0, 500), st.integers(0, 40)), max_size=20))
def test_spending_never_exceeds_what_accrued(steps: list[tuple[float, int]]) -> None:
    """Whatever is asked for when: never below nothing, and no more is spent than the share of the time that passed."""
    credit, now, spent = Credit(at=NOW), NOW, 0
    for minutes, wanted in steps:
        now += minutes * MINUTE
        credit = credit.accrued(now, 90, 1_000_000)
        for _ in range(wanted):
            if credit.is_any:
                credit, spent = credit.spent(1), spent + 1
    assert credit.requests >= 0
    assert spent <= 27 * (now - NOW) / MINUTE + 0.001


def test_time_that_goes_back_changes_nothing() -> None:
    """A clock that is set back neither takes nor gives, and the credit goes on from there: one that was wrong by years
    does not end it.
    """
    credit = Credit(requests=5, at=NOW)
    back = credit.accrued(at(-5), 90, 1_000_000)
    assert (back.requests, back.at) == (5, at(-5))
    assert back.accrued(at(-4), 90, 1_000_000).requests == pytest.approx(32)
    assert credit.accrued(NOW, 90, 1_000_000) is credit
    assert credit.spent(9).requests == 0


def test_what_was_just_compared_is_left_alone() -> None:
    """For a polling interval, by the same run, and until a polling interval after the end of the one before."""
    assert stale_before(NOW, MINUTE) == at(-1)
    assert stale_before(NOW, MINUTE, begun_at=at(-7)) == at(-7)
    assert stale_before(NOW, MINUTE, begun_at=at(-0.5)) == at(-1)
    rest = Rest(at(-180), at(0.5))
    assert stale_before(NOW, MINUTE, at(-0.1), rest) == at(-180)
    assert stale_before(at(0.5), MINUTE, at(0.4), rest) == at(-0.5)


def test_looks_are_joined_within_a_tenth_of_a_pass() -> None:
    """One pass over a million calls takes 6.5 hours; for a short list it is half a polling interval."""
    hours = one_pass(1_000_000) / 27 / 60
    assert 6.4 < hours < 6.5
    assert grain(90, 0.3, 1_000_000, MINUTE) == pytest.approx(timedelta(hours=hours / 10), abs=timedelta(seconds=1))
    assert grain(90, 0.3, 1_000, MINUTE) == MINUTE / 2
    assert grain(None, 0.3, 1_000_000, MINUTE) == MINUTE / 2
    assert grain(90, 0, 1_000_000, MINUTE) == MINUTE / 2
    assert grain(90, 0.3, 10**18, MINUTE) == grain(90, 1e-12, 100, MINUTE) == LONGEST_GRAIN
