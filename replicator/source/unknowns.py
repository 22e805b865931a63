"""Values that stand for "not known", in the spellings of many APIs. Pure.

A source that has no value for a field sends null, or a word, or a number or an instant that cannot be meant. All of them
read as None; the value as received stays in `raw`. What is only odd, and could be meant, is not listed here.
"""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID


class NotKnown:
    """The type of NOT_KNOWN."""

    def __repr__(self) -> str:
        return "NOT_KNOWN"


NOT_KNOWN: Final = NotKnown()
"""What a reader returns for a value that says that there is none. None means that the value cannot be read."""

NIL = UUID(int=0)

_NO_WORDS = frozenset({"", "null", "none", "nil", "undefined", "n/a", "na", "nan", "-", "--", "\u2013", "\u2014"})
"""What programs write where a value is not there."""
_UNKNOWN_WORDS = _NO_WORDS | {"unknown", "not available", "not known", "unset", "empty", "?"}
"""Beside them, what means the same where a value is expected, and could be a status of its own."""
_LONGEST_WORD = 20

_WITHHELD = frozenset({
    "anonymous", "anonymouscaller", "restricted", "private", "privatenumber", "privatecaller", "unavailable", "unknown",
    "unknowncaller", "unknownnumber", "callerunknown", "withheld", "numberwithheld", "withheldnumber", "blocked",
    "blockednumber", "callerblocked", "hidden", "hiddennumber", "nocallerid", "nocallername", "nonumber", "notavailable",
    "outofarea", "suppressed", "numbersuppressed", "null", "none", "nil", "undefined", "na", "nan", "invalid", "empty",
})  # fmt: skip
"""Words for a number that is not told, without case and separators."""
_DIALLED_WORDS = frozenset({"266696687", "7378742833", "2562533", "8656696", "86282452253"})
"""The same words as a telephone keypad spells them (ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE): what some
telephony providers send in place of a number."""
_LONGEST_NUMBER = 128
_ADDRESS = re.compile(r"[^<]*<([^<>]*)>[^<>]*")
_SCHEME = re.compile(r"(?:sips?|tel|callto):(?://)?")
_SEPARATORS = re.compile(r"[\s._()/\-]+")


def is_no_value(value: Any) -> bool:
    """Say whether a text is what programs write where there is no value: "", "null", "N/A", "-"."""
    return type(value) is str and len(value) <= _LONGEST_WORD and value.strip().lower() in _NO_WORDS


def is_unknown(value: Any) -> bool:
    """Say whether a text says that the value is not known, "unknown" too."""
    return type(value) is str and len(value) <= _LONGEST_WORD and value.strip().lower() in _UNKNOWN_WORDS


def is_withheld(number: str) -> bool:
    """Say whether what stands in the place of a phone number says that there is none to be told, in any notation.

    A word ("Anonymous", "Private number"), a word in keypad digits (+266696687), all zeros, or one of these as an address
    (sip:anonymous@anonymous.invalid). Whoever withholds the number has it in common with all others who do.
    """
    if len(number) > _LONGEST_NUMBER:
        return False
    if number.startswith("+") and number[1:].isdecimal() and number not in _PLUS_WORDS:
        return not number.strip("+0")
    address = number.strip().lower()
    if match := _ADDRESS.fullmatch(address):
        address = match[1].strip()
    address = _SCHEME.sub("", address, count=1)
    user, _, host = address.partition("@")
    if host.partition(";")[0].partition(":")[0] == "anonymous.invalid":
        return True
    word = _SEPARATORS.sub("", user.partition(";")[0].strip('"'))
    digits = word.removeprefix("+")
    return word in _WITHHELD or digits in _DIALLED_WORDS or not digits.strip("0")


_PLUS_WORDS = frozenset(f"+{digits}" for digits in _DIALLED_WORDS)
