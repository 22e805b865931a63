"""Computes buckets, totals and comparisons of equal periods from daily rows. Pure.

Today is not over, so a period that includes today is never compared with a complete one. Counts and sums are compared
as averages of *complete* days; shares and percentiles are compared directly. Days before the first known call do not
count as days.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from replicator.report.rows import Attempts, Costs, Period

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from replicator.report.rows import CoveredDay, Durations, Figures

DIRECTIONS = ("outbound", "inbound", "webrtc", "other")
EDGES = (0, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
"""Lower edges of the histogram's buckets in seconds; they are fixed, so that empty buckets are shown too."""

DAYS_BY_DAY, DAYS_BY_WEEK = 92, 732
"""Up to this many days are shown one by one, or by week; longer periods by month."""

LEAST_BUCKETS = {"day": 6, "week": 41, "month": 180}
"""The least number of days before today on each axis, however young the replica is."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day, week or month, as far as it lies in the period. Partial: cut off, or not over."""

    start: date
    since: date
    until: date
    is_partial: bool


@dataclass(frozen=True, slots=True)
class Average:
    """A total over the complete days of a period: `per_day` is None where there is none."""

    total: float
    days: int

    @property
    def per_day(self) -> float | None:
        return self.total / self.days if self.days else None


def last_days(today: date, days: int) -> Period:
    """Return the last `days` days up to today."""
    since = today - timedelta(days=days - 1)
    bucket = "day" if days <= DAYS_BY_DAY else "week" if days <= DAYS_BY_WEEK else "month"
    return Period(days, today, since, since - timedelta(days=days), bucket)


def start_of(day: date, bucket: str) -> date:
    """Return the first day of the day's week (a Monday) or month."""
    if bucket == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if bucket == "month" else day


def buckets(period: Period, first: date | None = None) -> tuple[Bucket, ...]:
    """Return the period's days, weeks or months, oldest first. If the first known call is later, they begin with it."""
    least = period.today - timedelta(days=LEAST_BUCKETS[period.bucket])
    found: list[Bucket] = []
    day = max(period.since, min(first, least)) if first else period.since
    while day <= period.today:
        start = start_of(day, period.bucket)
        after = _next(start, period.bucket)
        until = min(after - timedelta(days=1), period.today)
        found.append(
            Bucket(start, day, until, is_partial=(day > start and day == period.since) or after > period.today)
        )
        day = after
    return tuple(found)


def _next(start: date, bucket: str) -> date:
    if bucket == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=7 if bucket == "week" else 1)


def complete_days(since: date, until: date, first: date | None, today: date) -> int:
    """Return how many days from `since` to `until` are over, without those before the first known call."""
    if first is None:
        return 0
    begin, end = max(since, first), min(until, today - timedelta(days=1))
    return max(0, (end - begin).days + 1)


def is_now(day: date, period: Period) -> bool:
    """Say whether a day belongs to the period, and not to the previous one."""
    return period.since <= day <= period.today


def total_attempts(rows: Iterable[Attempts]) -> Attempts:
    """Add up rows of any days and directions."""
    kept = list(rows)
    sums = {one.name: sum(getattr(row, one.name) for row in kept) for one in fields(Attempts)[2:]}
    return Attempts(kept[0].day if kept else date.min, "", **sums)


def total_costs(rows: Iterable[Costs]) -> Costs:
    """Add up rows of any days. If no cost is known, the sum is unknown (None), not zero."""
    kept = list(rows)

    def money(amounts: Sequence[Decimal | None]) -> Decimal | None:
        known = [amount for amount in amounts if amount is not None]
        return sum(known, Decimal(0)) if known else None

    return Costs(
        day=kept[0].day if kept else date.min,
        calls=sum(row.calls for row in kept),
        known_calls=sum(row.known_calls for row in kept),
        pending_calls=sum(row.pending_calls for row in kept),
        not_expected_calls=sum(row.not_expected_calls for row in kept),
        implausible_calls=sum(row.implausible_calls for row in kept),
        cost_usd=money([row.cost_usd for row in kept]),
        timed_cost_usd=money([row.timed_cost_usd for row in kept]),
        timed_minutes=sum(row.timed_minutes for row in kept),
        conversations=sum(row.conversations for row in kept),
        known_conversations=sum(row.known_conversations for row in kept),
        conversation_cost_usd=money([row.conversation_cost_usd for row in kept]),
        is_final=bool(kept) and all(row.is_final for row in kept),
        given_up_calls=sum(row.given_up_calls for row in kept),
    )


def split(rows: Iterable[T], period: Period, day: Callable[[T], date]) -> tuple[list[T], list[T]]:
    """Return the rows of the period, and those of the one before."""
    now: list[T] = []
    before: list[T] = []
    for row in rows:
        if is_now(day(row), period):
            now.append(row)
        elif period.before <= day(row) < period.since:
            before.append(row)
    return now, before


def is_comparable(figures: Figures) -> bool:
    """Say whether enough of the previous period is known for a comparison: a fifth of its days."""
    period, first = figures.period, figures.facts.first_day
    days = complete_days(period.before, period.since - timedelta(days=1), first, period.today)
    return days * 5 >= period.days


def averages(
    figures: Figures, rows: Iterable[T], day: Callable[[T], date], value: Callable[[T], float]
) -> tuple[Average, Average]:
    """Return the averages over complete days: of the period, and of the one before."""
    period, first = figures.period, figures.facts.first_day
    now, before = split(rows, period, day)
    return (
        Average(
            sum(value(row) for row in now if day(row) < period.today and (first is None or day(row) >= first)),
            complete_days(period.since, period.today, first, period.today),
        ),
        Average(0, 0)
        if not is_comparable(figures)
        else Average(
            sum(value(row) for row in before if first is None or day(row) >= first),
            complete_days(period.before, period.since - timedelta(days=1), first, period.today),
        ),
    )


def durations_of(figures: Figures) -> tuple[Durations | None, Durations | None]:
    """Return the period's percentiles, and those of the period before where the two can be compared."""
    whole = {row.is_before: row for row in figures.durations if row.bucket is None}
    return whole.get(False), whole.get(True) if is_comparable(figures) else None


def within(rows: Iterable[T], one: Bucket, day: Callable[[T], date]) -> list[T]:
    """Return the rows of a bucket."""
    return [row for row in rows if one.since <= day(row) <= one.until]


def covered(rows: Iterable[CoveredDay]) -> tuple[float, float, float]:
    """Return the seconds of some days that are proven, unsure, and never compared."""
    kept = list(rows)
    return (
        sum(row.proven_seconds for row in kept),
        sum(row.unsure_seconds for row in kept),
        sum(row.never_compared_seconds for row in kept),
    )


__all__ = [
    "DIRECTIONS", "EDGES", "Average", "Bucket", "averages", "buckets", "complete_days", "covered", "durations_of", "is_comparable", "is_now",
    "last_days", "split", "start_of", "total_attempts", "total_costs", "within",
]  # fmt: skip
