"""Finds card numbers in a run of numbers: the issuer's prefix, its lengths, and the check digit (Luhn). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from replicator.archive.payment.payment_numbers import Run, Token
    from replicator.archive.payment.payment_rules import Issuer

SHORTEST, LONGEST = 12, 19
LARGEST, LARGEST_MIXED = 4, 6
"""Digits of the largest group where there are many groups, and where some are in words."""
MOST_COUNTED = 4
"""More numbers that go up one by one are counting, not a card number."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_GROUPINGS = frozenset({
    (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (6, 13), (8, 8), (6, 10), (4, 5, 6), (4, 4, 4, 3), (4, 4, 4),
    (6, 6, 4), (4, 8, 4), (4, 4, 8), (8, 4, 4), (6, 8), (12, 4), (4, 12), (4, 4, 4, 2), (4, 4, 4, 1), (4, 11), (10, 5),
})  # fmt: skip
"""How many digits stand together where card numbers are written in a few groups."""


class Card(NamedTuple):
    """A card number in a run: its first digit, behind its last, and behind the last digit that has to be hidden (the
    last four may be shown).
    """

    first: int
    end: int
    hidden_end: int
    rule: str


@dataclass(frozen=True, slots=True)
class Digits:
    """The digits of a run, one by one, and to which of its tokens each belongs."""

    values: tuple[int, ...]
    owner: tuple[int, ...]
    begins: tuple[int, ...]
    """By token, its first digit; and at the end the number of digits."""

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> Digits:
        text = "".join(token.digits for token in tokens)
        owner = tuple(index for index, token in enumerate(tokens) for _ in token.digits)
        begins = tuple(accumulate((len(token.digits) for token in tokens), initial=0))
        return cls(tuple(map(int, text)), owner, begins)


def passes_luhn(digits: str) -> bool:
    """Say whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    values = [int(digit) for digit in reversed(digits)]
    return sum(_DOUBLED[value] if place % 2 else value for place, value in enumerate(values)) % 10 == 0


def check_digit(digits: str) -> str:
    """Return the check digit that follows these digits."""
    return next(str(last) for last in range(10) if passes_luhn(f"{digits}{last}"))


def find_cards(
    run: Run, issuers: Mapping[int, tuple[Issuer, ...]], *, is_after_card: Sequence[bool | None]
) -> Iterator[Card]:
    """Yield the card numbers of a run, which do not overlap.

    `is_after_card` says for each token whether the words before it speak of a card (True), of another number (False),
    or of neither (None). The time is linear in the number of digits.
    """
    search = _Search(run, issuers)
    digits = search.digits
    first = 0
    while first <= len(digits.values) - SHORTEST:
        token = digits.owner[first]
        is_card = is_after_card[token]
        is_inside = digits.begins[token] != first
        if is_card is False or ((run.is_phone or is_inside) and not is_card):
            first = digits.begins[token + 1]
            continue
        lengths = search.lengths_at(first, is_card=is_card is True)
        if not lengths:
            first += 1
            continue
        yield _card(first, lengths)
        first += max(lengths)


class _Search:
    """Answers in constant time whether a window of a run is a card number: Luhn's sum is a difference of two sums."""

    def __init__(self, run: Run, issuers: Mapping[int, tuple[Issuer, ...]]) -> None:
        self.run, self.issuers = run, issuers
        self.digits = Digits.of(run.tokens)
        values = list(enumerate(self.digits.values))
        self.ends = frozenset(self.digits.begins[1:])
        self.cuts = _sums(token.is_cut for token in run.tokens)
        # By the place (even, odd) of the digits that are doubled.
        self.luhn = [_sums(_DOUBLED[v] if i % 2 == odd else v for i, v in values) for odd in (0, 1)]

    def lengths_at(self, first: int, *, is_card: bool) -> dict[int, str]:
        """Return the lengths of the card numbers that begin here, with their rules."""
        lengths: dict[int, str] = {}
        for issuer in _issuers(self.digits.values, first, self.issuers):
            for length in issuer.lengths:
                end = first + length
                if end > len(self.digits.values) or length in lengths or not (is_card or end in self.ends):
                    continue
                luhn = self.luhn[end % 2]
                if (luhn[end] - luhn[first]) % 10 == 0 and (is_card or self._is_orderly(first, end)):
                    lengths[length] = issuer.name
        # Inside a written number, only where no length ends with a number: the rest belongs to what follows.
        whole = {length: rule for length, rule in lengths.items() if first + length in self.ends}
        return whole or lengths

    def _is_orderly(self, first: int, end: int) -> bool:
        """Say whether digits stand together as in card numbers: in whole groups of usual sizes, or spoken one by one."""
        begin, last = self.digits.owner[first], self.digits.owner[end - 1]
        if self.cuts[last + 1] - self.cuts[begin + 1]:
            return False
        tokens = self.run.tokens[begin : last + 1]
        sizes = tuple(len(token.digits) for token in tokens)
        if len(tokens) > MOST_COUNTED and _is_counting(tokens):
            return False
        if any(token.is_word for token in tokens):
            return max(sizes) <= LARGEST_MIXED
        if len(sizes) == 1 or sizes in _GROUPINGS:
            return True
        ends, largest = set(accumulate(sizes)), max(sizes)
        is_small = largest <= LARGEST
        is_even = is_small and all(size == largest for size in sizes[:-1])
        return is_even or (is_small and ends >= {4, 8, 12}) or (ends >= {4, 10} and end - first in {14, 15})


def _is_counting(tokens: Sequence[Token]) -> bool:
    """Say whether somebody counts: each number is the one before, and one more."""
    numbers = [int(token.digits) for token in tokens]
    return all(one + 1 == another for one, another in pairwise(numbers))


def _sums(values: Iterable[int]) -> list[int]:
    return list(accumulate(values, initial=0))


def _card(first: int, lengths: Mapping[int, str]) -> Card:
    """Return the card. Where two lengths fit, it is unknown which are the last four digits, so all are hidden."""
    longest = max(lengths)
    hidden = longest - 4 if len(lengths) == 1 else longest
    return Card(first, first + longest, first + hidden, lengths[min(lengths)])


def _issuers(values: Sequence[int], first: int, issuers: Mapping[int, tuple[Issuer, ...]]) -> Iterator[Issuer]:
    candidates = issuers.get(values[first])
    if not candidates:
        return
    six = 0
    for value in values[first : first + 6]:
        six = six * 10 + value
    for issuer in candidates:
        if issuer.low <= six <= issuer.high:
            yield issuer
