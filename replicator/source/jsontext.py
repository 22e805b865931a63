r"""Converts JSON text into a form that PostgreSQL's jsonb accepts. Knows neither the network nor what a call is.

There are three problems between a JSON payload and jsonb, and each has one rule here:

- NUL (`\u0000`) and lone surrogates, which jsonb refuses in any string or key, are **escaped reversibly**: the
  private-use character `ESCAPE` and four hex digits. `ESCAPE` itself is escaped the same way, so that `unescape`
  returns exactly what was received. Everything else keeps its own bytes.
- Numbers keep their digits: integers are int, all others Decimal, never float. A number with a fraction or an
  exponent is malformed if it has more than 1,000 characters or an exponent beyond ±1,000, because its value could exceed
  what numeric holds. An integer is malformed beyond 4,300 digits, where Python stops.
- Nesting deeper than 200 is malformed, so that no program's stack overflows.

If a key occurs twice, the last one counts, as in jsonb.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec

from replicator.source.limits import MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT, MAX_ROW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPE = "\ue01b"
"""A private-use character (its last byte is that of ESC). Real texts do not contain it; if one does, it is escaped."""

_ESCAPE_BYTES = ESCAPE.encode()
_UNSTORABLE = re.compile(f"[\x00\ud800-\udfff{ESCAPE}]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{4}})")
# In JSON text every backslash is inside a string and starts an escape, so consuming escapes in order is exact.
_JSON_UNSTORABLE = re.compile(
    rb"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\[^u]"
    rb"|\\u(?!0000|[dD][89a-fA-F]|[eE]01[bB]))"
    rb"|\\u(?P<code>0000|[dD][89a-fA-F][0-9a-fA-F]{2}|[eE]01[bB])"
    rb"|(?P<character>" + _ESCAPE_BYTES + rb")"
)
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},:]', re.DOTALL)
_WORD = re.compile(rb'[^\s"{}\[\],:]+')
_QUOTE, _COMMA, _COLON, _OPENING, _CLOSING = b'"'[0], b","[0], b":"[0], b"[{", b"]}"
_SEAM = re.compile(rb"\}\s*,\s*\{")
_BOM = b"\xef\xbb\xbf"


class MalformedError(ValueError):
    """A text is not JSON, or not JSON that jsonb can hold. The message gives the reason and quotes nothing."""


def escape(text: str) -> str:
    """Return `text` as PostgreSQL can store it."""
    return _UNSTORABLE.sub(lambda match: f"{ESCAPE}{ord(match.group()):04x}", text)


def unescape(text: str) -> str:
    """Return what `escape` was given, possibly with NUL and lone surrogates."""
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text)


def storable(raw: bytes) -> tuple[bytes, bool]:
    """Return (JSON text with everything escaped that jsonb refuses, whether anything was escaped)."""
    if b"\\u" not in raw and _ESCAPE_BYTES not in raw:
        return raw, False
    escaped = _JSON_UNSTORABLE.sub(_replacement, raw)
    return escaped, escaped != raw


def _replacement(match: re.Match[bytes]) -> bytes:
    if match["code"]:
        return _ESCAPE_BYTES + match["code"].lower()
    return _ESCAPE_BYTES + b"e01b" if match["character"] else match[0]


def _number(digits: str) -> Decimal:
    if len(digits) > MAX_DIGITS:
        raise MalformedError(f"a number has more than {MAX_DIGITS} digits")
    number = Decimal(digits)
    if not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise MalformedError(f"a number has an exponent beyond ±{MAX_EXPONENT}")
    return number


_DECODER = msgspec.json.Decoder(float_hook=_number)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_CANONICAL = msgspec.json.Encoder(decimal_format="number", order="sorted")


def decode(raw: bytes, *, inside: int = 0) -> Any:
    """Return the value of storable JSON text, with int and Decimal for numbers. Raises MalformedError, nothing else.

    `inside` is how many brackets already surround the text.
    """
    try:
        value = _DECODER.decode(raw)
    except RecursionError:
        raise MalformedError("nested too deep") from None
    except UnicodeDecodeError:
        raise MalformedError("not UTF-8") from None
    except InvalidOperation:
        raise MalformedError("a number is out of range") from None
    except msgspec.DecodeError as error:
        if "value out of range" in str(error):
            raise MalformedError("a number is out of range") from None
        raise MalformedError(str(error)) from None
    # A nesting depth needs as many brackets, so counting bytes makes the exact test unnecessary for almost every row.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH - inside and _depth(value) > MAX_DEPTH - inside:
        raise MalformedError(f"nested deeper than {MAX_DEPTH}")
    return value


def _depth(value: Any) -> int:
    """Return how deep `value` is nested, level by level and without recursion."""
    depth, level = 0, [value] if isinstance(value, (dict, list)) else []
    while level:
        depth += 1
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
    return depth


def encode(value: Any) -> str:
    """Return `value` as JSON text in the order received, with its numbers' digits."""
    return _ENCODER.encode(value).decode()


def canonical(value: Any) -> bytes:
    """Return the canonical text of `value`: keys sorted, no white space, numbers with their digits."""
    return _CANONICAL.encode(value)


def without_bom(body: bytes) -> bytes:
    """Return `body` without white space around it and without a byte order mark."""
    return body.removeprefix(_BOM).strip()


def split(raw: bytes) -> list[tuple[str, bytes]]:
    """Divide one JSON object or array into its members: (key, or "" in an array; the value's own bytes).

    It looks only at brackets, commas and strings, so one invalid member does not hide the others. Raises MalformedError
    where the container as a whole is not well formed.
    """
    return list(members(raw))


def members(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what `split` returns. Members before a fault are yielded before MalformedError is raised."""
    for key, value, _ in _members(raw):
        yield key, value


def members_for_certain(raw: bytes) -> dict[str, bytes]:
    """Return the members of an object, if each is a single string, word or bracket, and so contains nothing of its
    neighbours.

    Raises MalformedError where one member may be more than that.
    """
    found: dict[str, bytes] = {}
    for key, value, things in _members(raw):
        is_thing = value[:1] in (b'"', b"{", b"[") and value[-1:] in (b'"', b"}", b"]") and things == 1
        if not key or not (is_thing or (not things and _WORD.fullmatch(value))):
            raise MalformedError("a member has no clear end")
        found[key] = value
    return found


def _members(raw: bytes) -> Iterator[tuple[str, bytes, int]]:
    text = raw.strip()
    if text[:1] not in (b"{", b"["):
        raise MalformedError("neither an object nor an array")
    start, key, is_first = 1, "", True
    for symbol, at, things in _outer_symbols(text):
        if symbol == _COLON:
            key = _key(text[start:at])
        elif (value := text[start:at].strip()) or not is_first or symbol == _COMMA:
            yield key, value, things
            key, is_first = "", False
        start = at + 1
    if text[start:]:
        raise MalformedError("something follows the end")


def is_one_value(raw: bytes) -> bool:
    """Say whether a piece that `split` took from an invalid text is certainly one member.

    If a string does not end where it should, inside and outside are exchanged, and one piece may hold several members.
    This can be seen: such a piece is not JSON even in the widest sense (any number, NaN, any bytes in strings), and it
    holds a place where one object ends and the next begins.
    """
    if not _SEAM.search(raw):
        return True
    if len(raw) > MAX_ROW_BYTES:
        return False
    try:
        json.loads(raw.decode("utf-8", "replace"), strict=False, parse_int=str, parse_float=str)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _outer_symbols(text: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (symbol, place, count) for the commas, the colons and the closing bracket of the outermost container.

    `count` is the number of strings and brackets since the previous symbol.
    """
    depth, things, is_object = 0, 0, text[:1] == b"{"
    for token in _TOKEN.finditer(text):
        at = token.start()
        symbol = text[at]
        if symbol == _QUOTE:
            if token.end() - at == 1:
                raise MalformedError("a string does not end")
            things += depth == 1
        elif symbol in _OPENING:
            things += depth == 1
            depth += 1
        elif symbol in _CLOSING:
            depth -= 1
            if depth == 0:
                yield symbol, at, things
                return
        elif depth == 1 and (symbol == _COMMA or is_object):
            yield symbol, at, things
            things = 0
    raise MalformedError("cut off")


def _key(raw: bytes) -> str:
    try:
        key = decode(storable(raw.strip())[0])
    except MalformedError:
        return ""
    return key if isinstance(key, str) else ""
