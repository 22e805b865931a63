"""Finds a phone number in every spelling: in columns, and in free text where people write or speak it. Pure.

`spelling` takes one number in international form, with + or 00 or 011 before it. It gives the digit strings that a column may hold (with the country's
code or without it, with 00 or 011), and a matcher for text: digits with spaces, dots, dashes, slashes and brackets between
them, in words of seven languages, with `double` and `triple`, with fillers in between, and over several lines.

False hits are bounded in four ways. A hit has at least nine digits, or a leading zero and eight. It begins and ends where a
group of digits begins and ends, so it is never the middle of a longer figure. Between its digits are only separators and
at most three fillers in a row, so digits of different sentences do not join. A word that is seldom meant as a digit (`oh`,
`un`) may count as one and may be skipped. In a text with n groups of digits, a foreign number of nine digits is thus found
with a chance of about n in a billion.

Not found: numbers that are spoken in pairs in other languages than English ("quarante-deux"), with wrong or missing
digits, or without their area code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from replicator.errors import ConfigurationError

LEAST_INTERNATIONAL, MOST_DIGITS = 8, 15
LEAST_NUMBER, LEAST_ADDRESS = 5, 6
"""The least digits of a column that is compared as a number, and the least characters of an address."""
LEAST_BARE = 9
"""A number without country code and leading zero is looked for only if it has this many digits."""
LEAST_WITH_ZERO = 9
"""The same with its leading zero, which is counted."""
MOST_FILLERS = 3
MOST_SEPARATORS = 24
"""The most characters between two digits of one number."""
EXITS = ("", "00", "011")
"""What may stand before the country's code. A plus sign is a separator here."""
_TWO_DIGIT_CODES_TEXT = """
20 27 28 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 83
84 86 89 90 91 92 93 94 95 98
"""
TWO_DIGIT_CODES = frozenset(_TWO_DIGIT_CODES_TEXT.split())
"""Country codes with two digits (ITU-T E.164). 1 and 7 have one; all others have three."""

_SAID = (
    "zero null nul cero zéro nought",
    "one eins uno une een",
    "two zwei zwo dos deux dois twee",
    "three drei tres trois tre três drie",
    "four vier cuatro quatre quattro quatro",
    "five fünf fuenf cinco cinq cinque vijf",
    "six sechs seis sei zes",
    "seven sieben siete sept sette sete zeven",
    "eight acht ocho huit otto oito",
    "nine neun nueve neuf nove negen",
)
_SOFT = {
    "o": 0,
    "oh": 0,
    "un": 1,
    "um": 1,
    "ein": 1,
    "due": 2,
    "sei": 6,
    "one": 1,
    "null": 0,
    "to": 2,
    "too": 2,
    "for": 4,
}
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
DIGIT_WORDS = {word: digit for digit, words in enumerate(_SAID) for word in words.split()}
TIMES = {"double": 2, "doppel": 2, "doble": 2, "doppio": 2, "triple": 3, "treble": 3, "dreimal": 3, "tripla": 3}
_FILLERS_TEXT = """
uh um er ah eh hm hmm mhm huh äh ähm öh and und y et e en then dann dash hyphen bindestrich space point dot
comma komma plus mas más piu più slash ok okay yes yeah ja si sí oui right so code area vorwahl open close
bracket klammer like well agent contact tool system speaker text timestamp role assistant user start end
"""
FILLERS = frozenset(_FILLERS_TEXT.split())
"""Words that may stand between digits; the last are the keys of a transcript's JSON."""
_SCHEME = re.compile(r"\s*(?:tel|sips?):", re.IGNORECASE)
_PLUS = re.compile(rf"(?:{_SCHEME.pattern})?[^\w+\uff0b]*[+\uff0b]", re.IGNORECASE)
"""The plus sign before a number's first digit or letter."""
_TOKEN = re.compile(r"(?P<digit>\d)|(?P<word>[^\W\d_]+)|(?P<other>.)", re.DOTALL)
SOFT_LETTERS = "abcdefghij"


@dataclass(slots=True)
class _Run:
    """Digits of which nothing else stands in between. A soft digit is a letter. `starts` are the groups' beginnings."""

    symbols: list[str]
    starts: set[int]

    def add(self, text: str, *, is_new_group: bool) -> None:
        if is_new_group:
            self.starts.add(len(self.symbols))
        self.symbols += text


def digit_runs(text: str) -> list[tuple[str, frozenset[int]]]:
    """Return the runs of digits of a text, each with the places where groups of digits begin in it.

    A soft digit (`oh`) stands as a letter: a for 0 to j for 9.
    """
    runs: list[tuple[str, frozenset[int]]] = []
    run = _Run([], set())
    fillers = separators = 0
    times, is_adjacent = 1, False

    def finish() -> None:
        if run.symbols:
            runs.append(("".join(run.symbols), frozenset(run.starts)))
            run.symbols, run.starts = [], set()

    for found in _TOKEN.finditer(text):
        if found["other"] is not None:
            separators += 1
            is_adjacent = False
            if separators > MOST_SEPARATORS:
                finish()
            continue
        if found["digit"] is not None:
            said = str(int(found["digit"]))
        else:
            word = found["word"].casefold()
            if word in TIMES:
                times = TIMES[word]
                continue
            said = _said(word)
            if not said and word in FILLERS:
                fillers += 1
                is_adjacent = False
                if fillers > MOST_FILLERS:
                    finish()
                continue
            if not said:
                finish()
                fillers = separators = 0
                times, is_adjacent = 1, False
                continue
        run.add(said * times, is_new_group=not (is_adjacent and found["digit"] is not None))
        times, fillers, separators, is_adjacent = 1, 0, 0, found["digit"] is not None
    finish()
    return runs


def _said(word: str) -> str:
    """Return the digits that a word says: one or two, a letter for one that is seldom meant so; or nothing."""
    if word in _SOFT:
        return SOFT_LETTERS[_SOFT[word]]
    if word in DIGIT_WORDS:
        return str(DIGIT_WORDS[word])
    if word in _TEENS:
        return str(10 + _TEENS.index(word))
    # Thirty five may be 35 or 30 5, so its zero is soft.
    return f"{2 + _TENS.index(word)}{SOFT_LETTERS[0]}" if word in _TENS else ""


def _address(value: str) -> str:
    """Return a column's value without its scheme, and without what follows an @ or ;."""
    return _SCHEME.sub("", re.split("[@;]", value, maxsplit=1)[0])


def _digits(value: str) -> str:
    return "".join(str(int(one)) for one in _address(value) if one.isdecimal())


def plain(value: str) -> str:
    """Return a column's value in the form that is compared: its digits without 00 or 011 before them, or its text in small
    letters where it has less than five digits or a letter. What follows an @ or ; does not count.
    """
    address, digits = _address(value), _digits(value)
    if len(digits) < LEAST_NUMBER or any(one.isalpha() for one in address):
        return value.strip().casefold()
    for prefix in ("011", "00"):
        if digits.startswith(prefix) and len(digits) - len(prefix) >= LEAST_INTERNATIONAL:
            return digits[len(prefix) :]
    return digits


@dataclass(frozen=True)
class Spelling:
    """One number, or another address (`sip:name@host`), in all its spellings."""

    code: str
    """The country's code; empty for an address that is no number."""
    national: str
    """The rest of the number; or the address."""

    @cached_property
    def forms(self) -> tuple[str, ...]:
        """What `plain` gives for this number, whichever way a column spells it."""
        if not self.code:
            return (self.national,)
        forms = [self.code + self.national, f"{self.code}0{self.national}"]
        if len(self.national) + 1 >= LEAST_WITH_ZERO:
            forms.append(f"0{self.national}")
        if len(self.national) >= LEAST_BARE:
            forms.append(self.national)
        return tuple(forms)

    @cached_property
    def digits(self) -> tuple[str, ...]:
        """All digit strings that a column may hold for this number."""
        return tuple(exit_code + form for form in self.forms for exit_code in EXITS) if self.code else ()

    @cached_property
    def _sought(self) -> tuple[str, ...]:
        """The digit strings that a text may hold for this number."""
        found = [code + form for form in self.forms for code in (EXITS if form.startswith(self.code) else ("",))]
        return tuple(dict.fromkeys(found)) if self.code else ()

    def is_in_column(self, value: str | None) -> bool:
        """Say whether a column's value is this number."""
        return value is not None and (plain(value) in self.forms or self.is_in_text(value))

    def is_in_text(self, text: str | None) -> bool:
        """Say whether a text mentions this number."""
        if not text:
            return False
        if not self.code:
            return re.search(rf"(?<!\w){re.escape(self.national)}(?!\w)", text.casefold()) is not None
        return any(self._is_in_run(run, starts) for run, starts in digit_runs(text) if len(run) >= LEAST_INTERNATIONAL)

    def _is_in_run(self, run: str, starts: frozenset[int]) -> bool:
        ends = starts | {len(run)}
        first = {*SOFT_LETTERS, *(sought[0] for sought in self._sought)}
        likely = [start for start in starts if run[start] in first]
        return any(_begins_with(run, start, ends, sought) for start in likely for sought in self._sought)


def _begins_with(run: str, start: int, ends: frozenset[int], sought: str) -> bool:
    """Say whether the digits sought begin at a place of a run and end where a group ends. A soft digit counts as its digit
    or as nothing. All readings are followed at once and not far, so no text makes this slow.
    """
    reached = {0}
    for place in range(start, min(len(run), start + 3 * len(sought))):
        symbol = run[place]
        if symbol in SOFT_LETTERS:
            digit = str(SOFT_LETTERS.index(symbol))
            reached |= {at + 1 for at in reached if at < len(sought) and sought[at] == digit}
        else:
            reached = {at + 1 for at in reached if at < len(sought) and sought[at] == symbol}
        if not reached:
            return False
        if len(sought) in reached and place + 1 in ends:
            return True
    return False


def _is_international(text: str) -> bool:
    """Say whether a number begins with +, 00 or 011."""
    return _PLUS.match(text) is not None or _digits(text) != plain(text)


def spelling(number: str) -> Spelling:
    """Read a number in international form (+49 30 1234567, 0049..., 01149...), or an address with an @.

    Raises ConfigurationError where it is neither, without repeating it.
    """
    text = number.strip()
    if "@" in text and not any(one.isdecimal() for one in text.partition("@")[0]) and len(text) >= LEAST_ADDRESS:
        return Spelling("", text.casefold())
    digits = plain(text)
    wrong = not digits.isdecimal() or not LEAST_INTERNATIONAL <= len(digits) <= MOST_DIGITS or digits.startswith("0")
    if wrong:
        raise ConfigurationError(
            "a number is not in international form",
            advice="write it with + and the country's code: +1 702 555 0100, +49 30 1234567 (00 or 011 instead of + is the same)",
        )
    # Digits alone do not show whether the country's code is in them: (702) 555-0197 of Nevada would be a number of country 7.
    # It would find nothing, or a stranger's calls, and a guessed country could erase too much. So nothing is guessed.
    if not _is_international(text):
        raise ConfigurationError(
            "a number is written without + and its country's code, so it is not known of which country it is",
            advice="write + and the country's code before it: +1 702 555 0100, +49 30 1234567 (00 or 011 instead of + is the "
            "same)",
        )
    size = 1 if digits[0] in "17" else 2 if digits[:2] in TWO_DIGIT_CODES else 3
    return Spelling(digits[:size], digits[size:].removeprefix("0"))


__all__ = ["Spelling", "digit_runs", "plain", "spelling"]
