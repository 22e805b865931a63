"""Parses the API's answers. Pure: bytes in, records out. Knows no network, no database, no clock.

There are three levels, and an error on one level never affects the level above:

- A **field** with the wrong type, or that cannot be read, is None and named in `problems`; `raw` holds it unchanged.
  One that jsonb could not hold, or that makes its row too large, is set aside with its bytes (salvage.py). One that
  says "not known", in whatever words, is None and no problem.
- A **row** without a usable id, or that cannot be divided into its fields with certainty, is an `Unreadable` with the
  bytes as received.
- A **body** that cannot be read as a whole, or not be divided into its rows with certainty, raises UnreadableAnswer (or
  NotTheApi).

Nothing else is ever raised, whatever the bytes. See jsontext.py for what happens to NUL, lone surrogates and numbers.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from replicator.errors import UnreadableAnswer
from replicator.records import Call, Page, Recording, SetAside, Transcript, Unreadable
from replicator.source import fields, jsontext
from replicator.source.envelope import Answer, clock, member, open_body, open_list, rows_of
from replicator.source.jsontext import MalformedError
from replicator.source.limits import MAX_ROW_BYTES
from replicator.source.salvage import salvage
from replicator.source.transcripts import read_contract, read_transcript
from replicator.source.unknowns import NOT_KNOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID


TWICE = "its page shows the call before, with another content"
"""The reason why a readable row is kept aside: one answer shows one moment, in which a call has only one content."""


def parse_page(body: bytes, *, limit: int, offset: int, server_time: datetime | None = None) -> Page:
    """Read one list answer. `limit` and `offset` are what was asked for, `server_time` is the Date header. Contract:
    List Calls.

    An empty body, `data: null` and a list under another name are lists too (envelope.open_list). Whether an empty list
    is trusted is decided elsewhere, where the number of known calls is known. Raises UnreadableAnswer, or NotTheApi
    where there is no list.
    """
    envelope = open_list(body)
    calls: list[Call] = []
    unreadable: list[Unreadable] = []
    created: list[datetime | None] = []
    try:
        rows = rows_of(bytes(envelope.data))
    except MalformedError as error:
        raise UnreadableAnswer(f"the list of calls is no JSON: {error}", status=200) from None
    shown: dict[UUID, bytes] = {}
    for raw in rows:
        row = parse_row(raw)
        if not isinstance(row, Call):
            unreadable.append(row)
        elif row.id not in shown:
            shown[row.id] = row.fingerprint
            calls.append(row)
        else:
            # A repeated call takes no place in the list; otherwise a page of repetitions would seem to reach the list's
            # end.
            if row.fingerprint != shown[row.id]:
                unreadable.append(Unreadable(raw[:MAX_ROW_BYTES], TWICE, row.id, row.created_at))
            continue
        created.append(row.created_at)
    meta, pagination = member(bytes(envelope.meta)), member(bytes(envelope.pagination))
    has_more = pagination.get("has_more", meta.get("has_more"))
    return Page(
        calls=tuple(calls),
        unreadable=tuple(unreadable),
        created=tuple(created),
        offset=offset,
        limit=limit,
        total=fields.count(pagination.get("total", meta.get("total"))),
        has_more=fields.boolean(has_more),
        server_time=clock(meta, server_time),
    )


def parse_call_answer(body: bytes, *, server_time: datetime | None = None, status: int = 200) -> Answer[Call]:
    """Read the answer with one call. Contract: Get Call, Create Call, Update Call."""
    data, at = _single(body, server_time, status)
    row = parse_row(data)
    if isinstance(row, Unreadable):
        raise UnreadableAnswer(f"the call in the answer cannot be read: {row.reason}", status=status, server_time=at)
    return Answer(row, at, status)


def parse_transcript(body: bytes, *, server_time: datetime | None = None, status: int = 200) -> Answer[Transcript]:
    """Read a transcript answer; an empty one has no segments. Contract: Get Transcript."""
    data, at = _single(body, server_time, status)
    stored, has_escapes = jsontext.storable(data)
    found = None if has_escapes else read_contract(stored)
    return Answer(found or read_transcript(_value(data, "transcript", status, at)[0]), at, status)


def parse_recording(body: bytes, *, server_time: datetime | None = None, status: int = 200) -> Answer[Recording]:
    """Read a recording answer. Contract: Get Recording. Raises UnreadableAnswer where it holds no URL."""
    data, at = _single(body, server_time, status)
    value, text, has_escapes = _value(data, "recording", status, at)
    url = value
    if isinstance(value, dict):
        url = value.get("recording_url") or value.get("url")
    if not isinstance(url, str) or fields.is_unknown(url):
        raise UnreadableAnswer("the recording answer holds no URL", status=status, server_time=at)
    return Answer(Recording(url, fields.url_expiry(url), text, has_escapes), at, status)


def parse_data(body: bytes, *, server_time: datetime | None = None, status: int = 200) -> Answer[Any]:
    """Read any other answer: its `data` as plain values."""
    data, at = _single(body, server_time, status)
    return Answer(_value(data, "data", status, at)[0], at, status)


def _single(body: bytes, server_time: datetime | None, status: int) -> tuple[bytes, datetime | None]:
    envelope = open_body(body, status)
    at = clock(member(bytes(envelope.meta)), server_time)
    if not (data := bytes(envelope.data)):
        raise UnreadableAnswer(f"the answer ({status}) has no data", status=status, server_time=at)
    return data, at


def _value(data: bytes, what: str, status: int, at: datetime | None) -> tuple[Any, str, bool]:
    try:
        stored, has_escapes = jsontext.storable(data)
        return jsontext.decode(stored), stored.decode(), has_escapes
    except (MalformedError, UnicodeDecodeError) as error:
        reason = error if isinstance(error, MalformedError) else "not UTF-8"
        raise UnreadableAnswer(f"the {what} cannot be read: {reason}", status=status, server_time=at) from None


def parse_row(raw: bytes) -> Call | Unreadable:
    """Read one call object. Contract: Call Object. Never raises."""
    if len(raw) > MAX_ROW_BYTES:
        return _salvaged(raw, f"larger than {MAX_ROW_BYTES >> 20} MiB ({len(raw):,} bytes): only its beginning is kept")
    stored, has_escapes = jsontext.storable(raw)
    try:
        row = jsontext.decode(stored)
        text = stored.decode()
    except UnicodeDecodeError:
        return _salvaged(raw, "not UTF-8")
    except MalformedError as error:
        return _salvaged(raw, str(error))
    if not isinstance(row, dict):
        return Unreadable(raw, "not an object")
    call_id = fields.identifier(row.get("id"))
    if call_id is None:
        return Unreadable(raw, "no valid id", None, fields.instant(row.get("created_at")))
    return _call(call_id, row, text, (), has_escapes=has_escapes)


def _salvaged(raw: bytes, reason: str) -> Call | Unreadable:
    """Read a row without the fields that cannot be stored. If the id is among them, or no field is left, the row is
    unreadable.
    """
    found = salvage(raw)
    if found is None:
        return _rescue(raw[:MAX_ROW_BYTES], reason)
    stored, has_escapes = jsontext.storable(found[0])
    try:
        row = jsontext.decode(stored)
        text = stored.decode()
    except (UnicodeDecodeError, MalformedError):
        return _rescue(raw[:MAX_ROW_BYTES], reason)
    call_id = fields.identifier(row.get("id"))
    if call_id is None:
        return Unreadable(raw[:MAX_ROW_BYTES], reason, None, fields.instant(row.get("created_at")))
    return _call(call_id, row, text, found[1], has_escapes=has_escapes)


def _rescue(raw: bytes, reason: str) -> Unreadable:
    """Find the id and created_at of an unreadable row, as far as it can be divided by its brackets."""
    found: dict[str, Any] = {}
    try:
        for key, value in jsontext.members(raw):
            if key in ("id", "created_at"):
                found[key] = jsontext.decode(value)
    except MalformedError:
        pass
    return Unreadable(raw, reason, fields.identifier(found.get("id")), fields.instant(found.get("created_at")))


def _call(call_id: UUID, row: dict[str, Any], text: str, set_aside: tuple[SetAside, ...], *, has_escapes: bool) -> Call:
    lost = {one.field for one in set_aside}
    problems = dict.fromkeys(one.field.partition(".")[0] for one in set_aside)

    def read(name: str, how: Callable[[Any], Any], alias: str = "") -> Any:
        for key in (name, alias) if alias else (name,):
            value = row.get(key)
            if value is None or key in lost or (known := how(value)) is NOT_KNOWN:
                continue
            if known is None:
                problems[name] = None
            return known
        return None

    summary = read("summary", fields.text)
    recording_url = read("recording_url", fields.text)
    return Call(
        id=call_id,
        agent_id=read("agent_id", fields.agent),
        phone_number=read("phone_number", fields.phone, "to"),
        from_number=read("from_number", fields.phone, "from"),
        direction=read("direction", fields.word),
        status=read("status", fields.word),
        started_at=read("started_at", fields.read_instant),
        ended_at=read("ended_at", fields.read_instant),
        duration_seconds=_duration(row, read, problems),
        cost_usd=read("cost_usd", fields.money),
        summary=summary,
        recording_url=recording_url,
        recording_expires_at=fields.url_expiry(recording_url) if recording_url else None,
        context=_context(row, lost, problems),
        created_at=read("created_at", fields.read_instant),
        updated_at=read("updated_at", fields.read_instant),
        raw=text,
        transcript=None if "transcript" in lost else _embedded(row.get("transcript"), summary, problems),
        is_recording_enabled=_setting(row, "recording_enabled", problems),
        is_transcription_enabled=_setting(row, "transcription_enabled", problems),
        has_escapes=has_escapes,
        # Last, because all problems are known by now and computing the fingerprint changes the row.
        set_aside=set_aside,
        problems=tuple(problems),
        fingerprint=_fingerprint(row),
    )


def _duration(row: dict[str, Any], read: Callable[..., Any], problems: dict[str, None]) -> int | None:
    """Return the duration in seconds; if it is missing, that of a field in milliseconds."""
    found: int | None = read("duration_seconds", fields.whole_seconds)
    if found is None and "duration_seconds" not in problems:
        milliseconds = fields.decimal(row.get("duration_ms"))
        found = None if milliseconds is None else fields.whole_seconds(milliseconds / 1000)  # type: ignore[assignment]
    return found if type(found) is int else None


def _context(row: dict[str, Any], lost: set[str], problems: dict[str, None]) -> str | None:
    """Return the context as JSON text. An object that stands in a text is taken out of it."""
    name = "metadata" if row.get("context") is None or fields.is_no_value(row["context"]) else "context"
    value, is_well = fields.unwrapped(row.get(name))
    if not is_well:
        problems["context"] = None
    return None if value is None or name in lost or fields.is_no_value(value) else jsontext.encode(value)


def _embedded(data: Any, summary: str | None, problems: dict[str, None]) -> Transcript | None:
    """Read the transcript inside a row; None where it has no segments."""
    if not data:
        return None
    transcript = read_transcript(data, summary=summary)
    problems.update(dict.fromkeys(f"transcript.{name}" for name in transcript.problems))
    return transcript if transcript.segments else None


def _setting(row: dict[str, Any], name: str, problems: dict[str, None]) -> bool | None:
    settings, _ = fields.unwrapped(row.get("call_settings"))
    value = settings.get(name) if isinstance(settings, dict) else settings
    if value is None or fields.is_no_value(value) or isinstance(settings, bool):
        return None
    found = fields.boolean(value) if isinstance(settings, dict) else None
    if found is None:
        problems[f"is_{name}"] = None
    return found


def _fingerprint(row: dict[str, Any]) -> bytes:
    """Return the SHA-256 of the canonical row, without the fields that our own requests change. Changes `row`."""
    row.pop("updated_at", None)
    if isinstance(url := row.get("recording_url"), str):
        row["recording_url"] = fields.url_without_signature(url)
    return sha256(jsontext.canonical(row)).digest()
