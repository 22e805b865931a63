"""Reads money, durations and counts, in every form that APIs send. Pure.

Digits never pass through binary floating point. A value with two possible meanings is not read: "0,25" and "1,234" (a
decimal comma or thousands?), "1:05" (minutes or hours?), another currency, -1 dollars (a refund or "unknown"?). It
becomes None, and the caller names the field. A duration of -1 can only mean "unknown": it is NOT_KNOWN.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from replicator.source.unknowns import NOT_KNOWN, NotKnown, is_unknown

_INT32 = 2**31
_DIGITS = r"[0-9]{1,1000}"
_DECIMAL = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.[0-9]{{0,1000}})?|\.{_DIGITS})(?:[eE][+-]?[0-9]{{1,3}})?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]{1,1000}")
_DOLLARS = re.compile(r"(?:US ?\$|USD ?\$?|\$)|(?:US ?\$|USD|\$)$", re.IGNORECASE)
_ONE_TEXT = 1100
_UNIT_SECONDS = {
    "": 1, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "mins": 60, "minute": 60,
    "minutes": 60, "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
}  # fmt: skip
_THOUSANDTHS = frozenset({"ms", "msec", "msecs", "millis", "millisecond", "milliseconds"})
_WITH_UNIT = re.compile(rf"(-?{_DIGITS}(?:\.{_DIGITS})?) ?([a-z]*)")
_SPOKEN = re.compile(
    r"(?:([0-9]{1,6}) ?h[a-z]{0,4} ?)?(?:([0-9]{1,6}) ?m[a-z]{0,6} ?)?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?) ?s[a-z]{0,6})?"
)
_PERIOD = re.compile(
    r"P(?:([0-9]{1,6})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,9}(?:[.,][0-9]{1,9})?)S)?)?"
)
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,9})?)")


def decimal(value: Any) -> Decimal | None:
    """Read an exact decimal from a number or from its digits in a string."""
    if type(value) is Decimal:
        return value
    if type(value) is int:
        return Decimal(value)
    if type(value) is not str or len(value) > _ONE_TEXT:
        return None
    text = value.strip()
    return Decimal(text) if _DECIMAL.fullmatch(text) else None


def money(value: Any) -> Decimal | NotKnown | None:
    """Read US dollars: a number, its digits, with "$" or "USD" around it, or an object with amount and currency."""
    found: Decimal | NotKnown | None
    if is_unknown(value):
        return NOT_KNOWN
    if type(value) is dict:
        found = _of_object(value)
    elif type(value) is str:
        found = _dollars(value)
    else:
        found = decimal(value)
    return None if found == -1 else found  # many APIs send this for "unknown", and it could be a refund


def _dollars(value: str) -> Decimal | None:
    text = value.strip()
    if len(text) > _ONE_TEXT:
        return None
    sign = ""
    if text[:1] in {"-", "+"}:
        sign, text = text[0], text[1:].lstrip()
    text = sign + _DOLLARS.sub("", text, count=1).strip()
    return Decimal(text.replace(",", "")) if _GROUPED.fullmatch(text) else decimal(text)


def _of_object(value: dict[str, Any]) -> Decimal | None:
    """Read {"amount": "0.25", "currency": "USD"} and similar. A whole number as amount may be in cents, so it is not
    read.
    """
    currencies = [value[name] for name in ("currency", "currency_code", "currencyCode") if name in value]
    if not currencies or any(
        type(one) is not str or one.strip().upper() not in {"USD", "US$", "$"} for one in currencies
    ):
        return None
    if "units" in value or "nanos" in value:
        units, nanos = decimal(value.get("units", 0)), decimal(value.get("nanos", 0))
        return None if units is None or nanos is None else units + nanos / 1_000_000_000
    amounts = [value[name] for name in ("amount", "value") if name in value]
    if len(amounts) != 1 or type(amounts[0]) is int:
        return None
    found = decimal(amounts[0])
    return found if found is not None and (type(amounts[0]) is Decimal or "." in str(amounts[0])) else None


def read_seconds(value: Any) -> Decimal | NotKnown | None:
    """Read seconds: a number, "1.5s", "1500ms", "PT1M5S", "1m 5s", "00:01:05", {"seconds": 65, "nanos": 0}."""
    if is_unknown(value):
        return NOT_KNOWN
    found = (
        _seconds_of_text(value.strip().lower()) if type(value) is str and len(value) <= _ONE_TEXT else decimal(value)
    )
    if type(value) is dict and "seconds" in value and set(value) <= {"seconds", "nanos", "nanoseconds"}:
        whole, nanos = decimal(value["seconds"]), decimal(value.get("nanos", value.get("nanoseconds", 0)))
        found = None if whole is None or nanos is None else whole + nanos / 1_000_000_000
    return NOT_KNOWN if found == -1 else found


def _seconds_of_text(text: str) -> Decimal | None:
    if (number := decimal(text)) is not None:
        return number
    if match := _WITH_UNIT.fullmatch(text):
        if match[2] in _THOUSANDTHS:
            return Decimal(match[1]) / 1000
        return Decimal(match[1]) * _UNIT_SECONDS[match[2]] if match[2] in _UNIT_SECONDS else None
    if (match := _PERIOD.fullmatch(text.upper())) and any(match.groups()):
        days, hours, minutes, seconds = (Decimal((part or "0").replace(",", ".")) for part in match.groups())
        return 86400 * days + 3600 * hours + 60 * minutes + seconds
    if match := _CLOCK.fullmatch(text):
        return 3600 * Decimal(match[1]) + 60 * Decimal(match[2]) + Decimal(match[3])
    if (match := _SPOKEN.fullmatch(text)) and any(match.groups()):
        return sum(
            (Decimal(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)), Decimal()
        )
    return None


def seconds(value: Any) -> Decimal | None:
    """Read a number of seconds, or None."""
    found = read_seconds(value)
    return found if isinstance(found, Decimal) else None


def whole_seconds(value: Any) -> int | NotKnown | None:
    """Read a duration as whole seconds: 12, 12.0, "12" and also 12.9 give 12; None beyond 32 bits.

    The contract says integer. A fraction is cut off, as a server's int() does; it stays in `raw`.
    """
    number = read_seconds(value)
    if not isinstance(number, Decimal):
        return number
    return int(number) if -_INT32 <= number < _INT32 else None


def count(value: Any) -> int | None:
    """Read a count, or its digits in a string: a whole number that is not negative and fits 64 bits."""
    number = value if type(value) is int else decimal(value)
    if number is None or not 0 <= number < 2**63 or number != int(number):
        return None
    return int(number)
