"""Recognises the month in which a card expires. Pure."""

from __future__ import annotations

import re

FIRST_YEAR, LAST_YEAR = 20, 49
_DIGITS = re.compile(r"(?:0?[1-9]|1[0-2])(?:20)?([0-9]{2})")
_MONTHS = (
    "jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|maerz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?|"
    "sept?(?:ember)?|oct(?:ober)?|okt(?:ober)?|nov(?:ember)?|dec(?:ember)?|dez(?:ember)?|enero|febrero|marzo|abril|mayo|"
    "junio|julio|agosto|septiembre|octubre|noviembre|diciembre"
)
_TENS = "twenty|thirty|forty|zwanzig|dreißig|veinti\\w{3,6}|treinta"
_UNITS = "one|two|three|four|five|six|seven|eight|nine|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve"
_YEAR = (
    rf"(?:(?:of|de|del)\s{{1,3}})?(?:(?:20)?[2-4]\d|(?:(?:twenty|two\s{{1,3}}thousand(?:\s{{1,3}}and)?|zweitausend|dos\s{{1,3}}mil)\s{{0,3}})?"
    rf"(?:{_TENS}|\w{{3,6}}und(?:zwanzig|dreißig|vierzig))(?:[\s-]{{1,3}}(?:y\s{{1,3}})?(?:{_UNITS}))?)"
)
_WRITTEN = re.compile(
    rf"(?<![\w/.])(?:(?:0?[1-9]|1[0-2])\s{{0,2}}[/\-]\s{{0,2}}(?:20)?[2-4]\d|(?:{_MONTHS})\.?,?\s{{1,3}}{_YEAR})(?![\w/])",
    re.IGNORECASE,
)


def is_expiry(digits: str) -> bool:
    """Say whether digits are a month and a year: 1227, 122027 or 927."""
    match = _DIGITS.fullmatch(digits)
    return match is not None and FIRST_YEAR <= int(match[1]) <= LAST_YEAR


def find_written(text: str) -> list[tuple[int, int]]:
    """Return the places of `12/27`, `09-2028` and `December 2027`."""
    return [match.span() for match in _WRITTEN.finditer(text)]
