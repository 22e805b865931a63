"""Makes transcripts with card numbers, and with numbers that look like them, from a seed: what payment.py measures on.

No number of a person is in it: card numbers are the schemes' test numbers, or made of an issuer's prefix, chance and the
check digit. Each transcript says where its payment data stands.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from replicator.archive.payment.payment_cards import check_digit
from replicator.archive.payment.payment_numbers import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TEST_NUMBERS = (
    "4111111111111111", "4012888888881881", "4242424242424242", "5555555555554444", "5105105105105100",
    "2223003122003222", "378282246310005", "371449635398431", "6011111111111117", "6011000990139424",
    "30569309025904", "38520000023237", "3530111333300000", "3566002020360505", "6759649826438453", "6205500000000000004",
)  # fmt: skip
"""Published test numbers of schemes and payment providers."""
PREFIXES = (("4", 16), ("4", 16), ("51", 16), ("53", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14),
            ("3540", 16), ("62", 16), ("6763", 16), ("2202", 16), ("65", 16))  # fmt: skip
DIGITS = {
    "en": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "de": ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
    "es": ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"],
}
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SHORT = (
    "okay",
    "mm-hm",
    "uh-huh",
    "got it, go on",
    "yes",
    "and then?",
    "one moment... okay, next",
    "perfect, thank you",
)
LONG = (
    "thank you, and can you read me the next four digits please?",
    "great, I have the first part, what comes after that?",
)
OPENINGS = {
    "en": (
        "My card number is ",
        "Sure, it's ",
        "",
        "Yeah the card is ",
        "Okay so ",
        "the visa number: ",
        "let me see... ",
    ),
    "de": ("Meine Kartennummer ist ", "Ja, ", "", "Die Kreditkarte lautet "),
    "es": ("Mi tarjeta es ", "Claro, es ", "", "El número de tarjeta es "),
}
WORDS = [
    "I",
    "wanted",
    "to",
    "ask",
    "about",
    "my",
    "appointment",
    "and",
    "whether",
    "somebody",
    "can",
    "call",
    "me",
    "back",
    "because",
    "the",
    "last",
    "invoice",
    "seems",
    "wrong",
]


class Part(NamedTuple):
    """Where a part of payment data stands: characters [start, end) of a segment, of which [start, hidden_end) must not
    be readable.
    """

    position: int
    start: int
    hidden_end: int


@dataclass
class Gold:
    kind: str
    parts: list[Part] = field(default_factory=list)


@dataclass
class Sample:
    """A transcript, what it is an example of, and its payment data."""

    name: str
    texts: list[Text] = field(default_factory=list)
    gold: list[Gold] = field(default_factory=list)

    def say(self, speaker: str, text: str) -> int:
        self.texts.append(Text(len(self.texts), speaker, text))
        return len(self.texts) - 1

    def mark(
        self, gold: Gold, before: str, words: Sequence[tuple[str, int]], hidden: int, position: int, joint: str = " "
    ) -> None:
        """Note the place of words that stand in a segment behind `before`; their first `hidden` digits must be hidden."""
        start = at = len(before)
        for word, digits in words:
            if hidden <= 0:
                break
            end = at + (hidden if word.isdecimal() and hidden < digits else len(word))
            if digits:
                hidden -= digits
                last = end
            at += len(word) + len(joint)
        if at > start:
            gold.parts.append(Part(position, start, last))


Chance = random.Random


def card(chance: Chance) -> str:
    if chance.random() < 0.25:
        return chance.choice(TEST_NUMBERS)
    prefix, length = chance.choice(PREFIXES)
    body = prefix + "".join(str(chance.randrange(10)) for _ in range(length - len(prefix) - 1))
    return body + check_digit(body)


def some_digits(chance: Chance, count: int) -> str:
    return "".join(str(chance.randrange(10)) for _ in range(count))


def groups_of(number: str) -> list[str]:
    sizes = (4, 6, 5) if len(number) == 15 else (4, 6, 4) if len(number) == 14 else (4, 4, 4, 4, 3)
    found, at = [], 0
    for size in sizes:
        if at < len(number):
            found.append(number[at : at + size])
            at += size
    return found


def small_talk(chance: Chance, sample: Sample) -> None:
    for _ in range(chance.randrange(3)):
        speaker = chance.choice(("agent", "contact"))
        sample.say(speaker, " ".join(chance.choices(WORDS, k=chance.randrange(4, 14))))


def spoken(chance: Chance, digits: str, language: str = "en", *, short: bool = False) -> list[tuple[str, int]]:
    """Return (word, digits that it says) for digits said one by one; `short` says repeated ones as double or triple."""
    words: list[tuple[str, int]] = []
    at = 0
    while at < len(digits):
        same = next((n for n in (3, 2) if digits[at : at + n] == digits[at] * n and at + n <= len(digits)), 1)
        word = DIGITS[language][int(digits[at])]
        if language == "en" and digits[at] == "0" and at and chance.random() < 0.6:
            word = "oh"
        if short and same > 1 and chance.random() < 0.8:
            times = {"en": ("double", "triple"), "de": ("doppel", "dreimal"), "es": ("doble", "triple")}[language][
                same - 2
            ]
            words.append((f"{times} {word}", same))
            at += same
        else:
            words.append((word, 1))
            at += 1
    return words


def in_pairs(digits: str) -> list[tuple[str, int]]:
    """Return digits as they are said in pairs: forty-one eleven."""
    words = []
    for at in range(0, len(digits), 2):
        pair = digits[at : at + 2]
        if len(pair) == 1 or pair[0] == "0":
            words += [(DIGITS["en"][int(digit)], 1) for digit in pair]
        elif pair[0] == "1":
            words.append((TEENS[int(pair[1])], 2))
        else:
            unit = f"-{DIGITS['en'][int(pair[1])]}" if pair[1] != "0" else ""
            words.append((TENS[int(pair[0]) - 2] + unit, 2))
    return words


def one_segment(
    chance: Chance,
    sample: Sample,
    words: Sequence[tuple[str, int]],
    number: str,
    language: str = "en",
    joint: str = " ",
) -> None:
    """Say a card number in one segment."""
    before = chance.choice(OPENINGS[language])
    texts = [word for word, _ in words]
    position = sample.say("contact", before + joint.join(texts) + chance.choice(("", ".", " okay?", ", that's it")))
    gold = Gold("card_number")
    sample.mark(gold, before, words, len(number) - 4, position, joint)
    sample.gold.append(gold)


def written(chance: Chance, sample: Sample) -> None:
    number = card(chance)
    groups = chance.choice(([number], groups_of(number), groups_of(number)))
    joint = chance.choice((" ", " ", "-", "  ", ". ", ", ", "\n", "\u00a0", "\u2013"))
    before = chance.choice(OPENINGS["en"])
    position = sample.say("contact", before + joint.join(groups) + chance.choice(("", ".", " thanks")))
    gold = Gold("card_number")
    digits, at, hidden_end = 0, len(before), 0
    for character in joint.join(groups):
        at += 1
        if character.isdecimal() and joint != character:
            digits += 1
            if digits == len(number) - 4:
                hidden_end = at
    gold.parts.append(Part(position, len(before), hidden_end))
    sample.gold.append(gold)


def words_of(language: str, *, short: bool) -> Callable[[Chance, Sample], None]:
    def make(chance: Chance, sample: Sample) -> None:
        number = card(chance)
        one_segment(
            chance,
            sample,
            spoken(chance, number, language, short=short),
            number,
            language,
            chance.choice((" ", ", ", " - ")),
        )

    return make


def pairs(chance: Chance, sample: Sample) -> None:
    number = card(chance)
    one_segment(chance, sample, in_pairs(number), number)


def mixed(chance: Chance, sample: Sample) -> None:
    """Some groups in digits, some in words, as speech recognition writes them."""
    number = card(chance)
    words: list[tuple[str, int]] = []
    for group in groups_of(number):
        words += [(group, len(group))] if chance.random() < 0.5 else spoken(chance, group)
    if words[-1][1] > 4 or (number and sum(n for _, n in words[-1:]) not in {1, 4}):
        words = spoken(chance, number)
    one_segment(chance, sample, words, number)


def fillers(chance: Chance, sample: Sample) -> None:
    number = card(chance)
    words: list[tuple[str, int]] = []
    for word in spoken(chance, number, short=True):
        words.append(word)
        if chance.random() < 0.15:
            words.append((chance.choice(("uh", "um", "and", "and then", "er,", "dash", "uh okay")), 0))
    one_segment(chance, sample, words, number)


def over_segments(*, is_long: bool, in_words: bool) -> Callable[[Chance, Sample], None]:
    def make(chance: Chance, sample: Sample) -> None:
        number = card(chance)
        if is_long:
            sample.say("agent", "Can you give me your card number please?")
        gold, said = Gold("card_number"), 0
        for turn, group in enumerate(groups_of(number)):
            if turn and chance.random() < 0.85:
                said_back = chance.random() < 0.2
                sample.say(
                    "agent",
                    group_said(groups_of(number)[turn - 1]) if said_back else chance.choice(LONG if is_long else SHORT),
                )
            words = (
                spoken(chance, group, short=True)
                if in_words
                else [(digit, 1) for digit in group]
                if chance.random() < 0.3
                else [(group, len(group))]
            )
            before = chance.choice(("", "", "uh ", "okay, ")) if turn else chance.choice(("It's ", "", "yes "))
            texts = [word for word, _ in words]
            position = sample.say("contact", before + " ".join(texts))
            sample.mark(gold, before, words, len(number) - 4 - said, position)
            said += len(group)
        sample.gold.append(gold)

    return make


def group_said(group: str) -> str:
    return " ".join(DIGITS["en"][int(digit)] for digit in group) + ", yes"


def with_code(chance: Chance, sample: Sample) -> None:
    """A whole payment: number, expiry month, security code."""
    written(chance, sample)
    month, year = chance.randrange(1, 13), chance.randrange(26, 33)
    sample.say("agent", chance.choice(("And the expiry date?", "When does it expire?", "Valid until?")))
    name = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ][month - 1]
    forms = (
        f"{month:02}/{year}", f"{month:02} {year}", f"{name} 20{year}",
        f"{' '.join(w for w, _ in in_pairs(f'{month:02}'))} {' '.join(w for w, _ in in_pairs(str(year)))}",
    )  # fmt: skip
    text, before = chance.choice(forms), chance.choice(("", "it's ", "uh "))
    position = sample.say("contact", before + text)
    sample.gold.append(Gold("expiry", [Part(position, len(before), len(before) + len(text))]))
    sample.say(
        "agent",
        chance.choice(("And the three digits on the back?", "What is the security code?", "And the CVV, please?")),
    )
    code = some_digits(chance, 3)
    text = chance.choice((code, " ".join(code), " ".join(w for w, _ in spoken(chance, code))))
    position = sample.say("contact", before + text)
    sample.gold.append(Gold("security_code", [Part(position, len(before), len(before) + len(text))]))


def code_alone(chance: Chance, sample: Sample) -> None:
    """A security code in a call in which the number was entered by keys."""
    code = some_digits(chance, 3)
    text = chance.choice((code, " ".join(w for w, _ in spoken(chance, code))))
    before = chance.choice(("The CVV is ", "my security code is ", "cvc "))
    position = sample.say("contact", before + text)
    sample.gold.append(Gold("security_code", [Part(position, len(before), len(before) + len(text))]))


def corrected(chance: Chance, sample: Sample) -> None:
    """The speaker repeats a group after a mistake: known to be missed where the wrong digits stay in between."""
    number = card(chance)
    words = spoken(chance, number)
    at = chance.randrange(4, len(words) - 4)
    words[at:at] = [(DIGITS["en"][chance.randrange(10)], 0), ("sorry, no,", 0)]
    sample.say("agent", "Please tell me the card number.")
    one_segment(chance, sample, words, number)


def homophones(chance: Chance, sample: Sample) -> None:
    """Speech recognition writes `for` and `to` for four and two: known to be missed."""
    number = card(chance)
    alike = {"four": "for", "two": "to", "eight": "ate"}
    one_segment(chance, sample, [(alike.get(word, word), count) for word, count in spoken(chance, number)], number)


POSITIVES: dict[str, Callable[[Chance, Sample], None]] = {
    "digits": written,
    "words, English": words_of("en", short=False),
    "words, double and triple": words_of("en", short=True),
    "words in pairs (forty-one eleven)": pairs,
    "digits and words mixed": mixed,
    "words with fillers": fillers,
    "words, German": words_of("de", short=True),
    "words, Spanish": words_of("es", short=True),
    "over segments, digits": over_segments(is_long=False, in_words=False),
    "over segments, words": over_segments(is_long=False, in_words=True),
    "over segments, long questions between": over_segments(is_long=True, in_words=True),
    "number, expiry month and security code": with_code,
    "security code without a number": code_alone,
    "corrected in the middle": corrected,
    "homophones (for, to, ate)": homophones,
}
HARD = frozenset({"corrected in the middle", "homophones (for, to, ate)"})
"""Forms that are known to be missed in part; they are counted, and shown apart."""


def _iban(chance: Chance) -> str:
    body = some_digits(chance, 18)
    check = 98 - int(body + "131400") % 97
    plain = f"DE{check:02}{body}"
    return " ".join(plain[at : at + 4] for at in range(0, 22, 4)) if chance.random() < 0.7 else plain


def _luhn(chance: Chance, prefix: str, length: int) -> str:
    body = prefix + some_digits(chance, length - len(prefix) - 1)
    return body + check_digit(body)


def _grouped(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def _said(chance: Chance, digits: str) -> str:
    return " ".join(word for word, _ in spoken(chance, digits, short=True))


NEGATIVES: dict[str, Callable[[Chance], str]] = {
    "phone, international": lambda c: f"you can reach me at +{c.choice(('49', '44', '1', '34'))} {some_digits(c, 3)} {some_digits(c, 4)} {some_digits(c, 4)}",
    "phone, national": lambda c: f"the number is ({some_digits(c, 3)}) {some_digits(c, 3)}-{some_digits(c, 4)} or 0{some_digits(c, 10)}",
    "phone, two in words": lambda c: f"call {_said(c, some_digits(c, 10))} or {_said(c, some_digits(c, 10))}",
    "order number": lambda c: f"my order number is {some_digits(c, c.randrange(8, 21))}",
    "order number that passes Luhn": lambda c: f"the order number is {_grouped(_luhn(c, c.choice(('4', '51', '62')), 16))}",
    "tracking number": lambda c: f"tracking {c.choice((some_digits(c, 12), '94' + some_digits(c, 20), '1Z' + some_digits(c, 16), some_digits(c, 15)))}",
    "tracking number in words": lambda c: f"the tracking number says {_said(c, some_digits(c, 16))}",
    "id of 16 digits, nothing said of it": lambda c: f"it says {some_digits(c, 16)} here",
    "id of 16 digits in groups": lambda c: f"I have {_grouped(some_digits(c, 16))} on the letter",
    "16 digits that pass Luhn, of no issuer": lambda c: f"it is {_grouped(_luhn(c, c.choice(('7', '80', '99', '0', '1')), 16))}",
    "digits of an issuer that fail Luhn": lambda c: f"I think {(n := _luhn(c, '4', 16))[:-1]}{(int(n[-1]) + c.randrange(1, 10)) % 10}",
    "IBAN": lambda c: f"my bank is {_iban(c)}",
    "dates": lambda c: "we can do " + ", ".join(f"{c.randrange(1, 13):02}/{c.randrange(1, 29):02}/20{c.randrange(24, 30)}" for _ in range(3)),
    "dates in words": lambda c: f"the {c.choice(TEENS)} of {c.choice(('May', 'June'))} twenty {c.choice(DIGITS['en'][1:])} at {c.choice(TEENS)} {c.choice(TENS)}",
    "times and prices": lambda c: f"between {c.randrange(8, 12)}:{c.randrange(10, 60)} and {c.randrange(12, 18)}:30 it costs ${c.randrange(1, 9)},{some_digits(c, 3)}.{some_digits(c, 2)} or €{some_digits(c, 4)}.{some_digits(c, 2)}",
    "prices in words": lambda c: f"it was {c.choice(TENS)} {c.choice(DIGITS['en'][1:])} dollars and {c.choice(TENS)} cents, then {c.choice(TENS)} {c.choice(DIGITS['en'][1:])} dollars",
    "IMEI": lambda c: f"the IMEI is {_luhn(c, '35', 15)}",
    "article number (EAN)": lambda c: f"the barcode says 40{some_digits(c, 11)}",
    "coordinates": lambda c: f"we are at 52.{some_digits(c, 6)}, 13.{some_digits(c, 6)}",
    "one-time code": lambda c: f"your verification code is {some_digits(c, 6)}, not {some_digits(c, 4)}",
    "time stamp": lambda c: f"event 17{some_digits(c, 11)} and 2026-11-{c.randrange(10, 30)}T{c.randrange(10, 24)}:10:12.{some_digits(c, 6)}",
    "counting": lambda c: f"{c.choice(('', 'zero '))}one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen",
    "years": lambda c: "it happened in " + ", ".join(str(c.randrange(1950, 2026)) for _ in range(5)),
    "four last digits": lambda c: f"the card that ends in {some_digits(c, 4)}",
    "customer number in words": lambda c: f"my customer number is {_said(c, some_digits(c, 12))}",
}  # fmt: skip


def transcripts(seed: int, each: int) -> Iterator[Sample]:
    """Yield `each` transcripts of every kind, always the same for a seed."""
    chance = Chance(seed)
    for name, make in POSITIVES.items():
        for _ in range(each):
            sample = Sample(name)
            small_talk(chance, sample)
            make(chance, sample)
            small_talk(chance, sample)
            yield sample
    for name, say in NEGATIVES.items():
        for _ in range(each):
            sample = Sample(name)
            small_talk(chance, sample)
            sample.say(chance.choice(("contact", "agent")), say(chance))
            small_talk(chance, sample)
            yield sample
