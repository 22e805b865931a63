"""Takes payment data out of records before they are stored, where REPLICATOR_ARCHIVE_PAYMENT_DATA says so. Pure.

Fingerprints stay those of what the source sent, so that the next look at an unchanged call sees no change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from replicator.archive.payment.payment_cards import passes_luhn
from replicator.archive.payment.payment_data import Found, PaymentKind, find
from replicator.archive.payment.payment_numbers import Text
from replicator.source import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from replicator.archive.payment.payment_rules import Rules
    from replicator.records import Call, Segment, Transcript

MARKS = {
    PaymentKind.CARD_NUMBER: "[card number]",
    PaymentKind.SECURITY_CODE: "[security code]",
    PaymentKind.EXPIRY: "[card expiry]",
}
"""What stands in place of what is hidden, here and in the views (sql/parts/payment_mask.sql)."""
REMOVED = "[removed: payment data]"
ALONE = "text"
"""The speaker of a text that is no segment."""


def hide(text: str, found: Iterable[Found]) -> str:
    """Return the text with marks in place of what was found in it."""
    parts, last = [], 0
    for one in sorted(found):
        if one.masked_end > one.start >= last:
            parts += [text[last : one.start], MARKS[one.kind]]
            last = one.masked_end
    return "".join([*parts, text[last:]])


def hidden(text: str | None, rules: Rules) -> str | None:
    """Return a text that stands alone without payment data."""
    if not text:
        return text
    return hide(text, find([Text(0, ALONE, text)], rules))


def masked_transcript(transcript: Transcript, found: Sequence[Found], rules: Rules, *, is_dropped: bool) -> Transcript:
    """Return the transcript without the payment data that was found in its segments; `is_dropped`: without any text."""
    if is_dropped:
        segments = [one._replace(text=REMOVED, raw=None) for one in transcript.segments]
        return replace(transcript, segments=segments, summary=REMOVED if transcript.summary else None, raw="{}")
    of: dict[int, list[Found]] = {}
    for one in found:
        of.setdefault(one.position, []).append(one)
    texts = {one.text: hide(one.text, of[one.position]) for one in transcript.segments if one.position in of}
    return replace(
        transcript,
        segments=[_segment(one, of.get(one.position), texts, rules) for one in transcript.segments],
        summary=hidden(transcript.summary, rules),
        raw=_json(transcript.raw, texts, rules),
    )


def _segment(segment: Segment, found: Sequence[Found] | None, texts: Mapping[str, str], rules: Rules) -> Segment:
    raw = segment.raw
    if raw is not None:
        raw = _json(raw, texts, rules, drops_lists=found is not None)
    return (
        segment if not found and raw == segment.raw else segment._replace(text=hide(segment.text, found or ()), raw=raw)
    )


def masked_call(call: Call, found: Sequence[Found], rules: Rules, *, is_dropped: bool = False) -> Call:
    """Return the call without payment data in its summary, its context and its payload. `found` is that of its own
    transcript, where the list showed one.
    """
    texts: dict[str, str] = {}
    if call.transcript is not None:
        of: dict[int, list[Found]] = {}
        for one in found:
            of.setdefault(one.position, []).append(one)
        flagged = (
            call.transcript.segments
            if is_dropped and found
            else [s for s in call.transcript.segments if s.position in of]
        )
        texts = {s.text: REMOVED if is_dropped else hide(s.text, of[s.position]) for s in flagged}
    return replace(
        call,
        summary=hidden(call.summary, rules),
        context=None if call.context is None else _json(call.context, {}, rules),
        raw=_json(call.raw, texts, rules, drops_lists=False),
    )


def _json(text: str, texts: Mapping[str, str], rules: Rules, *, drops_lists: bool = False) -> str:
    """Return JSON text without payment data in any of its strings and numbers; the same text where there is none."""
    value = jsontext.decode(text.encode())
    changed = _value(value, lambda one: texts.get(one) or hidden(one, rules) or one, rules, drops_lists=drops_lists)
    return text if changed == value else jsontext.encode(changed)


def _value(value: Any, mask: Callable[[str], str], rules: Rules, *, drops_lists: bool) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {key: _value(one, mask, rules, drops_lists=drops_lists) for key, one in value.items()}
    if isinstance(value, list):
        # Word by word, a segment says its text again, in which no single word is a card number.
        return [REMOVED] if drops_lists and value else [_value(one, mask, rules, drops_lists=False) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and 10**11 <= value < 10**19 and passes_luhn(str(value)):
        return REMOVED if find([Text(0, ALONE, str(value))], rules) else value
    return value


__all__ = ["MARKS", "REMOVED", "hidden", "hide", "masked_call", "masked_transcript"]
