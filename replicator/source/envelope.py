"""What every answer of the API has around its data: envelope, the server's clock, errors. Pure; raises SourceError.

A body is opened in one pass where it is sound JSON. Where it is not — one row holds a lone surrogate, NaN, or brackets
without end — it is cut by its brackets instead, so that what is wrong with one row stays with that row.
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
"""How far meta.ts and the Date header may be apart and still be one clock."""
_EPOCH_STARTS = 1_000_000_000
"""An X-RateLimit-Reset below this is a wait in seconds, above it Unix seconds."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T_co]):
    """What was asked for, the server's clock when it answered (None where it did not say) and the HTTP status."""

    value: T_co
    server_time: datetime | None
    status: int = 200


class Envelope(msgspec.Struct, frozen=True):
    """The members of an answer, each as its own bytes; empty where there is none."""

    data: msgspec.Raw = msgspec.Raw(b"")
    pagination: msgspec.Raw = msgspec.Raw(b"")
    meta: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    detail: msgspec.Raw = msgspec.Raw(b"")


_ENVELOPE = msgspec.json.Decoder(Envelope)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


def open_body(body: bytes, status: int = 200) -> Envelope:
    """Return the members of a 2xx body. Raises NotTheApi for HTML, UnreadableAnswer for what is no JSON object."""
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
"""Under what name a list may stand that is wrapped once more."""
_WRAPPER = msgspec.json.Decoder(dict[str, msgspec.Raw])
NO_ROWS = msgspec.Raw(b"[]")


def open_list(body: bytes) -> Envelope:
    """Return the members of an answer to a list request, with an array as its `data`.

    An array is made of what means one: null, {} and no body at all are empty lists (PHP writes {} for one); a list wrapped
    once more, or in a text, or without an envelope, is that list, and its pagination counts. Raises NotTheApi where there is no
    list, UnreadableAnswer where an error stands in its place.
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
    """Say whether a member is there and holds anything: `"error": null` stands beside many good answers."""
    return bytes(raw).strip() not in (b"", b"null", b"{}", b"[]", b'""', b"false")


def _in_text(data: bytes) -> bytes:
    """Return the JSON that a text holds, if it does."""
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
    """Return the envelope with the list that `data`, an object, holds: under a name, under numbers, or one call by itself."""
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

    Raises MalformedError if it is no array, or one that cannot be cut for certain where it is not sound as a whole.
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
    """Return a member that should be an object; empty where it is none or cannot be read."""
    try:
        value = jsontext.decode(jsontext.storable(raw)[0]) if raw else None
    except MalformedError:
        return {}
    return value if isinstance(value, dict) else {}


def clock(meta: Mapping[str, Any], date: datetime | None) -> datetime | None:
    """Return the server's clock: meta.ts (without a zone it is UTC), else what the Date header said.

    Where the two are far apart one of them was not made for this answer (a cached body, a field that is no clock): then the
    header counts, which is made anew for each.
    """
    said = fields.instant(meta.get("ts"))
    if said is None or (date is not None and abs(said - date) > SAME_CLOCK):
        return date
    return said


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an error answer says, in what is safe to show: never the server's own words.

    `code` is a short word like `validation_error`, else None. `is_json` is whether the body is a JSON object of the
    API's (or its framework's) making, `has_error` whether it holds the documented error object. `is_rate_limit`:
    the body speaks of a rate limit, whatever the status (an older deployment answers 500).
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
    """Return (seconds to wait, when to go on) from Retry-After and X-RateLimit-Reset, which most servers do not send."""
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
