"""Reads what surrounds the data of every answer: the envelope, the server's clock, errors. Pure; raises SourceError.

A body of valid JSON is read in one pass. If it is not valid (one row holds a lone surrogate, NaN, or brackets without
end), it is divided by its brackets instead, so that an error in one row affects only that row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from replicator.errors import NotTheApi, UnreadableAnswer
from replicator.source import fields, jsontext
from replicator.source.jsontext import MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

T_co = TypeVar("T_co", covariant=True)

_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RATE_LIMIT = re.compile(r"rate_?limit|too_many_requests")
_HEADER_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
SAME_CLOCK = timedelta(minutes=5)
"""How far apart meta.ts and the Date header may be while both count as the same clock."""
_EPOCH_STARTS = 1_000_000_000
"""An X-RateLimit-Reset below this is a wait in seconds, above it Unix seconds."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T_co]):
    """The value that was asked for, the server's clock in the answer (None where it gave none), and the HTTP status."""

    value: T_co
    server_time: datetime | None
    status: int = 200


class Envelope(msgspec.Struct, frozen=True):
    """The members of an answer, each as its own bytes; empty bytes where a member is missing."""

    data: msgspec.Raw = msgspec.Raw(b"")
    pagination: msgspec.Raw = msgspec.Raw(b"")
    meta: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    detail: msgspec.Raw = msgspec.Raw(b"")


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


def open_body(body: bytes, status: int = 200) -> Envelope:
    """Return the members of a 2xx body. Raises NotTheApi for HTML, UnreadableAnswer for anything else but a JSON
    object.
    """
    try:
        return _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = jsontext.without_bom(body)
    if text.startswith(b"<"):
        raise NotTheApi(f"the answer ({status}) is a web page, not the API's JSON", status=status)
    if not text.startswith(b"{"):
        raise UnreadableAnswer(f"the answer ({status}) is {'no JSON object' if text else 'empty'}", status=status)
    try:
        members = dict(jsontext.split(text))
    except MalformedError as error:
        raise UnreadableAnswer(f"the answer ({status}) is no JSON: {error}", status=status) from None
    return Envelope(**{name: msgspec.Raw(members.get(name, b"")) for name in Envelope.__struct_fields__})


_LIST_NAMES = ("calls", "data", "items", "results", "records", "rows", "list")
"""The names under which a list with one more wrapper may stand."""
_WRAPPER = msgspec.json.Decoder(dict[str, msgspec.Raw])
NO_ROWS = msgspec.Raw(b"[]")


def open_list(body: bytes) -> Envelope:
    """Return the members of an answer to a list request, with an array as its `data`.

    Everything that means a list becomes an array. null, {} and an empty body are empty lists (PHP writes {} for one). A
    list with one more wrapper, as JSON in a text, or without an envelope is that list, and its pagination counts.
    Raises NotTheApi where there is no list, and UnreadableAnswer where there is an error instead.
    """
    text = jsontext.without_bom(body)
    if not text:
        return Envelope(data=NO_ROWS)
    if text.startswith(b"["):
        return Envelope(data=msgspec.Raw(text))
    envelope = open_body(body)
    data = bytes(envelope.data).strip()
    if data.startswith(b"["):
        return envelope
    if _says_more(envelope.error) or (_says_more(envelope.detail) and not data):
        raise UnreadableAnswer("the answer (200) to a list request holds an error", status=200)
    if data.startswith(b'"'):
        data = _in_text(data)
    if data.startswith(b"{"):
        return _unwrapped(envelope, data)
    if data.startswith(b"["):
        return msgspec.structs.replace(envelope, data=msgspec.Raw(data))
    pagination, meta = member(bytes(envelope.pagination)), member(bytes(envelope.meta))
    is_counted = fields.count(pagination.get("total", meta.get("total"))) == 0
    if data == b"null" or (not data and is_counted):
        return msgspec.structs.replace(envelope, data=NO_ROWS)
    if not data:
        for name, value in _members(text).items():
            if name in _LIST_NAMES and value.startswith((b"[", b"{")):
                return msgspec.structs.replace(envelope, data=msgspec.Raw(value))
    raise NotTheApi("the answer (200) to a list request has no list of calls", status=200)


def _says_more(raw: msgspec.Raw) -> bool:
    """Say whether a member exists and is not empty: many good answers contain `"error": null`."""
    return bytes(raw).strip() not in (b"", b"null", b"{}", b"[]", b'""', b"false")


def _in_text(data: bytes) -> bytes:
    """Return the JSON inside a text, if `data` is a text; else `data`."""
    try:
        value, _ = fields.unwrapped(jsontext.decode(jsontext.storable(data)[0]))
    except MalformedError:
        return data
    return data if isinstance(value, str) else jsontext.canonical(value)


def _members(data: bytes) -> dict[str, bytes]:
    try:
        return {name: bytes(value).strip() for name, value in _WRAPPER.decode(data).items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return dict(jsontext.split(data))
    except MalformedError as error:
        raise UnreadableAnswer(f"the list of calls is no JSON: {error}", status=200) from None


def _unwrapped(envelope: Envelope, data: bytes) -> Envelope:
    """Return the envelope with the list inside `data`, an object: under a name, under numbers, or
    one call by itself.
    """
    inner = _members(data)
    lists = [name for name in _LIST_NAMES if inner.get(name, b"").startswith((b"[", b"null"))]
    if not inner:
        rows = b"[]"
    elif lists:
        rows = next((inner[name] for name in lists if inner[name].startswith(b"[")), b"[]")
    elif all(name.isdecimal() and value.startswith(b"{") for name, value in inner.items()):
        rows = b"[" + b",".join(inner.values()) + b"]"
    elif "id" in inner:
        rows = b"[" + data + b"]"
    else:
        raise NotTheApi("the answer (200) to a list request has no list of calls", status=200)
    pagination = envelope.pagination
    if not _says_more(pagination):
        beside = {name: value for name, value in inner.items() if name in ("total", "has_more")}
        own = b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in beside.items()) + b"}"
        pagination = msgspec.Raw(inner.get("pagination", own) if "pagination" in inner or beside else b"")
    return msgspec.structs.replace(envelope, data=msgspec.Raw(rows), pagination=pagination)


def rows_of(data: bytes) -> list[bytes]:
    """Return the elements of a JSON array, each as its own bytes.

    Raises MalformedError if it is no array, or if it is not valid and cannot be divided with certainty.
    """
    try:
        return [bytes(row) for row in _ROWS.decode(data)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if not data.startswith(b"["):
            raise MalformedError("data is no array") from None
    rows = [value for _, value in jsontext.split(data)]
    if not all(map(jsontext.is_one_value, rows)):
        raise MalformedError("one of the rows has no clear end")
    return rows


def member(raw: bytes) -> dict[str, Any]:
    """Return a member that should be an object; an empty one where it is something else or cannot be read."""
    try:
        value = jsontext.decode(jsontext.storable(raw)[0]) if raw else None
    except MalformedError:
        return {}
    return value if isinstance(value, dict) else {}


def clock(meta: Mapping[str, Any], date: datetime | None) -> datetime | None:
    """Return the server's clock: meta.ts (UTC if it has no zone), else the Date header.

    If they are far apart, one of them was not made for this answer (a cached body, or a field that is not a clock).
    Then the header counts, because it is made anew for each answer.
    """
    said = fields.instant(meta.get("ts"))
    if said is None or (date is not None and abs(said - date) > SAME_CLOCK):
        return date
    return said


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error answer says, as far as it is safe to show: never the server's own words.

    `code` is a short word like `validation_error`, else None. `is_json`: the body is a JSON object made by the API or
    its framework. `has_error`: it holds the documented error object. `is_rate_limit`: the body mentions a rate limit,
    whatever the status is (an older deployment answers 500).
    """

    code: str | None
    reset_at: datetime | None
    limit: int | None
    retry_after_seconds: float | None
    server_time: datetime | None
    is_json: bool
    has_error: bool
    is_rate_limit: bool


def parse_error(body: bytes, *, headers: Mapping[str, str], date: datetime | None = None) -> Refusal:
    """Read an error answer of any shape: {"error": …}, {"detail": …} as object, string or array, HTML, nothing."""
    answer = member(jsontext.without_bom(body))
    detail = answer.get("detail")
    error: Any = answer.get("error")
    if error is None and isinstance(detail, dict):
        error = detail.get("error", detail)
    has_error = isinstance(error, dict)
    if not isinstance(error, dict):
        error = {"code": error} if isinstance(error, str) else {}
    meta = answer.get("meta")
    details = error.get("details")
    details = details if isinstance(details, dict) else {}
    reset_at = fields.instant(details.get("reset_at")) or fields.instant(error.get("reset_at"))
    retry_after, header_reset_at = _header_wait(headers)
    code = _code(error.get("code"))
    return Refusal(
        code=code,
        reset_at=reset_at or header_reset_at,
        limit=fields.count(details.get("limit")),
        retry_after_seconds=retry_after,
        server_time=clock(meta if isinstance(meta, dict) else {}, None) or clock(error, date),
        is_json=bool(answer),
        has_error=has_error,
        is_rate_limit=reset_at is not None or (code is not None and _RATE_LIMIT.search(code) is not None),
    )


def _code(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and _CODE.fullmatch(value.lower()) else None


def _header_wait(headers: Mapping[str, str]) -> tuple[float | None, datetime | None]:
    """Return (seconds to wait, when to continue) from Retry-After and X-RateLimit-Reset; most servers send neither."""
    retry_after, reset_at = None, None
    if value := headers.get("retry-after"):
        if _HEADER_SECONDS.fullmatch(value):
            retry_after = float(value)
        else:
            reset_at = fields.http_date(value)
    if value := headers.get("x-ratelimit-reset"):
        if _HEADER_SECONDS.fullmatch(value):
            if float(value) >= _EPOCH_STARTS:
                reset_at = reset_at or fields.epoch(value.partition(".")[0])
            elif retry_after is None:
                retry_after = float(value)
        else:
            reset_at = reset_at or fields.instant(value)
    return retry_after, reset_at
