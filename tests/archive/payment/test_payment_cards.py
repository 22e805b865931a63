"""Check digits and windows of digits."""

from __future__ import annotations

import random

import pytest

from bench.payment_corpus import TEST_NUMBERS
from replicator.archive.payment.payment_cards import check_digit, find_cards, passes_luhn
from replicator.archive.payment.payment_numbers import Run, Token
from replicator.archive.payment.payment_rules import Rules

pytestmark = pytest.mark.pure


def test_published_numbers_pass_and_every_changed_digit_fails() -> None:
    """Luhn finds each error of one digit."""
    for number in TEST_NUMBERS:
        assert passes_luhn(number)
        assert check_digit(number[:-1]) == number[-1]
        for place, digit in enumerate(number):
            for other in set("0123456789") - {digit}:
                assert not passes_luhn(number[:place] + other + number[place + 1 :])


def test_windows_are_those_that_a_slow_search_finds() -> None:
    """Sums make the search fast; every window that it returns passes, and it passes no first window over."""
    chance, issuers = random.Random(3), Rules().issuers
    for _ in range(2000):
        digits = "".join(chance.choice("0123456789") for _ in range(chance.randrange(12, 40)))
        run = Run([Token(0, place, place + 1, digit, is_word=True) for place, digit in enumerate(digits)])
        cards = list(find_cards(run, issuers, is_after_card=[True] * len(digits)))
        for card in cards:
            assert passes_luhn(digits[card.first : card.end]) or card.hidden_end == card.end
        first = next(
            (
                start for start in range(len(digits) - 11) for issuer in issuers.get(int(digits[start]), ())
                for length in issuer.lengths
                if start + length <= len(digits) and issuer.low <= int(digits[start : start + 6]) <= issuer.high
                and passes_luhn(digits[start : start + length])
            ),
            None,
        )  # fmt: skip
        assert (cards[0].first if cards else None) == first
