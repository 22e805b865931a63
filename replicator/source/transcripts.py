"""Reads transcripts, in every form that was seen. Pure; works on values from `jsontext.decode`.

The result has one form: segments with a position, a speaker (agent, contact, tool, system, else the source's own word),
the text and, where known, seconds from the call's start. Nothing is dropped: each segment that says more than these
fields keeps its own JSON, and the transcript keeps what stood beside the segments. What could not be read is named in
`problems`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from replicator.records import Segment, Transcript
from replicator.source import fields
from replicator.source.jsontext import ESCAPE, canonical, encode

UNKNOWN_SPEAKER = "unknown"

_SPEAKERS = {
    "agent": "agent",
    "assistant": "agent",
    "ai": "agent",
    "bot": "agent",
    "contact": "contact",
    "user": "contact",
    "customer": "contact",
    "caller": "contact",
    "callee": "contact",
    "human": "contact",
    "tool": "tool",
    "tool_call": "tool",
    "tool_calls": "tool",
    "tool_result": "tool",
    "function": "tool",
    "system": "system",
}
_ROLE_PREFIX = "message_role_"
_LISTS = ("transcript", "segments", "messages", "turns", "utterances", "results", "items")
_TEXTS = ("text", "content", "message")
_STARTS = ("start", "timestamp", "start_seconds", "start_time")
_ENDS = ("end", "end_seconds", "end_time")
_OWN_WORDS = frozenset({"agent", "contact", "tool", "system"})
_CONTRACT = frozenset({"speaker", "text", "timestamp"})
_PLAIN_NUMBER = re.compile(rb"[1-9][0-9]{0,8}(?:\.[0-9]{1,30})?|0(?:\.(?:[0-9]{1,6}|0{0,5}[1-9][0-9]{0,30}))?")
"""A number that stays the same, digit by digit, when it is written anew: others would get an exponent."""


class _Turn(msgspec.Struct, forbid_unknown_fields=True):
    """A segment as the contract has it. The fields are in the order of the canonical text."""

    speaker: str
    text: str
    timestamp: msgspec.Raw


class _Data(msgspec.Struct, forbid_unknown_fields=True):
    transcript: list[_Turn]
    summary: str | None


_ANSWER = msgspec.json.Decoder(_Data)


def read_contract(data: bytes) -> Transcript | None:
    """Read the storable `data` of a transcript answer that is exactly the contract's, in a quarter of the time of
    `read_transcript` and with the same result; None where it is anything else. Of a member that occurs twice, only the
    last one is looked at: the first may be what the other refuses.
    """
    try:
        answer = _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    segments = []
    for position, turn in enumerate(answer.transcript):
        digits = bytes(turn.timestamp)
        if turn.speaker not in _OWN_WORDS or not _PLAIN_NUMBER.fullmatch(digits):
            return None
        segments.append(Segment(position, turn.speaker, turn.text, Decimal(digits.decode()), None, None))
    if not any(segment.text.strip() for segment in segments):
        return None
    summary = None if fields.is_unknown(answer.summary) else answer.summary
    return Transcript(
        segments=segments,
        summary=summary,
        raw=encode({"summary": answer.summary}),
        fingerprint=sha256(canonical({"segments": answer.transcript, "summary": summary})).digest(),
    )


def read_transcript(data: Any, *, summary: str | None = None) -> Transcript:
    """Read the `data` of a transcript answer, or the transcript inside a call's row.

    `data` is the object with `transcript` and `summary`, or the transcript itself: a list, an object with a text or a
    list, a plain string, or null (no segments). `summary` is the call's own, which is used where `data` has none.
    """
    problems: dict[str, None] = {}
    beside: dict[str, Any] = {}
    turns = _turns(data, beside, problems)
    if turns and not any(map(_says_something, turns)):
        # A placeholder, because no segment holds a word: it is not a transcript yet, and its content is kept beside.
        beside, turns = {**beside, "segments": turns}, []
    if isinstance(own := beside.get("summary"), str):
        summary = None if fields.is_unknown(own) else own
    elif own is not None:
        problems["summary"] = None
    segments = tuple(_segment(position, turn, problems) for position, turn in enumerate(turns))
    everything = encode([turns, beside])
    return Transcript(
        segments=segments,
        summary=summary,
        raw=encode(beside),
        fingerprint=sha256(canonical({"segments": turns, "summary": summary})).digest(),
        has_escapes=ESCAPE in everything,
        problems=tuple(problems),
    )


def _turns(data: Any, beside: dict[str, Any], problems: dict[str, None]) -> list[Any]:
    """Return the turns in `data`, and put what stands beside them into `beside`. The turns may stand in a text, as
    JSON.
    """
    data, is_well = fields.unwrapped(data)
    if not is_well:
        problems["transcript"] = None
    if isinstance(data, list):
        return data
    if isinstance(data, str):
        return [] if fields.is_no_value(data) else [data]
    if isinstance(data, dict):
        return _turns_within(data, beside, problems)
    if data is not None:
        problems["transcript"] = None
        beside["transcript"] = data
    return []


def _turns_within(data: dict[str, Any], beside: dict[str, Any], problems: dict[str, None]) -> list[Any]:
    for name in _LISTS:
        inner, _ = fields.unwrapped(data.get(name))
        if isinstance(inner, (list, str)):
            beside.update({key: value for key, value in data.items() if key != name})
            return _turns(inner, beside, problems)
        if isinstance(inner, dict) and name == "transcript":
            # {"transcript": {"text": …}}: what is beside the inner turns is kept under the same name.
            within: dict[str, Any] = {}
            turns = _turns_within(inner, within, problems)
            beside.update({key: value for key, value in data.items() if key != name})
            if beside.get("summary") is None and "summary" in within:
                beside["summary"] = within.pop("summary")
            beside |= {name: within} if within else {}
            return turns
    beside.update(data)
    if isinstance(beside.get("text"), str):
        text = beside.pop("text")
        return [] if fields.is_no_value(text) else [text]
    # {"transcript": null} and {} mean that there is none; any other object has a form that cannot be read.
    if data and not any(name in data and data[name] is None for name in (*_LISTS, "text")):
        problems["transcript"] = None
    return []


def _says_something(turn: Any) -> bool:
    """Say whether a turn holds a word; a value of another type counts as one."""
    if isinstance(turn, dict):
        turn = _first(turn, _TEXTS)
    return bool(turn.strip()) if isinstance(turn, str) else turn not in (None, [], {})


def _is_said_by_fields(segment: Segment, turn: Any) -> bool:
    """Say whether the fields of a segment say all of its JSON, which need not be kept then."""
    return (
        isinstance(turn, dict)
        and turn.keys() == _CONTRACT
        and turn["speaker"] == segment.speaker
        and turn["text"] == segment.text
        and turn["timestamp"] == segment.start_seconds
        and not isinstance(turn["timestamp"], str)
        and segment.end_seconds is None
    )


def _segment(position: int, turn: Any, problems: dict[str, None]) -> Segment:
    raw = encode(turn)
    if not isinstance(turn, dict):
        if not isinstance(turn, str):
            problems["segment"] = None
        text = turn if isinstance(turn, str) else raw
        return Segment(position, UNKNOWN_SPEAKER, text, None, None, raw)
    segment = _of_object(position, turn, raw, problems)
    return segment._replace(raw=None) if _is_said_by_fields(segment, turn) else segment


def _of_object(position: int, turn: dict[str, Any], raw: str, problems: dict[str, None]) -> Segment:
    timespan = turn.get("timespan")
    if not isinstance(timespan, dict):
        timespan = {}
    return Segment(
        position=position,
        speaker=_speaker(turn, problems),
        text=_text(turn, problems),
        start_seconds=_seconds("segment.start_seconds", _first(turn, _STARTS, timespan.get("start")), problems),
        end_seconds=_seconds("segment.end_seconds", _first(turn, _ENDS, timespan.get("end")), problems),
        raw=raw,
    )


def _first(turn: dict[str, Any], names: tuple[str, ...], otherwise: Any = None) -> Any:
    for name in names:
        if (value := turn.get(name)) is not None:
            return value
    return otherwise


def _seconds(name: str, value: Any, problems: dict[str, None]) -> Any:
    if value is None:
        return None
    number = fields.read_seconds(value)
    if number is None:
        problems[name] = None
    return None if number is fields.NOT_KNOWN else number


def _text(turn: dict[str, Any], problems: dict[str, None]) -> str:
    text = _first(turn, _TEXTS, "")
    if isinstance(text, str):
        return text
    problems["segment.text"] = None
    return encode(text)


def _speaker(turn: dict[str, Any], problems: dict[str, None]) -> str:
    """Return the first known word of `speaker` and `role`, else the first word that exists, as received."""
    unknown = ""
    for name in ("speaker", "role"):
        word = turn.get(name)
        if isinstance(word, str) and word:
            key = word.strip().lower().removeprefix(_ROLE_PREFIX).replace("-", "_").replace(" ", "_")
            if key in _SPEAKERS:
                return _SPEAKERS[key]
            unknown = unknown or word
        elif word is not None and not isinstance(word, str):
            problems["segment.speaker"] = None
    return unknown or UNKNOWN_SPEAKER
