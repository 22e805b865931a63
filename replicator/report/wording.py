"""Formats numbers, money, durations and instants for people. Pure; no rounding hides a difference.

A share is never shown as 100 % if something is missing, nor as 0 % if something exists; `exact` gives an amount of
money with all its digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from replicator.report import terminal

NOTHING = "—"
KEPT = "\N{NO-BREAK SPACE}"
"""Between a number and its unit, so that no line breaks there."""
MINUTE, HOUR, DAY = 60, 3600, 86400
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Clock:
    """Formats instants in the reporting time zone; if Python does not know the zone, in UTC, which is then stated."""

    name: str
    zone: tzinfo

    def instant(self, at: datetime | None) -> str:
        """Return `24 Nov 2026, 18:05`."""
        if at is None:
            return NOTHING
        local = at.astimezone(self.zone)
        return f"{local.day} {local:%b %Y}, {local:%H:%M}".replace(" ", KEPT, 2)


def clock(name: str) -> Clock:
    """Return the clock of a time zone by its name in PostgreSQL."""
    try:
        return Clock(name, ZoneInfo(name))
    except (KeyError, ValueError, OSError):
        return Clock("UTC", UTC)


def percent(value: float | None) -> str:
    """Return a share: `64.9 %`; never 100 % if something is missing, and never 0 % if something exists."""
    return NOTHING if value is None else terminal.percent(value).replace(" ", KEPT)


def count(number: float | None) -> str:
    """Return `12,345`."""
    return NOTHING if number is None else f"{number:,.0f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return `1 call`, `12,345 calls`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def short(number: float) -> str:
    """Return a number for an axis: `0`, `950`, `1.5k`, `20k`, `3M`."""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def share(part: float | None, whole: float | None) -> float | None:
    """Return a share, or None where there is nothing to divide by."""
    return None if part is None or not whole else float(part) / float(whole)


def money(amount: Decimal | None) -> str:
    """Return `$1,234.56`; below ten dollars four decimals, as single calls cost cents."""
    if amount is None:
        return NOTHING
    step = Decimal("0.01") if abs(amount) >= 10 or not amount else Decimal("0.0001")  # noqa: PLR2004 - dollars
    rounded = amount.quantize(step, ROUND_HALF_EVEN)
    if not rounded and amount:
        return f"under {'-' if amount < 0 else ''}$0.0001"
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,}"


def exact(amount: Decimal | None) -> str:
    """Return an amount with all its digits: `1,234.5678 US dollars`."""
    if amount is None:
        return "not known"
    text = f"{amount:,f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} US dollars"


def dollars(number: float) -> str:
    """Return an amount for an axis."""
    return f"{'-' if number < 0 else ''}${short(abs(number))}"


def seconds(number: float | None) -> str:
    """Return `42 s`, `1 min 42 s`, `2 h 05 min`, `3 days`."""
    if number is None:
        return NOTHING
    whole = round(number)
    if whole < MINUTE:
        text = f"{number:.0f} s"
    elif whole < HOUR:
        text = f"{whole // MINUTE} min" + (f" {whole % MINUTE} s" if whole % MINUTE else "")
    elif whole < 4 * DAY:
        text = f"{whole // HOUR} h" + (f" {whole % HOUR // MINUTE:02d} min" if whole % HOUR >= MINUTE else "")
    else:
        text = f"{whole / DAY:,.1f} days"
    return text.replace(" ", KEPT)


def roughly(number: float | None) -> str:
    """Return one unit only, for an axis and for ages: `90 s`, `5 min`, `3 h`, `4 days`."""
    if number is None:
        return NOTHING
    for unit, size in (("days", DAY), ("h", HOUR), ("min", MINUTE)):
        if number >= size * (2 if unit == "days" else 1) and (number % size == 0 or number >= 2 * size):
            return _rough(number / size) + KEPT + unit
    return _rough(number) + KEPT + "s"


def _rough(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 or number == round(number) else f"{number:.1f}"  # noqa: PLR2004 - two digits say enough


def day(when: date, *, with_year: bool = False) -> str:
    """Return `24 Nov`, `24 Nov 2026`."""
    return f"{when.day}{KEPT}{when:%b}" + (f"{KEPT}{when.year}" if with_year else "")


def span(since: date, until: date) -> str:
    """Return `26 Oct to 24 Nov 2026`."""
    if since == until:
        return day(since, with_year=True)
    return f"{day(since, with_year=since.year != until.year)} to {day(until, with_year=True)}"


def bucket(when: date, size: str) -> str:
    """Return the name of a day, week or month."""
    return (
        f"{when:%b %Y}" if size == "month" else f"week of {day(when)}" if size == "week" else f"{when:%a} {day(when)}"
    )


def change(now: float | None, before: float | None) -> str | None:
    """Return `+4.9 %` or `unchanged`; None where there is nothing to compare with."""
    if now is None or not before:
        return None
    relative = 100 * (now - before) / abs(before)
    if abs(relative) < 0.05:  # noqa: PLR2004 - what would be shown as 0.0 %
        return "unchanged"
    return f"{relative:+,.{0 if abs(relative) >= 100 else 1}f}{KEPT}%".replace("-", "−")  # noqa: PLR2004, RUF001 - a minus


def points(now: float | None, before: float | None) -> str | None:
    """Return the difference of two shares in percentage points: `+1.2 points`."""
    if now is None or before is None:
        return None
    difference = 100 * (now - before)
    return "unchanged" if abs(difference) < 0.05 else f"{difference:+.1f}{KEPT}points".replace("-", "−")  # noqa: PLR2004, RUF001 - a minus


__all__ = [
    "NOTHING", "WEEKDAYS", "Clock", "bucket", "change", "clock", "count", "day", "dollars", "exact", "money", "percent",
    "plural", "points", "roughly", "seconds", "share", "short", "span",
]  # fmt: skip
