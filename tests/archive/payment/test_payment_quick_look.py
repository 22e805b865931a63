"""The quick looks that spare most transcripts the search: where they say that nothing is there, the search finds nothing."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.archive.payment import payment_data, payment_numbers
from replicator.archive.payment.payment_numbers import SPOKEN, Text
from replicator.archive.payment.payment_rules import SHIPPED, RuleKind, Rules

pytestmark = pytest.mark.pure

RULES = Rules()
MARKS = [
    " ",
    " ",
    " ",
    ", ",
    "-",
    ". ",
    "\n",
    "\u2014",
    "\u2026",
    "\u00ab",
    "\u00bb ",
    "\u00bf",
    "? ",
    "=",
    "\u2019",
    "\u00a0",
    "\u2028",
    "\x1c",
    "",
]
PROMPTS = [word for rule in SHIPPED if rule.kind == RuleKind.SECURITY_CODE for word in rule.words]
WORDS = [
    *sorted(SPOKEN),
    *PROMPTS,
    "4111",
    "1111",
    "12",
    "7",
    "123",
    "\u0661\u0661",
    "card",
    "the",
    "stra\u00dfe",
    "\u4f60\u597d",
    "CVV",
]
SAID = st.lists(st.tuples(st.sampled_from(["agent", "contact", "tool"]), st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from(MARKS)), max_size=12)), max_size=4)  # fmt: skip


@settings(max_examples=200)
@given(SAID)
def test_nothing_is_missed(said: list[tuple[str, list[tuple[str, str]]]]) -> None:
    """Whatever marks stand between the words."""
    texts = [
        Text(place, speaker, "".join(word + mark for word, mark in words))
        for place, (speaker, words) in enumerate(said)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payment_data, "may_hold", lambda texts, rules, seen: True)
        found = payment_data.find(texts, RULES)
    if found:
        assert payment_data.may_hold(texts, RULES)
        assert payment_data.glance(payment_data.joined(texts), RULES) is not payment_data.Glance.CLEAR


@pytest.mark.parametrize("phrase", sorted(set(PROMPTS)))
@pytest.mark.parametrize(
    "around", ["{} 123", "\u00bf{}? 123", "\u00ab{}\u00bb is 123", "\u2026{}\u2014123", "({}) 123", "{}=123"]
)
def test_a_prompt_counts_whatever_stands_around_it(phrase: str, around: str) -> None:
    """A question mark that opens, quotation marks, an ellipsis: none of them is a part of the word."""
    text = Text(0, "contact", around.format(phrase))
    assert payment_data.glance(text.text, RULES) is payment_data.Glance.ASKED
    assert [one.kind for one in payment_data.find([text], RULES)] == [payment_data.PaymentKind.SECURITY_CODE]


def test_number_words_are_in_latin_1() -> None:
    """The quick look reads them as bytes."""
    for word in SPOKEN:
        assert word.encode("latin-1").decode("latin-1") == word
        assert word.isalpha()


def test_digits_outside_of_ascii_are_seen() -> None:
    """Whatever stands beside them."""
    digits = [chr(code) for code in range(128, sys.maxunicode + 1) if chr(code).isdecimal()]
    assert {one.encode()[0] for one in digits} == set(payment_numbers.DIGIT_LEADS)
    for one in digits:
        assert not payment_numbers.has_ascii_digits_only(f"\U0001f388 12 {one}")
        assert payment_numbers.said_in(f"\U0001f388 12 {one}") == 3
    assert payment_numbers.has_ascii_digits_only("na\u00efve \u2014 \u6771\u4eac \U0001f388 12")
