"""Records without payment data: every place that repeats the text, numbers too, and nothing else is changed."""

from __future__ import annotations

import json

import pytest

from replicator.archive.payment.payment_data import find
from replicator.archive.payment.payment_masking import REMOVED, hide, masked_call, masked_transcript
from replicator.archive.payment.payment_rules import Rules
from replicator.archive.payment.payment_watch import texts_of
from replicator.records import Call
from replicator.source.parsing import parse_row
from replicator.source.transcripts import read_transcript

pytestmark = pytest.mark.pure

RULES = Rules()
NUMBER = "4111 1111 1111 1111"


def test_every_place_of_a_transcript() -> None:
    """The text, the words one by one, another field of the same text, what stands beside; the fingerprint stays."""
    turns = [
        {
            "speaker": "contact",
            "text": f"card {NUMBER}",
            "words": [{"w": "4111"}, {"w": "1111"}],
            "alt": f"card {NUMBER}",
            "id": 7,
        },
        {"speaker": "agent", "text": "thanks", "words": [{"w": "thanks"}]},
    ]
    before = read_transcript(
        {"transcript": turns, "summary": f"paid by {NUMBER}", "pan": 4111111111111111, "note": [NUMBER]}
    )
    after = masked_transcript(before, find(texts_of(before.segments), RULES), RULES, is_dropped=False)
    assert after.fingerprint == before.fingerprint
    assert [one.text for one in after.segments] == ["card [card number] 1111", "thanks"]
    assert json.loads(after.segments[0].raw or "") == {
        "speaker": "contact", "text": "card [card number] 1111", "words": [REMOVED], "alt": "card [card number] 1111", "id": 7,
    }  # fmt: skip
    assert after.segments[1] == before.segments[1]
    assert after.summary == "paid by [card number] 1111"
    assert json.loads(after.raw) == {"summary": after.summary, "pan": REMOVED, "note": ["[card number] 1111"]}


def test_a_dropped_transcript_has_no_word_left() -> None:
    """Speakers and times stay, so that the figures of the conversation do."""
    before = read_transcript({"transcript": [{"speaker": "contact", "text": NUMBER, "timestamp": 1.5}], "summary": "x"})
    after = masked_transcript(before, find(texts_of(before.segments), RULES), RULES, is_dropped=True)
    assert [(one.text, one.raw) for one in after.segments] == [(REMOVED, None)]
    assert (after.segments[0].start_seconds, after.summary, after.raw) == (
        before.segments[0].start_seconds,
        REMOVED,
        "{}",
    )


def test_a_call_with_its_transcript_in_the_list() -> None:
    """A number over two segments is masked in the payload's copy of them, too; digits of prices and ids stay."""
    row = {
        "id": "0f0008a6-661d-4b55-9cdf-fbec33ef39c6", "cost_usd": 0.1234, "order": 1234567890123456, "context": {"a": [NUMBER, 4111111111111111]},
        "summary": NUMBER,
        "transcript": [{"speaker": "contact", "text": "4111 1111"}, {"speaker": "agent", "text": "ok"}, {"speaker": "contact", "text": "1111 1111"}],
    }  # fmt: skip
    call = parse_row(json.dumps(row).encode())
    assert isinstance(call, Call)
    assert call.transcript is not None
    after = masked_call(call, find(texts_of(call.transcript.segments), RULES), RULES)
    kept = json.loads(after.raw)
    assert [one["text"] for one in kept["transcript"]] == ["[card number]", "ok", "[card number] 1111"]
    assert (kept["order"], kept["cost_usd"], kept["summary"]) == (1234567890123456, 0.1234, "[card number] 1111")
    assert json.loads(after.context or "") == {"a": ["[card number] 1111", REMOVED]}
    assert (after.fingerprint, after.summary) == (call.fingerprint, "[card number] 1111")


def test_overlaps_and_nothing() -> None:
    """Findings that hide nothing leave the text as it is."""
    assert hide("abc", []) == "abc"
