"""Encodes the world's calls and transcripts as JSON, in each of the forms that were seen. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replicator.simulator.webhooks import provider_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replicator.simulator.conversations import Segment
    from replicator.simulator.switches import Switches

_OFFSET = timezone(timedelta(hours=5, minutes=30))
_TIMESPANS = {"six": "microseconds", "three": "milliseconds", "none": "seconds", "python": "auto"}
_SHAPES = ("contact", "role", "message_role", "string", "text_object")
_BAD_ROWS = 7


def to_json(value: Any) -> bytes:
    """Return compact JSON: UTF-8, or escapes where UTF-8 cannot encode a character (lone surrogates)."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def instant(at: datetime, switches: Switches) -> str:
    """Return a datetime as this deployment writes it."""
    timespan = _TIMESPANS[switches.fractions]
    if switches.time_format == "offset":
        return at.astimezone(_OFFSET).isoformat(timespec=timespan)
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespan)
    return text if switches.time_format == "naive" else text + "Z"


def transcript(segments: Iterable[Segment], switches: Switches, index: int = 0) -> Any:
    """Return a transcript in the deployment's shape, as JSON values; `index` chooses where shapes are mixed."""
    shape = switches.transcript_shape
    if shape == "mixed":
        shape = _SHAPES[index % len(_SHAPES)]  # type: ignore[assignment]
    if shape == "contact":
        return [{"speaker": one.speaker, "text": one.text, "timestamp": one.start_seconds} for one in segments]
    if shape == "role":
        return [
            {
                "role": ("assistant", "agent")[index % 2] if one.speaker == "agent" else "user",
                ("text", "content")[index % 2]: one.text,
                "start": one.start_seconds,
                "end": one.end_seconds,
            }
            for one in segments
        ]
    if shape == "message_role":
        return [
            {
                "role": "MESSAGE_ROLE_AGENT" if one.speaker == "agent" else "MESSAGE_ROLE_USER",
                "text": one.text,
                "medium": "MESSAGE_MEDIUM_VOICE",
                "callStageMessageIndex": number,
                "timespan": {"start": f"{one.start_seconds:g}s", "end": f"{one.end_seconds:g}s"},
            }
            for number, one in enumerate(segments)
        ]
    text = plain(segments)
    return text if shape == "string" else {"text": text}


def plain(segments: Iterable[Segment]) -> str:
    """Return a transcript as one text."""
    return "\n".join(f"{one.speaker}: {one.text}" for one in segments)


def _embedded(segments: tuple[Segment, ...] | None, switches: Switches, index: int) -> Any:
    if segments is None:
        return None
    form = switches.transcript_in_rows
    if form == "object":
        return {"text": plain(segments)}
    if form == "string":
        return plain(segments)
    value = transcript(segments, switches, index)
    if switches.page_bytes and isinstance(value, list) and value:
        # About 72 of 100 calls have a transcript that can be made large.
        value.append({**value[-1], "text": "synthetic filler " * (switches.page_bytes // 72 // 17)})
    return value


def call(row: Mapping[str, Any], switches: Switches, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a row as JSON values, in the deployment's spelling."""
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name in switches.omitted_fields:
            continue
        if isinstance(value, datetime):
            shown[name] = instant(value, switches)
        elif isinstance(value, Decimal):
            shown[name] = float(value)  # the shortest form of four digits is exact
        else:
            shown[name] = value
    if switches.spell_to_from:
        shown = {{"phone_number": "to", "from_number": "from"}.get(name, name): value for name, value in shown.items()}
    if switches.spell_metadata:
        shown["metadata"] = shown.pop("context")
    if switches.spell_cost_credits:
        cost = row["cost_usd"]
        del shown["cost_usd"]
        shown["cost_credits"] = None if cost is None else int(cost * 100)
    if switches.extra_fields:
        shown["call_settings"] = dict(settings or {"recording_enabled": True, "transcription_enabled": True})
        shown["ultravox_call_id"] = provider_id(row["id"])
        shown["end_reason"] = None if row["ended_at"] is None else "hangup"
    return shown


def call_bytes(
    row: Mapping[str, Any],
    switches: Switches,
    *,
    settings: Mapping[str, Any] | None,
    segments: tuple[Segment, ...] | None,
    index: int,
    embed: bool,
    is_bad: bool,
) -> bytes:
    """Return a row as JSON: with its transcript if `embed`, in an invalid form if `is_bad`."""
    shown = call(row, switches, settings)
    if embed:
        shown["transcript"] = _embedded(segments, switches, index)
    return _bad(shown, index % _BAD_ROWS) if is_bad else to_json(shown)


def _bad(shown: dict[str, Any], kind: int) -> bytes:
    match kind:
        case 0:
            del shown["id"]
        case 1:
            shown["id"] = 12345
        case 2:
            shown["duration_seconds"] = "forty"
        case 3:
            return b'{"status":"failed","id":"no-uuid",' + to_json(shown)[1:]
        case 4:
            return b"null"
        case 5:
            return b'"a string in place of a call"'
        case _:
            shown["created_at"] = "yesterday"
    return to_json(shown)
