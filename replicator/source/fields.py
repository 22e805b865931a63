"""Reads single values: texts, phone numbers, identifiers, URLs. Pure; each reader returns None for what it cannot read.

Instants, money and durations have their own modules. A reader returns NOT_KNOWN for a value that means "there is none".
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import msgspec

from replicator.source import jsontext
from replicator.source.amounts import count, decimal, money, read_seconds, seconds, whole_seconds
from replicator.source.instants import epoch, http_date, instant, read_instant
from replicator.source.jsontext import MalformedError
from replicator.source.limits import MAX_NUMBER_CHARACTERS
from replicator.source.unknowns import NIL, NOT_KNOWN, NotKnown, is_no_value, is_unknown, is_withheld

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NOT_KNOWN",
    "agent",
    "boolean",
    "count",
    "decimal",
    "epoch",
    "http_date",
    "identifier",
    "instant",
    "is_no_value",
    "is_unknown",
    "money",
    "phone",
    "read_instant",
    "read_seconds",
    "seconds",
    "text",
    "unwrapped",
    "url_expiry",
    "url_without_signature",
    "whole_seconds",
    "word",
]  # fmt: skip

_HTTP_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_BOOLEANS = {"true": True, "false": False}
_MOST_WRAPPINGS = 3
"""How often JSON may be wrapped in a string: deeper wrapping has never been seen."""
_JSON_LIKE = re.compile(r"""\s*(?:\{\s*["'}]|\[\s*[\[{"'\]]|"\s*(?:\\"|[\[{]))""")
"""How JSON with an object or an array begins, perhaps inside one more string; "[noise] hello" does not match."""


def text(value: Any) -> str | NotKnown | None:
    """Read a text; other types are not converted."""
    return (NOT_KNOWN if is_unknown(value) else value) if type(value) is str else None


def word(value: Any) -> str | NotKnown | None:
    """Read a word of the source's vocabulary, such as a status; "unknown" is a valid word."""
    return (NOT_KNOWN if is_no_value(value) else value) if type(value) is str else None


def phone(value: Any) -> str | NotKnown | None:
    """Read a phone number or address, as received. NOT_KNOWN where it is withheld, None where it is too long."""
    if type(value) is not str or len(value) > MAX_NUMBER_CHARACTERS:
        return None
    return NOT_KNOWN if is_withheld(value) else value


def identifier(value: Any) -> UUID | None:
    """Read a UUID, with or without hyphens, in braces or as a URN. The nil UUID identifies nothing."""
    if type(value) is not str:
        return None
    try:
        found = msgspec.convert(value.strip().removeprefix("urn:uuid:").removeprefix("{").removesuffix("}"), UUID)
    except msgspec.ValidationError:
        return None
    return None if found == NIL else found


def agent(value: Any) -> UUID | NotKnown | None:
    """Read the agent's id; nil and words for nothing are NOT_KNOWN."""
    if is_unknown(value) or (type(value) is str and not value.strip("{}0-")):
        return NOT_KNOWN
    return identifier(value)


def boolean(value: Any) -> bool | None:
    """Read true or false, also as a text."""
    if type(value) is str:
        return _BOOLEANS.get(value.strip().lower())
    return value if type(value) is bool else None


def unwrapped(value: Any) -> tuple[Any, bool]:
    """Return (value, is valid): the object or array inside a JSON text, else the value itself.

    It is not valid if a text looks like JSON and is not: cut off in the middle, or another language's notation.
    """
    inner = value
    for _ in range(_MOST_WRAPPINGS):
        if type(inner) is not str or not _JSON_LIKE.match(inner):
            break
        try:
            inner = jsontext.decode(jsontext.storable(inner.strip().encode())[0])
        except MalformedError:
            return value, inner.lstrip().startswith('"')
    return (inner, True) if isinstance(inner, (dict, list)) else (value, True)


def url_without_signature(url: str) -> str:
    """Return scheme, host and path: the part that stays the same when a URL is signed again."""
    return url.partition("?")[0].partition("#")[0]


def url_expiry(url: str) -> datetime | None:
    """Return when a signed URL expires: AWS, Google, CloudFront/S3 v2 (`Expires`) and Azure (`se`); None if it is not
    known.
    """
    if "?" not in url:
        return None
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
