"""Reads instants (points in time), in every form that APIs send. Pure.

It reads ISO 8601 in its usual variants, mail and HTTP dates, what JavaScript, Go and PHP print, Unix time in seconds to
nanoseconds, and the objects that some serialisers make. Without a zone it is UTC, as the contract's servers mean it. A
value with two possible meanings (03/04/2026, a zone's abbreviation, a number that is no Unix time of this century) is
not read: it becomes None, and the caller names the field. Values that stand for "no time" (year 1,
1970-01-01T00:00:00Z, year 9999) are NOT_KNOWN.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from replicator.source.unknowns import NOT_KNOWN, NotKnown, is_unknown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = 1970, 9998
LONGEST = 64
"""The most characters that an instant may have."""

_ZERO_DAYS = frozenset(
    {"0000-00-00", "0001-01-01", "1000-01-01", "1601-01-01", "1753-01-01", "1899-12-30", "1900-01-01"}
)
"""The first days of calendars and column types: programs write them for a time that was not set."""
_NEVER = frozenset({"infinity", "-infinity", "never"})
_NUMBER = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_CENTURY = (Decimal(946_684_800), Decimal(4_102_444_800))
"""2000 to 2100 in Unix seconds. The same in milliseconds, microseconds and nanoseconds: the ranges do not overlap."""
_CENTURIES = ("19", "20")
"""How a year begins that a call can have: twelve digits that begin otherwise are no date with hour and minute."""
_UNITS = (Decimal(1), Decimal(1000), Decimal(1_000_000), Decimal(1_000_000_000))
_NO_TIMES = frozenset({Decimal(0), Decimal(-1), Decimal(-62_135_596_800), Decimal(-62_135_596_800_000)})
"""Not set, and year 1 in seconds and in milliseconds."""
_ISO = re.compile(
    r"(?P<year>[0-9]{4})(?P<dash>[-/]?)(?P<month>[0-9]{2})(?P=dash)(?P<day>[0-9]{2})"
    r"(?:(?:[T_]| +)?(?P<hour>[0-9]{2})(?P<colon>:?)(?P<minute>[0-9]{2})"
    r"(?:(?P=colon)(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,30}))?)?"
    r"(?: ?(?:UTC|GMT)?(?P<sign>[+-])(?P<ahead>[0-9]{2})(?::?(?P<ahead_minutes>[0-9]{2}))?(?::00)?(?: [A-Z]{3,5})?"
    r"| ?(?:Z|UTC|GMT|ETC/UTC))?(?: M=[+-][0-9.]{1,30})?(?:\[[A-Z0-9/_+:-]{1,40}\])?)?"
)
_CONTRACT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?Z", re.ASCII)
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2,8},? )?(?:[0-9]{1,2}[ -][A-Z][a-z]{2}[ -](?:[0-9]{4}|[0-9]{2})|[A-Z][a-z]{2} {1,2}[0-9]{1,2}) "
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?: [0-9]{4})?"
    r"(?: (?:GMT|UTC|UT|Z|[+-][0-9]{4}|EST|EDT|CST|CDT|MST|MDT|PST|PDT)(?: \([A-Za-z ]{1,40}\))?)?"
)
_SCRIPT = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([0-9]{2}) ([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) (?:GMT|UTC)([+-][0-9]{4})(?: \(.{0,40}\))?"
)
_DOTNET = re.compile(r"\\?/Date\((-?[0-9]{1,16})(?:[+-][0-9]{4})?\)\\?/")


def read_instant(value: Any) -> datetime | NotKnown | None:
    """Read an instant in UTC, cut to microseconds. NOT_KNOWN for a value that means "no time"; None for any other
    value.
    """
    if type(value) is str:
        return _of_text(value)
    if type(value) is int or type(value) is Decimal:
        return _of_number(Decimal(value))
    if type(value) is dict:
        return _of_object(value)
    if type(value) is list and 5 <= len(value) <= 7 and all(type(part) is int for part in value):  # noqa: PLR2004
        return _of_parts(value)
    return None


def instant(value: Any) -> datetime | None:
    """Read an instant, or None."""
    found = read_instant(value)
    return found if isinstance(found, datetime) else None


def _of_text(value: str) -> datetime | NotKnown | None:
    if _CONTRACT.fullmatch(value):
        # As the contract writes it, which is nearly every instant.
        with suppress(ValueError):
            return _plausible(datetime.fromisoformat(value))
    if len(value) > LONGEST:
        return None
    text = value.strip()
    # The usual form, which the standard library reads fastest.
    if len(text) >= 19 and text[4] == text[7] == "-" and text[10] in "Tt " and text[13] == text[16] == ":":  # noqa: PLR2004
        with suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(text.upper())
            return _plausible(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    if is_unknown(text) or text.lower() in _NEVER:
        return NOT_KNOWN
    if len(text) == 12 and text.isdecimal() and text[:2] not in _CENTURIES:  # noqa: PLR2004 - milliseconds before 2001-09-09
        return _of_number(Decimal(text))
    if match := _ISO.fullmatch(text.upper()):
        return _of_iso(match)
    if _NUMBER.fullmatch(text):
        return _of_number(Decimal(text))
    if match := _DOTNET.fullmatch(text):
        milliseconds = Decimal(match[1])
        return NOT_KNOWN if milliseconds in _NO_TIMES else _since_epoch(milliseconds / 1000)
    if match := _SCRIPT.fullmatch(text):
        month, day, year, clock, zone = match.groups()
        return _of_mail(f"{day} {month} {year} {clock} {zone}")
    return _of_mail(text) if _MAIL.fullmatch(text) else None


def _of_iso(match: re.Match[str]) -> datetime | NotKnown | None:
    parts = match.groupdict()
    day = f"{parts['year']}-{parts['month']}-{parts['day']}"
    if day in _ZERO_DAYS or parts["year"] in {"0000", "0001", "9999"}:
        return NOT_KNOWN
    if not parts["dash"] and parts["hour"] and parts["colon"]:
        return None  # no program writes 2026030112:00
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    # A leap second is the next one, and 24:00 is the next day's beginning, as PostgreSQL reads them.
    over = timedelta(seconds=second == 60) + timedelta(days=(hour, minute, second) == (24, 0, 0))  # noqa: PLR2004
    zone = timedelta(hours=int(parts["ahead"] or 0), minutes=int(parts["ahead_minutes"] or 0))
    with suppress(ValueError, OverflowError):
        moment = datetime(
            int(parts["year"]), int(parts["month"]), int(parts["day"]),
            0 if hour == 24 else hour, minute, min(second, 59) if second == 60 else second,  # noqa: PLR2004
            int((parts["fraction"] or "")[:6].ljust(6, "0")), timezone(-zone if parts["sign"] == "-" else zone),
        )  # fmt: skip
        return _plausible(moment.astimezone(UTC) + over)
    return None


def _of_number(number: Decimal) -> datetime | NotKnown | None:
    if number in _NO_TIMES:
        return NOT_KNOWN
    for unit in _UNITS:
        if _CENTURY[0] <= number / unit < _CENTURY[1]:
            return _since_epoch(number / unit)
    digits = str(number)
    if number == number.to_integral_value() and len(digits) in {8, 14} and (match := _ISO.fullmatch(digits)):
        return _of_iso(match)
    return None


def _since_epoch(seconds: Decimal) -> datetime | NotKnown | None:
    with suppress(OverflowError, ValueError):
        return _plausible(EPOCH + timedelta(microseconds=int(seconds * 1_000_000)))
    return None


def _of_object(value: dict[str, Any]) -> datetime | NotKnown | None:
    """Read the objects that serialisers make for an instant: MongoDB, protobuf and Firestore, PHP."""
    if len(value) == 1:
        for name in ("$date", "$numberLong", "value", "iso"):
            if name in value and not isinstance(value[name], list):
                inner = value[name]
                if name in {"$date", "$numberLong"} and type(inner) in {int, str} and _NUMBER.fullmatch(str(inner)):
                    return NOT_KNOWN if Decimal(inner) in _NO_TIMES else _since_epoch(Decimal(inner) / 1000)
                return read_instant(inner)
    seconds = value.get("seconds", value.get("_seconds"))
    if len(value) <= 2 and seconds is not None and _NUMBER.fullmatch(str(seconds)):  # noqa: PLR2004
        parts = [value.get(name) for name in ("nanos", "nanoseconds", "_nanoseconds") if value.get(name) is not None]
        nanos = parts[0] if parts and _NUMBER.fullmatch(str(parts[0])) else 0
        whole = Decimal(str(seconds))
        return NOT_KNOWN if whole in _NO_TIMES else _since_epoch(whole + Decimal(str(nanos)) / _UNITS[3])
    if isinstance(value.get("date"), str) and isinstance(zone := value.get("timezone"), str):
        return _of_text(f"{value['date']} {zone}" if zone.upper() in {"UTC", "Z"} else f"{value['date']}{zone}")
    return None


def _of_parts(parts: list[int]) -> datetime | NotKnown | None:
    """Read [year, month, day, hour, minute, second, nanoseconds]: the default form of a Java LocalDateTime."""
    year, month, day, hour, minute, second, nanos = (*parts, 0, 0)[:7]
    with suppress(ValueError, OverflowError):
        return _plausible(datetime(year, month, day, hour, minute, second, nanos // 1000, UTC))
    return None


def _plausible(moment: datetime) -> datetime | NotKnown | None:
    if FIRST_YEAR < moment.year <= LAST_YEAR:
        return moment
    if moment == EPOCH or moment.year in {1, 9999} or moment.date().isoformat() in _ZERO_DAYS:
        return NOT_KNOWN
    return moment if moment.year == FIRST_YEAR else None


@lru_cache(maxsize=64)
def _of_mail(value: str) -> datetime | NotKnown | None:
    try:
        moment = parsedate_to_datetime(value)
        return _plausible(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def http_date(value: str | None) -> datetime | None:
    """Read a Date header."""
    found = _of_mail(value) if value else None
    return found if isinstance(found, datetime) else None


def epoch(value: str) -> datetime | None:
    """Read Unix seconds, of any year."""
    if not re.fullmatch(r"[0-9]{1,12}", value):
        return None
    with suppress(ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(int(value), UTC)
        return moment if moment.year <= LAST_YEAR else None
    return None
