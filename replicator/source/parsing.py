"""How the API's answers read. Pure: bytes in, records out. Knows no network, no database, no clock.

Three levels, and what is wrong on one never spreads to the one above:

- a **field** that has the wrong type or cannot be read is None and named in `problems`; it is whole in `raw`;
- a **row** that is no JSON jsonb could hold, that is too large, or that has no id, is an `Unreadable` with the bytes as
  received;
- a **body** that cannot be read as a whole, or not be cut into its rows for certain, raises UnreadableAnswer (or
  NotTheApi).

Nothing else is ever raised, whatever the bytes. See jsontext.py for what happens to NUL, lone surrogates and numbers.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from replicator.errors import NotTheApi, UnreadableAnswer
from replicator.records import Call, Page, Recording, Transcript, Unreadable
from replicator.source import fields, jsontext
from replicator.source.envelope import Answer, clock, member, open_body, rows_of
from replicator.source.jsontext import MalformedError
from replicator.source.limits import MAX_ROW_BYTES
from replicator.source.transcripts import read_transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID


def parse_page(body: bytes, *, limit: int, offset: int, server_time: datetime | None = None) -> Page:
    """Read one list answer. `limit` and `offset` are what was asked, `server_time` what the Date header said.

    Contract: List Calls. Raises UnreadableAnswer, or NotTheApi where there is no `data` array.
    """
    envelope = open_body(body)
    data = bytes(envelope.data)
    if not data.startswith(b"["):
        if envelope.error or envelope.detail:
            raise UnreadableAnswer("the answer (200) to a list request holds an error", status=200)
        raise NotTheApi("the answer (200) to a list request has no list of calls", status=200)
    calls: list[Call] = []
    unreadable: list[Unreadable] = []
    created: list[datetime | None] = []
    try:
        rows = rows_of(data)
    except MalformedError as error:
        raise UnreadableAnswer(f"the list of calls is no JSON: {error}", status=200) from None
    for raw in rows:
        row = parse_row(raw)
        created.append(row.created_at)
        if isinstance(row, Call):
            calls.append(row)
        else:
            unreadable.append(row)
    meta, pagination = member(bytes(envelope.meta)), member(bytes(envelope.pagination))
    has_more = pagination.get("has_more", meta.get("has_more"))
    return Page(
        calls=tuple(calls),
        unreadable=tuple(unreadable),
        created=tuple(created),
        offset=offset,
        limit=limit,
        total=fields.count(pagination.get("total", meta.get("total"))),
        has_more=has_more if isinstance(has_more, bool) else None,
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
    return Answer(read_transcript(_value(data, "transcript", status, at)[0]), at, status)


def parse_recording(body: bytes, *, server_time: datetime | None = None, status: int = 200) -> Answer[Recording]:
    """Read a recording answer. Contract: Get Recording. Raises UnreadableAnswer where it holds no URL."""
    data, at = _single(body, server_time, status)
    value, text, has_escapes = _value(data, "recording", status, at)
    url = value
    if isinstance(value, dict):
        url = value.get("recording_url") or value.get("url")
    if not isinstance(url, str) or not url:
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
        return _too_large(raw)
    stored, has_escapes = jsontext.storable(raw)
    try:
        row = jsontext.decode(stored)
        text = stored.decode()
    except UnicodeDecodeError:
        return _rescue(raw, "not UTF-8")
    except MalformedError as error:
        return _rescue(raw, str(error))
    if not isinstance(row, dict):
        return Unreadable(raw, "not an object")
    call_id = fields.identifier(row.get("id"))
    if call_id is None:
        return Unreadable(raw, "no valid id", None, fields.instant(row.get("created_at")))
    return _call(call_id, row, text, has_escapes=has_escapes)


def _too_large(raw: bytes) -> Unreadable:
    """Keep the beginning of a row that is larger than anybody's call."""
    reason = f"larger than {MAX_ROW_BYTES >> 20} MiB ({len(raw):,} bytes): only its beginning is kept"
    return _rescue(raw[:MAX_ROW_BYTES], reason)


def _rescue(raw: bytes, reason: str) -> Unreadable:
    """Find out which call an unreadable row is about, as far as its brackets let us."""
    found: dict[str, Any] = {}
    try:
        for key, value in jsontext.members(raw):
            if key in ("id", "created_at"):
                found[key] = jsontext.decode(value)
    except MalformedError:
        pass
    return Unreadable(raw, reason, fields.identifier(found.get("id")), fields.instant(found.get("created_at")))


def _call(call_id: UUID, row: dict[str, Any], text: str, *, has_escapes: bool) -> Call:
    problems: list[str] = []

    def read(name: str, how: Callable[[Any], Any], alias: str = "") -> Any:
        value = row.get(name)
        if value is None and (not alias or (value := row.get(alias)) is None):
            return None
        if (known := how(value)) is None:
            problems.append(name)
        return known

    summary = read("summary", fields.text)
    recording_url = read("recording_url", fields.text)
    context = row.get("context")
    if context is None:
        context = row.get("metadata")
    return Call(
        id=call_id,
        agent_id=read("agent_id", fields.identifier),
        phone_number=read("phone_number", fields.text, "to"),
        from_number=read("from_number", fields.text, "from"),
        direction=read("direction", fields.text),
        status=read("status", fields.text),
        started_at=read("started_at", fields.instant),
        ended_at=read("ended_at", fields.instant),
        duration_seconds=read("duration_seconds", fields.whole_seconds),
        cost_usd=read("cost_usd", fields.decimal),
        summary=summary,
        recording_url=recording_url,
        recording_expires_at=fields.url_expiry(recording_url) if recording_url else None,
        context=None if context is None else jsontext.encode(context),
        created_at=read("created_at", fields.instant),
        updated_at=read("updated_at", fields.instant),
        raw=text,
        transcript=_embedded(row.get("transcript"), summary, problems),
        is_recording_enabled=_setting(row, "recording_enabled", problems),
        is_transcription_enabled=_setting(row, "transcription_enabled", problems),
        has_escapes=has_escapes,
        # The last two: all problems are known by now, and the fingerprint takes the row apart.
        problems=tuple(problems),
        fingerprint=_fingerprint(row),
    )


def _embedded(data: Any, summary: str | None, problems: list[str]) -> Transcript | None:
    """Read the transcript that a row can carry; None where it has no segments."""
    if not data:
        return None
    transcript = read_transcript(data, summary=summary)
    problems += [f"transcript.{name}" for name in transcript.problems]
    return transcript if transcript.segments else None


def _setting(row: dict[str, Any], name: str, problems: list[str]) -> bool | None:
    settings = row.get("call_settings")
    value = settings.get(name) if isinstance(settings, dict) else settings
    if value is None or isinstance(value, bool):
        return value if isinstance(settings, dict) else None
    problems.append(f"is_{name}")
    return None


def _fingerprint(row: dict[str, Any]) -> bytes:
    """Return the SHA-256 of the canonical row without what reading it can move. Takes `row` apart."""
    row.pop("updated_at", None)
    if isinstance(url := row.get("recording_url"), str):
        row["recording_url"] = fields.url_without_signature(url)
    return sha256(jsontext.canonical(row)).digest()
