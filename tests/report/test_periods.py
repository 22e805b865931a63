"""Buckets, totals and comparisons: each day is in one bucket, and like is compared with like."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from replicator.report import periods
from replicator.report.rows import Costs

if TYPE_CHECKING:
    from replicator.report.rows import Figures

DAYS = st.dates(date(2020, 1, 1), date(2032, 1, 1))
COST = Costs(date(2026, 1, 1), 2, 1, 1, 0, 0, Decimal("0.10"), None, 0.0, 1, 1, Decimal("0.10"), is_final=True)


@given(DAYS, st.integers(1, 1200))
def test_each_day_is_in_exactly_one_bucket(today: date, days: int) -> None:
    """Buckets follow one another from the period's first day to today, none empty; only the ends can be partial."""
    over = periods.last_days(today, days)
    found = periods.buckets(over)
    assert found[0].since == over.since
    assert found[-1].until == today
    for before, after in pairwise(found):
        assert after.since == before.until + timedelta(days=1)
    assert all(one.since <= one.until for one in found)
    assert not any(one.is_partial for one in found[1:-1])
    assert found[-1].is_partial
    assert len(found) <= 106


@given(DAYS, st.integers(1, 1200), st.integers(0, 1500))
def test_a_young_replica_has_no_empty_past(today: date, days: int, age: int) -> None:
    """The axis begins with the first known call, but for a little room, and never before the period."""
    over, first = periods.last_days(today, days), today - timedelta(days=age)
    found = periods.buckets(over, first)
    assert found[0].since >= over.since
    assert found[0].since <= max(first, over.since)
    assert found[-1].until == today
    assert len(found) >= min(len(periods.buckets(over)), 6)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    """Whole weeks and months, cut by the period."""
    weeks = periods.buckets(periods.last_days(date(2026, 11, 24), 100))
    assert all(one.start.weekday() == 0 for one in weeks)
    months = periods.buckets(periods.last_days(date(2026, 11, 24), 1095))
    assert all(one.start.day == 1 for one in months)
    assert len(months) == 37


@given(DAYS, st.integers(1, 400), st.one_of(st.none(), DAYS))
def test_today_is_no_complete_day(today: date, days: int, first: date | None) -> None:
    """Complete days are those that are over and not before the first known call; counted one by one it is the same."""
    over = periods.last_days(today, days)
    counted = sum(
        first is not None and first <= over.since + timedelta(days=n) < today for n in range(days)
    )  # fmt: skip
    assert periods.complete_days(over.since, today, first, today) == counted


def test_averages_leave_today_out(found: Figures) -> None:
    """Eight calls on 29 complete days, two on the seven days before that were after the first known call."""
    now, before = periods.averages(found, found.attempts, lambda row: row.day, lambda row: row.calls)
    assert (now.total, now.days, before.total, before.days) == (8, 29, 2, 7)
    nothing = replace(found, facts=replace(found.facts, first_day=None))
    assert periods.averages(nothing, found.attempts, lambda row: row.day, lambda row: row.calls)[0].per_day is None


def test_one_day_says_nothing_of_a_month(found: Figures) -> None:
    """Less than a fifth of the period before is no period to compare with; then there is no number from before."""
    facts, since = found.facts, found.period.since
    for days, is_enough in ((6, True), (5, False), (0, False)):
        young = replace(found, facts=replace(facts, first_day=since - timedelta(days=days)))
        assert periods.is_comparable(young) is is_enough
        assert (periods.durations_of(young)[1] is not None) is is_enough
        before = periods.averages(young, young.attempts, lambda row: row.day, lambda row: row.calls)[1]
        assert (before.per_day is not None) is is_enough


def test_a_sum_of_nothing_known_is_unknown() -> None:
    """Adding costs: exact, and None where nothing is known; final only where every day is."""
    unknown = replace(COST, cost_usd=None, conversation_cost_usd=None)
    assert periods.total_costs([unknown, unknown]).cost_usd is None
    assert periods.total_costs([COST, unknown]).cost_usd == Decimal("0.10")
    assert periods.total_costs([COST] * 3).cost_usd == Decimal("0.30")
    assert not periods.total_costs([COST, replace(COST, is_final=False)]).is_final
    assert not periods.total_costs([]).is_final
    assert periods.total_attempts([]).calls == 0
