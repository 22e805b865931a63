"""Finds payment data in a transcript or another text: card numbers, security codes, expiry months. Pure.

The findings say where, never what. The time is linear in the length of the texts, whoever wrote them.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, NamedTuple

from replicator.archive.payment.payment_cards import SHORTEST, find_cards
from replicator.archive.payment.payment_expiry import find_written, is_expiry
from replicator.archive.payment.payment_numbers import APART, Run, Text, Token, are_together, read_runs, said_in
from replicator.archive.payment.payment_rules import RuleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from replicator.archive.payment.payment_rules import Rules


class PaymentKind(StrEnum):
    """What was found."""

    CARD_NUMBER = "card_number"
    SECURITY_CODE = "security_code"
    EXPIRY = "expiry"


class Found(NamedTuple):
    """A part of payment data in one text: characters [start, end), of which [start, masked_end) have to be hidden."""

    position: int
    start: int
    end: int
    masked_end: int
    kind: PaymentKind
    rule: str


SHORTEST_CODE, LONGEST_CODE, LONGEST_REST = 3, 4, 10
"""Digits of a security code, and of all that is said behind a card number."""
WORDS_BESIDE_A_CODE = 4
MOST_IN_A_CODE = 10
"""Numbers in which a security code and an expiry month are said."""
MOST_TOKENS = 40
"""A run of more numbers holds a security code only behind a card number."""
SEGMENTS_BACK = 4
"""A prompt counts for the numbers in its own segment and in as many segments after it."""
CHARACTERS_BACK = 160
"""In the same segment, a prompt counts for numbers that begin at most this far behind it."""
OTHER_CHARACTERS_BACK, WEAK_CHARACTERS_BACK = 40, 12
"""Words for another number count less far, and otherwise only in the segment right before; least far without the word
"number" behind them, because an order or an invoice is what many calls are about.
"""
_NUMBER = re.compile(r"\W{0,3}(?:\w{0,20}(?:number|nummer)|número|numero|no|nr|id|code)(?!\w)|(?<=nummer)")
SEGMENTS_AFTER = 2
"""A security code without a prompt follows its card number within these many segments of the same speaker."""


class Glance(Enum):
    """What a quick look at the texts of a call says."""

    CLEAR = auto()
    """They hold no payment data."""
    MANY = auto()
    """They say enough digits for a card number, if one speaker says them together."""
    ASKED = auto()
    """They hold words that ask for a security code, and enough digits for one."""


def glance(text: str, rules: Rules) -> Glance:
    """Look quickly at the texts of a call, joined by line ends. Most transcripts hold too few numbers."""
    lowered = text.lower()
    said = said_in(lowered)
    if said >= SHORTEST_CODE and rules.asks_for_a_code(lowered):
        return Glance.ASKED
    return Glance.MANY if said >= SHORTEST else Glance.CLEAR


def joined(texts: Iterable[Text]) -> str:
    """Return texts as `glance` looks at them."""
    return "\n".join([one.text for one in texts])


def may_hold(texts: Sequence[Text], rules: Rules, seen: Glance | None = None) -> bool:
    """Say whether there can be payment data at all: where a speaker says enough numbers together, or is asked for a code.
    `seen`: what `glance` said, where the caller knows it.
    """
    seen = seen or glance(joined(texts), rules)
    return seen is Glance.ASKED or (seen is Glance.MANY and are_together(texts, SHORTEST))


def find(texts: Sequence[Text], rules: Rules, seen: Glance | None = None) -> list[Found]:
    """Return what is found in the texts of one call, by position and place. The texts are in their order. `seen`: what
    `glance` said, where the caller knows it.
    """
    if not may_hold(texts, rules, seen):
        return []
    prompts = _Prompts.of(texts, rules)
    runs = read_runs(
        texts, languages=rules.languages, forms=rules.forms,
        near_card=lambda index, offset: prompts.before(index, offset) == RuleKind.CARD_WORDS,
    )  # fmt: skip
    search = _Search(texts, prompts)
    for run in runs:
        if run.size >= SHORTEST:
            any(search.cards(reading, rules) for reading in run.readings())
    search.written_expiries()
    for run in runs:
        search.codes(run)
    return sorted({one[:3]: one for one in reversed(search.found)}.values())


class _Prompt(NamedTuple):
    """What words at a place, characters [start, end), announce."""

    start: int
    end: int
    kind: RuleKind
    is_strong: bool
    """False for a word such as "order" without "number" behind it: it may only be what the call is about."""


@dataclass(slots=True)
class _Prompts:
    """The prompts of a call by segment, and by segment the last strong one before it with its segment."""

    prompts: list[list[_Prompt]]
    latest: list[tuple[int, RuleKind] | None]

    @classmethod
    def of(cls, texts: Sequence[Text], rules: Rules) -> _Prompts:
        prompts: list[list[_Prompt]] = []
        latest: list[tuple[int, RuleKind] | None] = []
        last: tuple[int, RuleKind] | None = None
        for index, text in enumerate(texts):
            latest.append(last)
            lowered = text.text.lower()
            is_any = rules.may_prompt(lowered)
            found = [
                _Prompt(*match.span(), kind, kind != RuleKind.OTHER_WORDS or bool(_NUMBER.search(lowered, *match.span())
                        or _NUMBER.match(lowered, match.end())))
                for match in (rules.prompts.finditer(lowered) if rules.prompts and is_any else ())
                for kind in (RuleKind(match.lastgroup or ""),)
            ]  # fmt: skip
            prompts.append(found)
            last = next(((index, one.kind) for one in reversed(found) if one.is_strong), last)
        return cls(prompts, latest)

    def before(self, index: int, offset: int) -> RuleKind | None:
        """Return what the nearest prompt before a place announces; None where there is none near enough."""
        here = self.prompts[index]
        at = bisect_right(here, offset, key=lambda one: one.end) - 1
        while at >= 0 and not here[at].is_strong and offset - here[at].end > WEAK_CHARACTERS_BACK:
            at -= 1
            if offset - here[at].end > CHARACTERS_BACK:
                break
        if at >= 0:
            one, far = here[at], offset - here[at].end
            return (
                one.kind
                if far <= (OTHER_CHARACTERS_BACK if one.kind == RuleKind.OTHER_WORDS else CHARACTERS_BACK)
                else None
            )
        last = self.latest[index]
        if last is None:
            return None
        return last[1] if index - last[0] <= (1 if last[1] == RuleKind.OTHER_WORDS else SEGMENTS_BACK) else None

    def is_part(self, token: Token) -> bool:
        """Say whether a number is a part of a prompt, such as the 2 of "CVV2"."""
        here = self.prompts[token.segment]
        at = bisect_right(here, token.start, key=lambda one: one.end)
        return at < len(here) and here[at].start <= token.start


@dataclass(slots=True)
class _Search:
    """What was found so far in one call."""

    texts: Sequence[Text]
    prompts: _Prompts
    found: list[Found] = field(default_factory=list)
    used: set[tuple[int, int]] = field(default_factory=set)
    """Places (segment, start) of tokens that belong to a finding."""
    months: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """By segment, the places of the months that were found in writing."""
    ends: dict[str, list[int]] = field(default_factory=dict)
    """By speaker, the segments in which a card number ends."""

    def cards(self, run: Run, rules: Rules) -> bool:
        """Look for card numbers in a run, and for what follows each in the same breath; say whether there are any."""
        tokens = run.tokens
        context = [self._is_after_card(token) for token in tokens]
        begins = [0]
        for token in tokens:
            begins.append(begins[-1] + len(token.digits))
        cards = list(find_cards(run, rules.issuers, is_after_card=context))
        for number, card in enumerate(cards):
            self._add(tokens, begins, (card.first, card.end, card.hidden_end), PaymentKind.CARD_NUMBER, card.rule)
            last = bisect_left(begins, card.end) - 1
            self.ends.setdefault(self.texts[tokens[last].segment].speaker, []).append(tokens[last].segment)
            until = cards[number + 1].first if number + 1 < len(cards) else begins[-1]
            self._rest(Run(tokens[last + 1 : bisect_left(begins, until)]))
        return bool(cards)

    def _rest(self, rest: Run) -> None:
        """Take the digits right behind a card number: an expiry month, a security code, or both."""
        digits = "".join(token.digits for token in rest.tokens[: MOST_IN_A_CODE + 1])
        if not SHORTEST_CODE <= len(digits) <= LONGEST_REST or len(rest.tokens) > MOST_IN_A_CODE:
            return
        tokens = rest.tokens
        month = next((n for n in (4, 6) if len(digits) >= n and is_expiry(digits[:n]) and _ends_at(tokens, n)), 0)
        if month:
            self._all(_head(tokens, month), PaymentKind.EXPIRY, "expiry")
            tokens = tokens[len(_head(tokens, month)) :]
        if sum(len(token.digits) for token in tokens) in {3, 4}:
            self._all(tokens, PaymentKind.SECURITY_CODE, "security_code")

    def codes(self, run: Run) -> None:
        """Take short runs as a security code or an expiry month, where a prompt or a card number stands before them. The
        answers to several questions are several runs.
        """
        if len(run.tokens) > MOST_TOKENS:
            return
        parts: dict[int, list[Token]] = {}
        for token in run.tokens:
            if not self._is_used(token) and not self.prompts.is_part(token):
                parts.setdefault(token.segment, []).append(token)
        for tokens in parts.values():
            if len(tokens) <= MOST_IN_A_CODE:
                self._code(tokens)

    def _code(self, tokens: Sequence[Token]) -> None:
        digits = "".join(token.digits for token in tokens)
        prompt = self.prompts.before(tokens[0].segment, tokens[0].start)
        if prompt == RuleKind.SECURITY_CODE and len(digits) in {3, 4}:
            self._all(tokens, PaymentKind.SECURITY_CODE, "security_code")
        elif prompt == RuleKind.EXPIRY and self.ends and is_expiry(digits):
            self._all(tokens, PaymentKind.EXPIRY, "expiry")
        elif prompt == RuleKind.SECURITY_CODE and LONGEST_CODE < len(digits) <= LONGEST_REST and self.ends:
            self._rest(Run(list(tokens)))
        elif len(digits) in {3, 4} and self._is_alone_after_a_card(tokens):
            kind = PaymentKind.EXPIRY if is_expiry(digits) else PaymentKind.SECURITY_CODE
            self._all(tokens, kind, kind.value)

    def written_expiries(self) -> None:
        """Take `12/27` and `December 2027` where a prompt or a card number stands before it."""
        if not self.ends:
            return
        cards = sorted({index for some in self.ends.values() for index in some})
        for index, text in enumerate(self.texts):
            for start, end in find_written(text.text):
                at = bisect_left(cards, index + 1)
                is_near = at > 0 and index - cards[at - 1] <= SEGMENTS_BACK
                if is_near or self.prompts.before(index, start) in {RuleKind.EXPIRY, RuleKind.CARD_WORDS}:
                    self.found.append(Found(text.position, start, end, end, PaymentKind.EXPIRY, "expiry"))
                    self.months.setdefault(index, []).append((start, end))

    def _is_used(self, token: Token) -> bool:
        """Say whether a number belongs to a finding already."""
        months = self.months.get(token.segment, [])
        at = bisect_left(months, (token.start + 1,)) - 1
        return (token.segment, token.start) in self.used or (at >= 0 and token.start < months[at][1])

    def _is_alone_after_a_card(self, tokens: Sequence[Token]) -> bool:
        """Say whether a segment holds little but these digits, and a card number ends in it or shortly before it."""
        index = tokens[0].segment
        text = self.texts[index]
        ends = self.ends.get(text.speaker, [])
        at = bisect_left(ends, index + 1)
        if not at or text.speaker in APART or index - ends[at - 1] > 2 * SEGMENTS_AFTER:
            return False
        around = text.text[: tokens[0].start] if ends[at - 1] != index else ""
        words = (around + " " + text.text[tokens[-1].end :])[:200].split()
        return tokens[-1].segment == index and len(words) <= WORDS_BESIDE_A_CODE

    def _is_after_card(self, token: Token) -> bool | None:
        prompt = self.prompts.before(token.segment, token.start)
        return {RuleKind.CARD_WORDS: True, RuleKind.OTHER_WORDS: False}.get(prompt) if prompt else None

    def _all(self, tokens: Sequence[Token], kind: PaymentKind, rule: str) -> None:
        size = sum(len(token.digits) for token in tokens)
        begins = [0]
        for token in tokens:
            begins.append(begins[-1] + len(token.digits))
        self._add(tokens, begins, (0, size, size), kind, rule)

    def _add(
        self, tokens: Sequence[Token], begins: Sequence[int], digits: tuple[int, int, int], kind: PaymentKind, rule: str
    ) -> None:
        """Add a finding for each segment in which digits [first, end) stand; those from `hidden_end` on may be shown."""
        first, end, hidden_end = digits
        parts: dict[int, tuple[int, int, int]] = {}
        for at in range(bisect_left(begins, first + 1) - 1, bisect_left(begins, end)):
            token = tokens[at]
            self.used.add((token.segment, token.start))
            start, stop = _cut(token, first - begins[at], 0), _cut(token, end - begins[at], 1)
            hidden = _cut(token, hidden_end - begins[at], 1) if hidden_end > begins[at] else start
            before = parts.get(token.segment)
            if before is None:
                parts[token.segment] = (start, stop, hidden)
            else:
                parts[token.segment] = (before[0], stop, hidden if hidden > start else before[2])
        for index, (start, stop, hidden) in parts.items():
            self.found.append(Found(self.texts[index].position, start, stop, hidden, kind, rule))


def _cut(token: Token, digits: int, side: int) -> int:
    """Return the place of a token behind so many of its digits: inside it, if it is written in digits one by one."""
    if digits <= 0:
        return token.start
    if digits >= len(token.digits):
        return token.end
    if token.is_word:
        return token.end if side else token.start
    return token.start + digits


def _head(tokens: Sequence[Token], digits: int) -> Sequence[Token]:
    """Return the first tokens that hold so many digits."""
    for count, total in enumerate(_totals(tokens), 1):
        if total >= digits:
            return tokens[:count]
    return tokens


def _ends_at(tokens: Sequence[Token], digits: int) -> bool:
    return digits in set(_totals(tokens))


def _totals(tokens: Sequence[Token]) -> Iterator[int]:
    total = 0
    for token in tokens:
        total += len(token.digits)
        yield total
