"""Reads the numbers in a transcript, in digits and in words, as sequences of digits with their places. Pure.

A *run* is what one speaker says without another word between the numbers: fillers ("uh", "and then"), separators and
short interruptions of the other speaker do not end it. The time is linear in the length of the text, whatever it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


class Text(NamedTuple):
    """One segment, or another text that is looked at. `position` is the caller's name for it."""

    position: int
    speaker: str
    text: str


class Token(NamedTuple):
    """A number as it stands in a text: its digits, and its place [start, end) in characters of the text number
    `segment`. `is_cut`: something stands before it that card numbers do not have inside, such as a slash.
    """

    segment: int
    start: int
    end: int
    digits: str
    is_word: bool
    is_cut: bool = False
    parts: tuple[str, ...] = ()
    """What "seventy two" says if it is no 72: ("70", "2")."""


@dataclass(slots=True)
class Run:
    """Numbers that follow each other."""

    tokens: list[Token] = field(default_factory=list)
    is_phone: bool = False
    """A plus stands before it."""

    @property
    def size(self) -> int:
        return sum(len(token.digits) for token in self.tokens)

    def readings(self) -> Iterator[Run]:
        """Yield the run, and the other ways to understand what it says ("seventy two" is 72, or 70 and 2)."""
        yield self
        places = [place for place, token in enumerate(self.tokens) if token.parts]
        for chosen in [places[-1:], places] if len(places) > 0 and len(self.tokens) <= LONGEST_READ_TWICE else []:
            yield Run([
                part for place, token in enumerate(self.tokens)
                for part in ([token._replace(digits=one, parts=()) for one in token.parts] if place in chosen else [token])
            ], self.is_phone)  # fmt: skip


class Word(NamedTuple):
    """A number word: what it says, in which language, and whether a unit may follow (twenty one)."""

    digits: str
    language: str
    is_tens: bool = False
    is_oh: bool = False
    """A zero only between other numbers: alone it is an exclamation or a letter."""


TIMES = {
    "double": 2, "triple": 3, "treble": 3, "quadruple": 4, "doppel": 2, "doppelt": 2, "zweimal": 2, "dreimal": 3,
    "viermal": 4, "doble": 2,
}  # fmt: skip
_FILLERS_TEXT = """
and then uh um er erm ehm hmm mm ah so okay ok right yes yeah dash hyphen space point dot comma next is und dann
äh ähm also ja minus strich leerzeichen y eh este luego después guion espacio sí si that's it's
"""
FILLERS = frozenset(_FILLERS_TEXT.split())
_UNITS = {
    "en": "zero one two three four five six seven eight nine",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
}
_TEENS = {
    "en": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "de": "zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn",
    "es": "diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve",
}
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
}
_MORE = {
    "nought": Word("0", "en"), "naught": Word("0", "en"), "nil": Word("0", "en"), "niner": Word("9", "en"),
    "oh": Word("0", "en", is_oh=True), "o": Word("0", "en", is_oh=True), "fourty": Word("40", "en", is_tens=True),
    "zwo": Word("2", "de"), "fuenf": Word("5", "de"), "zwoelf": Word("12", "de"), "dreissig": Word("30", "de"),
    "fuenfzig": Word("50", "de"), "fuenfzehn": Word("15", "de"), "dieciseis": Word("16", "es"),
}  # fmt: skip


def _lexicon() -> dict[str, Word]:
    words = dict(_MORE)
    for language, names in _UNITS.items():
        words |= {name: Word(str(digit), language) for digit, name in enumerate(names.split())}
        words |= {name: Word(str(10 + n), language) for n, name in enumerate(_TEENS[language].split())}
        words |= {
            name: Word(str(20 + 10 * n), language, is_tens=language != "de")
            for n, name in enumerate(_TENS[language].split())
        }
    units = ["ein", *_UNITS["de"].split()[2:]]
    for ten, name in enumerate(_TENS["de"].split(), 2):
        for unit, prefix in enumerate(units, 1):
            words[f"{prefix}und{name}"] = Word(f"{ten}{unit}", "de")
            words[f"{prefix}und{name}".replace("ß", "ss").replace("ü", "ue")] = Word(f"{ten}{unit}", "de")
    for unit, name in enumerate(["uno", "dós", "trés", "cuatro", "cinco", "séis", "siete", "ocho", "nueve"], 1):
        words["veinti" + name] = Word(f"2{unit}", "es")
        words["veinti" + _UNITS["es"].split()[unit]] = Word(f"2{unit}", "es")
    return words


WORDS: Mapping[str, Word] = _lexicon()
SPOKEN: Mapping[str, int] = {word: len(one.digits) for word, one in WORDS.items()} | {
    word: times - 1 for word, times in TIMES.items()
}
"""By word, how many digits it says, or adds to what follows it."""

_DIGIT = re.compile(r"\d")
_LATIN = [chr(code) for code in range(256)]
_TO_SPACE = bytes(ord(char) if char.isalpha() else ord(" ") for char in _LATIN)
_NO_DIGITS = bytes(ord(char) for char in _LATIN if not char.isdecimal())
_SPOKEN = {word.encode("latin-1"): digits for word, digits in SPOKEN.items()}
DIGIT_LEADS = bytes([0xD9, 0xDB, 0xDF, 0xE0, 0xE1, 0xEA, 0xEF, 0xF0])
"""The bytes with which the decimal digits outside of ASCII begin in UTF-8."""
_NO_LEADS = bytes(set(range(256)) - set(DIGIT_LEADS[:-1]))
PICTURES, DIGITS_AMONG_PICTURES = b"\xf0\x9f", b"\xf0\x9f\xaf"
"""How U+1F000 to U+1FFFF begin in UTF-8, and the part of them that has digits: seven-segment ones."""

_LEXEME = re.compile(r"\d+|[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_CUT = re.compile(r"[/:%$€£¥+=@#()\[\]{}<>\"\\]")
_HARD = re.compile(r"[:%$€£¥+=@{}<>\"\\]")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_JOINS_TENS = re.compile(r"[\s\-\u2010\u2011]{0,3}(?:y\s{1,3})?\Z")

APART = frozenset({"tool", "system"})
"""Speakers whose segments are texts of their own."""
LONGEST_JOINT = 8
"""Characters between "forty" and "one" where they are one number."""
LONGEST_READ_TWICE = 60
"""A run of more numbers is understood in one way only."""
MOST_WORDS_BETWEEN = 16
"""A segment of the other speaker with more words ends a run; behind a word for a card it may have four times as many."""
MOST_STRANGE_WORDS = 3
"""Other words of the speaker inside a number that end no run behind a word for a card."""


def plain_digits(text: str) -> str:
    """Return digits of any script as 0-9."""
    return text if text.isascii() else "".join(str(int(character)) for character in text)


def iban_spans(text: str) -> list[tuple[int, int]]:
    """Return the places of the bank account numbers (IBAN) whose check digits are right."""
    found = []
    for match in _IBAN.finditer(text):
        characters = match[0].replace(" ", "")
        turned = characters[4:] + characters[:4]
        if int("".join(str(int(character, 36)) for character in turned)) % 97 == 1:
            found.append(match.span())
    return found


@dataclass(slots=True)
class Reader:
    """Reads the runs of one speaker, segment after segment. `near_card(index, offset)` says whether a word for a card
    stands shortly before a place.
    """

    languages: frozenset[str]
    reads_digits: bool
    near_card: Callable[[int, int], bool]
    runs: list[Run] = field(default_factory=list)
    _run: Run = field(default_factory=Run)
    _language: str | None = None
    _strange: int = 0
    _times: int = 1
    _times_at: int = 0
    """Where the word begins that multiplies the next digit."""
    _is_card: bool = False
    """The run began behind a word for a card."""
    _tens_at: int = -1
    """Where the last number word ends, if a unit may follow it; else -1."""

    def close(self) -> None:
        """End the run: what follows is another number."""
        if self._run.tokens:
            self.runs.append(self._run)
        self._run, self._language, self._strange, self._times, self._tens_at = Run(), None, 0, 1, -1
        self._is_card = False

    def is_ended_by(self, index: int, words: int) -> bool:
        """Say whether so many words of others, before the segment `index`, end the run."""
        if not self.is_open or words <= MOST_WORDS_BETWEEN:
            return False
        return words > 4 * MOST_WORDS_BETWEEN or not (self._is_card or self.near_card(index, 0))

    @property
    def is_open(self) -> bool:
        return bool(self._run.tokens)

    def read(self, index: int, text: str) -> None:
        """Read one segment of this speaker."""
        self._times = 1
        lowered = text.lower()
        if len(lowered) != len(text):  # a letter whose small form is longer: places would be wrong
            lowered = text
        ibans = iter(iban_spans(text))
        iban = next(ibans, None)
        last = 0
        for match in _LEXEME.finditer(lowered):
            start, end = match.span()
            while iban is not None and start >= iban[1]:
                iban = next(ibans, None)
            if iban is not None and start >= iban[0]:
                self.close()
                last = end
                continue
            self._take(index, text, match[0], (last, start, end))
            last = end

    def _take(self, index: int, text: str, lexeme: str, place: tuple[int, int, int]) -> None:
        """Take one word or number, whose predecessor ends at place[0]."""
        last, start, end = place
        if lexeme[0].isdecimal():
            if self.reads_digits:
                self._add_digits(index, text, plain_digits(lexeme), place)
            return
        word = WORDS.get(lexeme)
        if word is not None and word.language in self.languages and self._language in {None, word.language}:
            if not word.is_oh or (self.is_open and not self._strange):
                self._add_word(index, text, word, (last, start, end))
            return
        if lexeme in TIMES:
            self._times, self._times_at = TIMES[lexeme], start
            return
        self._times = 1
        if self.is_open and lexeme not in FILLERS:
            self._strange += 1
            if self._strange > MOST_STRANGE_WORDS or not self.near_card(index, start):
                self.close()

    def _add_digits(self, index: int, text: str, digits: str, place: tuple[int, int, int]) -> None:
        last, start, end = place
        hard = _HARD.search(text, last, start)
        if hard and not self.near_card(index, start):
            self.close()
        if not self._run.tokens and text[max(start - 2, last) : start].strip("( ").endswith("+"):
            self._run.is_phone = True
        cut = _CUT.search(text, last, start) is not None and self.is_open
        if self._times > 1 and len(digits) == 1:
            digits *= self._times
            self._append(Token(index, self._times_at, end, digits, is_word=True, is_cut=cut))
        else:
            self._append(Token(index, start, end, digits, is_word=False, is_cut=cut))
        self._tens_at = -1

    def _add_word(self, index: int, text: str, word: Word, place: tuple[int, int, int]) -> None:
        last, start, end = place
        if not word.is_oh:
            self._language = self._language or word.language
        before = self._run.tokens[-1] if self._run.tokens else None
        is_unit = len(word.digits) == 1 and word.digits != "0"
        if before is not None and self._tens_at >= 0 and is_unit and before.segment == index and self._times == 1:
            between = text[self._tens_at : start]
            if len(between) <= LONGEST_JOINT and _JOINS_TENS.match(between):
                parts = () if "-" in between or "y" in between else (before.digits, word.digits)
                self._run.tokens[-1] = before._replace(end=end, digits=before.digits[:-1] + word.digits, parts=parts)
                self._tens_at = -1
                return
        times = self._times if len(word.digits) == 1 else 1
        cut = _CUT.search(text, last, start) is not None and self.is_open
        begin = self._times_at if times > 1 else start
        self._append(Token(index, begin, end, word.digits * times, is_word=True, is_cut=cut))
        self._tens_at = end if word.is_tens else -1

    def _append(self, token: Token) -> None:
        if not self._run.tokens:
            self._is_card = self.near_card(token.segment, token.start)
        self._run.tokens.append(token)
        self._strange, self._times = 0, 1


def said_in(text: str) -> int:
    """Return how many digits a text in lower case holds or says at most.

    Bytes are looked at in a tenth of the time of characters. All number words are in Latin-1, and all of its decimal digits are
    in ASCII.
    """
    try:
        raw = text.encode("latin-1")
        is_ascii = True
    except UnicodeEncodeError:
        raw = text.encode("latin-1", "replace")
        is_ascii = has_ascii_digits_only(text)
    digits = len(raw.translate(None, _NO_DIGITS)) if is_ascii else len(_DIGIT.findall(text))
    return digits + sum(map(_SPOKEN.__getitem__, filter(_SPOKEN.__contains__, raw.translate(_TO_SPACE).split())))


def has_ascii_digits_only(text: str) -> bool:
    """Say quickly that a text has no decimal digit outside of ASCII; False where it may have one. Most of what is outside of
    Latin-1 is dashes, quotation marks, letters and pictures.
    """
    raw = text.encode("utf-8", "surrogatepass")
    return (
        not raw.translate(None, _NO_LEADS)
        and raw.count(DIGIT_LEADS[-1:]) == raw.count(PICTURES)
        and DIGITS_AMONG_PICTURES not in raw
    )


def are_together(texts: Iterable[Text], digits: int) -> bool:
    """Say quickly whether one speaker says so many digits in what can be one run; it may be none."""
    said: dict[str, list[str]] = {}
    for _, speaker, text in texts:
        said.setdefault(speaker, []).append(text)
    wholes = ["\n".join(some).lower() for some in said.values()]
    return any(said_in(one) >= digits and _are_together(_LEXEME.findall(one), digits) for one in wholes)


def _are_together(lexemes: Sequence[str], digits: int) -> bool:
    count = before = 0
    for place in [place for place, one in enumerate(lexemes) if one in SPOKEN or one.isdecimal()]:
        if place - before > MOST_STRANGE_WORDS + 1:
            between = lexemes[before + 1 : place]
            if len(between) - sum(map(FILLERS.__contains__, between)) > MOST_STRANGE_WORDS:
                count = 0
        one, before = lexemes[place], place
        count += SPOKEN.get(one) or len(one)
        if count >= digits:
            return True
    return False


def read_runs(
    texts: Sequence[Text],
    *,
    languages: frozenset[str],
    forms: frozenset[str],
    near_card: Callable[[int, int], bool],
) -> list[Run]:
    """Return the runs of all speakers. Segments of tools and of the system are read one by one."""
    runs: list[Run] = []
    said = list(accumulate(map(_other_words, texts), initial=0))
    turns: dict[str, list[int]] = {}
    for index, text in enumerate(texts):
        turns.setdefault(text.speaker, []).append(index)
    for speaker, indexes in turns.items():
        reader = Reader(languages, "digits" in forms, near_card)
        is_joined = speaker not in APART and "over_segments" in forms
        before = -1
        for index in indexes:
            between = said[index] - said[before + 1]
            if not is_joined or reader.is_ended_by(index, between):
                reader.close()
            reader.read(index, texts[index].text)
            before = index
        reader.close()
        runs += reader.runs
    return runs


def _other_words(text: Text) -> int:
    """Count the words of a segment that are no numbers, up to a number that ends every run."""
    if text.speaker in APART:
        return 0
    return (
        sum(not one.isdecimal() and one not in WORDS for one in text.text[:1000].lower().split())
        + len(text.text) // 1000
    )
