"""Values that stand for "not known", and numbers that are withheld, in the spellings of many APIs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.source.unknowns import NOT_KNOWN, is_no_value, is_unknown, is_withheld

pytestmark = pytest.mark.pure

NO_VALUES = [
    "",
    " ",
    "null",
    "NULL",
    "None",
    "nil",
    "undefined",
    "N/A",
    "na",
    "NaN",
    "-",
    "--",
    "\u2013",
    "\u2014",
    " n/a\n",
]
UNKNOWN = ["unknown", "Unknown", "not available", "not known", "unset", "empty", "?"]


@pytest.mark.parametrize("value", NO_VALUES)
def test_what_programs_write_for_nothing_is_no_value(value: str) -> None:
    """In any case, with white space around it; what is no value is not known either."""
    assert is_no_value(value)
    assert is_unknown(value)


@pytest.mark.parametrize("value", UNKNOWN)
def test_a_word_that_could_be_meant_is_unknown_and_a_value(value: str) -> None:
    """A status may be called "unknown"."""
    assert not is_no_value(value)
    assert is_unknown(value)


@pytest.mark.parametrize(
    "value", [None, 0, False, [], {}, b"", "0", "nothing", "nullify", "n / a", "null" + " " * 20, "none."]
)
def test_anything_else_is_a_value(value: Any) -> None:
    """No other type, no other word, and nothing longer than twenty characters."""
    assert not is_no_value(value)
    assert not is_unknown(value)


def test_not_known_says_its_name() -> None:
    """In a message it is no object at an address."""
    assert repr(NOT_KNOWN) == "NOT_KNOWN"


WITHHELD = [
    "anonymous", "Anonymous", "ANONYMOUS", "restricted", "Restricted", "private", "Private Number", "unavailable", "unknown",
    "Unknown Caller", "withheld", "number withheld", "blocked", "No Caller ID", "no-caller-id", "+266696687", "266696687",
    "+7378742833", "+2562533", "+8656696", "+86282452253", "sip:anonymous@anonymous.invalid", "sips:Anonymous@10.0.0.1:5061",
    '"Anonymous" <sip:anonymous@anonymous.invalid>', "<sip:restricted@example.org;user=phone>", "tel:anonymous",
    "sip:+266696687@example.org", "", " ", "null", "None", "N/A", "-", "0", "0000000000", "+0", "undefined",
]  # fmt: skip


@pytest.mark.parametrize("value", WITHHELD)
def test_a_withheld_number_is_told_in_every_notation(value: str) -> None:
    """A word, a word in keypad digits, zeros, or one of these as an address of SIP or tel."""
    assert is_withheld(value)


@pytest.mark.parametrize(
    "value",
    ["+14155550123", "14155550123", "(415) 555-0123", "sip:+14155550123@example.org", "tel:+14155550123", "911", "+1000000001",
     "sip:jane@example.org", "privateer", "Unknown Pleasures Ltd", "26669668"],
)  # fmt: skip
def test_a_number_stays_as_received(value: str) -> None:
    """Separators, SIP and tel addresses, and words that only look like one of those are kept."""
    assert not is_withheld(value)


def test_a_number_that_is_too_long_is_not_looked_at() -> None:
    """A word of more than 128 characters is nothing that a provider would send."""
    assert is_withheld("0" * 128)
    assert not is_withheld("0" * 129)


@settings(max_examples=15)
@given(st.integers(10**6, 10**15 - 1))
def test_a_telephone_number_is_withheld_in_few_forms_only(number: int) -> None:
    """With a plus sign, bare, as a tel or a SIP address: a number of seven to fifteen digits is a number in all or in none."""
    forms = [f"+{number}", str(number), f"tel:+{number}", f"sip:{number}@example.org"]
    assert len({is_withheld(form) for form in forms}) == 1
