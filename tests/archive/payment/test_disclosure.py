"""The notice that a call is recorded."""

from __future__ import annotations

from decimal import Decimal

import pytest

from replicator.archive.payment.disclosure import DisclosureRule, DisclosureRules
from replicator.records import Segment

pytestmark = pytest.mark.pure

RULES = DisclosureRules()


def said(text: str, *, speaker: str = "agent", at: float | None = 1.0, place: int = 0) -> list[Segment]:
    silence = [Segment(number, "agent", "hello", Decimal(0), None, None) for number in range(place)]
    return [*silence, Segment(place, speaker, text, None if at is None else Decimal(str(at)), None, None)]


@pytest.mark.parametrize(
    "text",
    [
        "This call may be recorded for quality and training purposes.", "Please note that this CONVERSATION is being recorded",
        "You're on a recorded line", "we may monitor or record your call", "Dieser Anruf wird zu Schulungszwecken aufgezeichnet.",
        "Wir zeichnen das Gespräch auf", "Esta llamada puede ser grabada", "Cet appel est enregistré",
    ],
)  # fmt: skip
def test_usual_notices_are_found(text: str) -> None:
    """In several languages and cases, from the agent or an announcement."""
    assert RULES.find(said(text)) is not None
    assert RULES.find(said(text, speaker="system")) is not None


@pytest.mark.parametrize("text", ["How can I help?", "I have your records here", "", "you broke a record"])
def test_other_sentences_are_none(text: str) -> None:
    """A sentence without a notice."""
    assert RULES.find(said(text)) is None


def test_only_in_the_beginning_and_not_from_the_contact() -> None:
    """A notice after a minute, or after the sixth segment, or from the contact, does not count; an unknown time does."""
    notice = "this call is recorded"
    assert RULES.find(said(notice, place=5)) == (5, "en_call_recorded")
    assert RULES.find(said(notice, place=6)) is None
    assert RULES.find(said(notice, at=61)) is None
    assert RULES.find(said(notice, at=None)) == (0, "en_call_recorded")
    assert RULES.find(said(notice, speaker="contact")) is None


def test_rules_are_plain_words() -> None:
    """No pattern of an operator is a program: signs are signs, and what is off is off."""
    rules = DisclosureRules.of(
        [DisclosureRule("mine", "en", "(a+)+$%[x]"), DisclosureRule("off", "en", "hello", is_on=False)]
    )
    assert rules.find(said("so (a+)+$ and [x]")) == (0, "mine")
    assert rules.find(said("hello aaaa")) is None
    assert DisclosureRules.of([DisclosureRule("empty", "en", " % ")]).find(said("x")) is None
