"""Recognises values that stand for "not known", in the spellings of many APIs. Pure.

If a source has no value for a field, it sends null, a word, or a number or an instant that is impossible. All of these
are read as None; the value as received stays in `raw`. Values that are only unusual, and may be meant, are not listed
here.
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
"""What a reader returns for a value that means "there is none". None means that the value cannot be read."""

NIL = UUID(int=0)

_NO_WORDS = frozenset({"", "null", "none", "nil", "undefined", "n/a", "na", "nan", "-", "--", "\u2013", "\u2014"})
"""What programs write where there is no value."""
_UNKNOWN_WORDS = _NO_WORDS | {"unknown", "not available", "not known", "unset", "empty", "?"}
"""These, and words that mean the same where a value is expected but could also be a status."""
_LONGEST_WORD = 20

_WITHHELD = frozenset({
    "anonymous", "anonymouscaller", "restricted", "private", "privatenumber", "privatecaller", "unavailable", "unknown",
    "unknowncaller", "unknownnumber", "callerunknown", "withheld", "numberwithheld", "withheldnumber", "blocked",
    "blockednumber", "callerblocked", "hidden", "hiddennumber", "nocallerid", "nocallername", "nonumber", "notavailable",
    "outofarea", "suppressed", "numbersuppressed", "null", "none", "nil", "undefined", "na", "nan", "invalid", "empty",
})  # fmt: skip
"""Words for a withheld number, without case and separators."""
_DIALLED_WORDS = frozenset({"266696687", "7378742833", "2562533", "8656696", "86282452253"})
"""The same words as a telephone keypad spells them (ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE): what some
telephony providers send in place of a number."""
_LONGEST_NUMBER = 128
_ADDRESS = re.compile(r"[^<]*<([^<>]*)>[^<>]*")
_SCHEME = re.compile(r"(?:sips?|tel|callto):(?://)?")
_SEPARATORS = re.compile(r"[\s._()/\-]+")


def is_no_value(value: Any) -> bool:
    """Say whether a text is one that programs write where there is no value: "", "null", "N/A", "-"."""
    return type(value) is str and len(value) <= _LONGEST_WORD and value.strip().lower() in _NO_WORDS


def is_unknown(value: Any) -> bool:
    """Say whether a text means that the value is not known; "unknown" does too."""
    return type(value) is str and len(value) <= _LONGEST_WORD and value.strip().lower() in _UNKNOWN_WORDS


def is_withheld(number: str) -> bool:
    """Say whether the text in place of a phone number means that the number is withheld, in any notation.

    It is a word ("Anonymous", "Private number"), a word in keypad digits (+266696687), all zeros, or one of these as an
    address (sip:anonymous@anonymous.invalid). Such a text must not count as a number: all callers who withhold theirs
    would share it.
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
