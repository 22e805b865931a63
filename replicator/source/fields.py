"""How single values read: texts, numbers of phones, identifiers, URLs. Pure; every reader gives None for "cannot".

Instants, money and durations have modules of their own. A reader gives NOT_KNOWN where the value says that there is none.
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
"""JSON in a string in a string: nobody has been seen to go further."""
_JSON_LIKE = re.compile(r"""\s*(?:\{\s*["'}]|\[\s*[\[{"'\]]|"\s*(?:\\"|[\[{]))""")
"""How JSON begins that holds an object or an array, perhaps once more in a string; not "[noise] hello"."""


def text(value: Any) -> str | NotKnown | None:
    """Read a text; nothing else is turned into one."""
    return (NOT_KNOWN if is_unknown(value) else value) if type(value) is str else None


def word(value: Any) -> str | NotKnown | None:
    """Read a word of the source's vocabulary, such as a status; "unknown" is one."""
    return (NOT_KNOWN if is_no_value(value) else value) if type(value) is str else None


def phone(value: Any) -> str | NotKnown | None:
    """Read a phone number or address, as received. What says that it is withheld is none; what is too long is none."""
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
    """Return the object or array that a text holds as JSON, else the value itself; and whether all is well.

    It is not where a text looks like JSON and is none: cut off in the middle, or another language's notation.
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
