"""Reads an instant or a duration from a statement's text. Pure.

A time without a zone is a time of the statement's zone. In the hour that a clock goes through twice, the first one is
meant. 10/11/2026 may be two days: such a date is refused with the setting that decides, and never guessed. A number is seconds
or milliseconds since 1970 only where that is an instant of EPOCHS: 202610312359 is a day and a time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from replicator.reconcile import amounts

ORDERS = ("dmy", "mdy", "ymd")
UNITS = {"seconds": Decimal(1), "minutes": Decimal(60), "milliseconds": Decimal("0.001")}
MOST_SECONDS = 366 * 24 * 3600
TWO = 2
"""The digits of a short year."""
EPOCHS = (datetime(2010, 1, 1, tzinfo=UTC), datetime(2033, 9, 1, tzinfo=UTC))
"""What is read as seconds since 1970. From September 2033 on, their digits are those of a day and an hour (2010010100)."""

_MONTHS = {name: at for at, name in enumerate(
    ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1)}  # fmt: skip
_HOURS = {
    "UTC": 0,
    "GMT": 0,
    "UT": 0,
    "Z": 0,
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}
"""Names of zones as RFC 2822 defines them."""
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?"
_ZONE = r"(?P<zone>[A-Za-z]{1,3}|[+-]\d\d(?::?\d\d)?)"
_BEHIND = rf"(?:(?:\s*[T,]\s*|\s+){_TIME}(?:\s*{_ZONE})?)?\Z"
_FORMS = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_BEHIND}",
        rf"(?P<one>\d{{1,2}})(?P<mark>[-/.])(?P<two>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d\d){_BEHIND}",
        rf"(?:[a-z]{{3,9}},?\s+)?(?P<day>\d{{1,2}})[-\s.]+(?P<name>[a-z]{{3,9}})[-\s.,]+(?P<year>\d{{4}}){_BEHIND}",
        rf"(?:[a-z]{{3,9}},?\s+)?(?P<name>[a-z]{{3,9}})[-\s.]+(?P<day>\d{{1,2}})[-\s,]+(?P<year>\d{{4}}){_BEHIND}",
        r"(?P<year>20\d\d)(?P<month>\d\d)(?P<day>\d\d)(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?(?P<zone>Z)?)?\Z",
        rf"{_TIME}\s+{_ZONE}\s+(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)\Z",
    )
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)?\Z", re.ASCII)
_EPOCH = re.compile(r"(\d{9,10})(?:\.(\d{1,6}))?\Z|(\d{12,13})\Z", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d\d)(?:\.\d+)?\Z", re.ASCII)
_WORDS = re.compile(
    r"(?:(\d+)\s*h(?:ours?)?)?\s*(?:(\d+)\s*m(?:in(?:ute)?s?)?)?\s*(?:(\d+)\s*s(?:ec(?:ond)?s?)?)?\Z", re.ASCII
)
_AMOUNT = re.compile(r"[\d.,'\u2019\s]+\Z", re.ASCII)


def read(text: str, zone: tzinfo = UTC, order: str | None = None) -> datetime:
    """Return the instant in UTC. `order` says how a date of three numbers is read: dmy, mdy or ymd; None: as it must be.

    Raises ValueError, with the reason in words.
    """
    text = text.strip()
    if _ISO.match(text):
        found = datetime.fromisoformat(text)
        return in_utc(found, zone)
    if epoch := _EPOCH.match(text):
        micros = int(epoch[3]) * 1000 if epoch[3] else int(epoch[1]) * 10**6 + int((epoch[2] or "0").ljust(6, "0"))
        found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
        if EPOCHS[0] <= found < EPOCHS[1]:
            return found
    for form in _FORMS:
        if match := form.match(text):
            return _instant(match.groupdict(), zone, order)
    if epoch:
        raise ValueError(
            "as seconds or milliseconds since 1970 it is no time of a call; write dates as 2026-10-31 23:59"
        )
    raise ValueError("it is no date or time")


def in_utc(moment: datetime, zone: tzinfo) -> datetime:
    """Return a moment in UTC; without a zone of its own it is one of `zone`."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise ValueError("it is no date or time") from None


def _instant(parts: dict[str, str | None], zone: tzinfo, order: str | None) -> datetime:
    day, month = _day_and_month(parts, order)
    year = int(parts["year"] or 0)
    hour = int(parts["hour"] or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:  # noqa: PLR2004 - a clock of twelve hours
            raise ValueError("it is no time of a clock with AM and PM")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    micros = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    own = _zone(name) if (name := parts.get("zone")) else zone
    try:
        found = datetime(
            year + (2000 if len(parts["year"] or "") == TWO else 0),
            month,
            day,
            hour,
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            micros,
            own,
        )
    except ValueError:
        raise ValueError("there is no such day or time") from None
    return in_utc(found, own)


def _day_and_month(parts: dict[str, str | None], order: str | None) -> tuple[int, int]:
    if name := parts.get("name"):
        month = _MONTHS.get(name[:3].lower())
        if month is None:
            raise ValueError("its month is not known")
        return int(parts["day"] or 0), month
    if "one" not in parts or parts["one"] is None:
        return int(parts["day"] or 0), int(parts["month"] or 0)
    one, two, year = int(parts["one"]), int(parts["two"] or 0), parts["year"] or ""
    if len(year) == TWO and order is None:
        raise ValueError('its year has two digits; set dates = "dmy" or "mdy" under [format]')
    if order == "dmy" or (order is None and (parts["mark"] == "." or one > 12 or one == two)):  # noqa: PLR2004 - months
        return one, two
    if order == "mdy" or (order is None and two > 12):  # noqa: PLR2004 - months
        return two, one
    raise ValueError('day and month could be either; set dates = "dmy" or "mdy" under [format]')


def _zone(text: str) -> tzinfo:
    if text[0] in "+-":
        digits = text[1:].replace(":", "").ljust(4, "0")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        if minutes >= 24 * 60:
            raise ValueError("its offset is not known")
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    hours = _HOURS.get(text.upper())
    if hours is None:
        raise ValueError("its zone is not known; set time_zone under [format] and leave zones out, or use offsets")
    return timezone(timedelta(hours=hours))


def seconds(text: str, unit: str = "seconds", decimal: str = ".") -> int:
    """Return a duration in whole seconds, halves up: 65, 65.4, 1:05 (minutes), 0:01:05, 1m 5s. A plain number is of
    `unit`, and is written with the decimal sign `decimal`: with a comma, 1.234 is a thousand and more.

    Raises ValueError, with the reason in words.
    """
    text = text.strip()
    if _AMOUNT.match(text):
        return whole_seconds(amounts.read(text, decimal)[0], unit)
    if decimal == ",":
        text = text.replace(",", ".")
    if clock := _CLOCK.match(text):
        found = int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + int(clock[3])
    elif (words := _WORDS.match(text.lower())) and any(words.groups()):
        found = int(words[1] or 0) * 3600 + int(words[2] or 0) * 60 + int(words[3] or 0)
    else:
        raise ValueError("it is no duration")
    return whole_seconds(Decimal(found), "seconds")


def whole_seconds(number: Decimal, unit: str) -> int:
    """Return a number of a unit in whole seconds, halves up. Raises ValueError where it is out of bounds."""
    found = number * UNITS[unit]
    if not 0 <= found <= MOST_SECONDS:
        raise ValueError("it is no duration of a call")
    return int(found.to_integral_value(rounding=ROUND_HALF_UP))
