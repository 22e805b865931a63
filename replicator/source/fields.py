"""How single values read: instants, money, identifiers, durations. Pure; every function gives None for "cannot"."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_YEAR, _LAST_YEAR = 1970, 9998
"""Year 1 is Go's "no time" and year 9999 everybody's "never"; neither is an instant of a call."""
_INT32 = 2**31
_DECIMAL = re.compile(r"-?[0-9]{1,1000}(?:\.[0-9]{1,1000})?(?:[eE][+-]?[0-9]{1,3})?")
_SECONDS_SUFFIX = "s"
_HTTP_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_LONGEST_INSTANT = 64


def text(value: Any) -> str | None:
    """Read a text; nothing else is turned into one."""
    return value if type(value) is str else None


def instant(value: Any) -> datetime | None:
    """Read an ISO 8601 instant (T or a space; Z, an offset, or none: then UTC; a fraction is cut to µs; second 60) in UTC."""
    if type(value) is not str or not 19 <= len(value) <= _LONGEST_INSTANT:  # noqa: PLR2004 - YYYY-MM-DDTHH:MM:SS
        return None
    # fromisoformat() knows more forms than the source has any business to send: week dates, basic dates, any separator.
    if value[4] != "-" or value[7] != "-" or value[10] not in "T t" or value[13] != ":" or value[16] != ":":
        return None
    is_leap = value[17:19] == "60"
    try:
        moment = datetime.fromisoformat((value if not is_leap else f"{value[:17]}59{value[19:]}").upper())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        moment += timedelta(seconds=is_leap)  # a leap second is the next one, as PostgreSQL reads it
    except (ValueError, OverflowError):
        return None
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def http_date(value: str | None) -> datetime | None:
    """Read a Date header."""
    return _http_date(value) if value else None


@lru_cache(maxsize=64)
def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


def identifier(value: Any) -> UUID | None:
    """Read a UUID, with or without hyphens."""
    if type(value) is not str:
        return None
    try:
        return msgspec.convert(value, UUID)
    except msgspec.ValidationError:
        return None


def decimal(value: Any) -> Decimal | None:
    """Read an exact decimal from a number or from its digits in a string."""
    if type(value) is Decimal:
        return value
    if type(value) is int:
        return Decimal(value)
    return Decimal(value) if type(value) is str and _DECIMAL.fullmatch(value) else None


def seconds(value: Any) -> Decimal | None:
    """Read a number of seconds, also as "1.5s"."""
    return decimal(value.removesuffix(_SECONDS_SUFFIX) if type(value) is str else value)


def whole_seconds(value: Any) -> int | None:
    """Read a duration as completed seconds: 12, 12.0 and "12" are 12, and so is 12.9; None beyond 32 bits.

    The contract says integer. A fraction is cut, as a server's int() cuts it; the fraction stays in `raw`.
    """
    number = decimal(value)
    if number is None or not -_INT32 <= number < _INT32:
        return None
    return int(number)


def count(value: Any) -> int | None:
    """Read a number of things: a whole number that is not negative and fits 64 bits."""
    number = value if type(value) is int else decimal(value) if type(value) is Decimal else None
    if number is None or not 0 <= number < 2**63 or number != int(number):
        return None
    return int(number)


def url_without_signature(url: str) -> str:
    """Return scheme, host and path: what stays the same when a URL is signed anew."""
    return url.partition("?")[0].partition("#")[0]


def url_expiry(url: str) -> datetime | None:
    """Read from a signed URL until when it works: AWS, Google, CloudFront/S3 v2 (`Expires`) and Azure (`se`)."""
    try:
        query = {key.lower(): values[-1] for key, values in parse_qs(urlsplit(url).query, max_num_fields=100).items()}
    except ValueError:
        return None
    for vendor in ("x-amz", "x-goog"):
        if (expiry := _signed_at_plus(query, vendor)) is not None:
            return expiry
    for name in ("expires", "x-expires"):
        if name in query:
            return epoch(query[name])
    return instant(query.get("se")) or instant(f"{query.get('se', '').removesuffix('Z')}T00:00:00Z")


def _signed_at_plus(query: Mapping[str, str], vendor: str) -> datetime | None:
    signed_at, lifetime = query.get(f"{vendor}-date", ""), query.get(f"{vendor}-expires", "")
    if not _HTTP_STAMP.fullmatch(signed_at) or not re.fullmatch("[0-9]{1,9}", lifetime):
        return None
    with suppress(ValueError, OverflowError):
        return datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + timedelta(seconds=int(lifetime))
    return None


def epoch(value: str) -> datetime | None:
    """Read Unix seconds."""
    if not re.fullmatch(r"[0-9]{1,12}", value):
        return None
    with suppress(ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(int(value), UTC)
        return moment if moment.year <= _LAST_YEAR else None
    return None
