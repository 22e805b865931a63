"""How money, durations and counts read, value by value, and what is not guessed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicator.source.amounts import count, decimal, money, read_seconds, seconds, whole_seconds
from replicator.source.unknowns import NOT_KNOWN

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"), (-3, "-3"), (2**70, str(2**70)), (Decimal("1.50"), "1.50"), ("1.50", "1.50"), (" 7 ", "7"), (".5", "0.5"),
        ("5.", "5"), ("-0", "-0"), ("1e3", "1E+3"), ("+1", "1"), ("0.1000000000000000055", "0.1000000000000000055"),
    ],
)  # fmt: skip
def test_a_number_is_read_from_its_digits(value: Any, expected: str) -> None:
    """An int, a Decimal, or a text of digits: every digit counts, trailing zeros too."""
    assert str(decimal(value)) == expected


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0.1, "", " ", ".", "1e", "1e1000", "1_000", "1,5", "0x10", "NaN", "Infinity", "-", "--1", "1 2", [], {},
     "٣", "1" * 1101],
)  # fmt: skip
def test_what_is_no_number_is_none(value: Any) -> None:
    """Nothing that passed through binary floating point, no truth value, no digits of other scripts, no endless text."""
    assert decimal(value) is None


def test_a_number_may_be_long() -> None:
    """A thousand digits are read to the last one."""
    assert decimal("1" * 1000) == Decimal("1" * 1000)
    assert decimal("1" * 1001) is None


@settings(max_examples=15)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=9))
def test_money_keeps_every_digit_in_every_dress(amount: Decimal) -> None:
    """As digits, with a dollar sign, with the currency behind it, or in an object: the same amount to the last digit."""
    plain = f"{amount:f}"
    for dressed in (plain, f"{plain} USD", f"US$ {plain}", {"amount": plain, "currency": "USD"}):
        assert money(dressed) == (None if amount == -1 else amount)
    sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
    assert money(f"{sign}${digits}") == (None if amount == -1 else amount)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.25"), "0.25"), ("0.25", "0.25"), ("$0.25", "0.25"), ("-$0.25", "-0.25"), ("$-0.25", "-0.25"), ("0.25 USD", "0.25"),
        ("USD 0.25", "0.25"), ("US$0.25", "0.25"), ("usd 0.25", "0.25"), (" 0.25 ", "0.25"), (".25", "0.25"),
        ("1e-3", "0.001"), ("+1.5", "1.5"), ("$1,234.56", "1234.56"), ({"amount": "0.25", "currency": "USD"}, "0.25"),
        ({"amount": Decimal("0.25"), "currency": "usd"}, "0.25"), ({"value": "0.25", "currency_code": "USD"}, "0.25"),
        ({"currencyCode": "USD", "units": "1", "nanos": 250000000}, "1.25"),
    ],
)  # fmt: skip
def test_money_is_read_in_every_form(value: Any, expected: str) -> None:
    """Digits with a sign, the dollar's name or both, and objects that name the currency."""
    assert money(value) == Decimal(expected)


@pytest.mark.parametrize("value", ["1,234.56", "$1,234.56", "-1,234.56", "12,345,678.9"])
def test_thousands_are_read_where_a_point_makes_them_plain(value: str) -> None:
    """With a decimal point behind them commas can only group."""
    assert money(value) == Decimal(value.replace(",", "").replace("$", ""))


@pytest.mark.parametrize(
    "value",
    ["1,234", "0,25", "1.234,56", "12,34.5", ",123.4", "EUR 1", "1 USD 2", "$$1", "£1", "", None, True, 0.25, -1, "-1", "$-1.0",
     {"amount": "1", "currency": "USD"}, {"amount": 25, "currency": "USD"}, {"amount": "0.25"}, {"currency": "USD"},
     {"amount": "0.25", "currency": None}, {"amount": "0.25", "value": "0.25", "currency": "USD"},
     {"amount": "0.25", "currency": "USD", "currency_code": "EUR"}, {"units": "x", "nanos": 0, "currency": "USD"}, [1]],
)  # fmt: skip
def test_money_is_not_guessed(value: Any) -> None:
    """A decimal comma, cents or dollars, two currencies or none, a refund of one dollar or "unknown": no amount."""
    assert not isinstance(money(value), Decimal)


def test_money_of_units_and_nanos() -> None:
    """What protocol buffers make of an amount; a part that is missing is zero."""
    assert money({"currencyCode": "USD", "units": "3", "nanos": 5}) == Decimal("3.000000005")
    assert money({"currencyCode": "USD", "nanos": 500_000_000}) == Decimal("0.5")
    assert money({"currencyCode": "USD", "units": -1, "nanos": 0}) is None


@pytest.mark.parametrize("value", ["", "null", "N/A", "unknown", " - "])
def test_a_word_for_nothing_is_not_known(value: str) -> None:
    """It is told apart from what cannot be read."""
    assert money(value) is NOT_KNOWN
    assert read_seconds(value) is NOT_KNOWN
    assert whole_seconds(value) is NOT_KNOWN
    assert seconds(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"), ("0", "0"), ("1.5s", "1.5"), ("1500 ms", "1.5"), ("2h", "7200"), ("1.5 min", "90.0"), ("-5s", "-5"),
        ("PT0S", "0"), ("P1DT1S", "86401"), ("PT1H", "3600"), ("PT1.5S", "1.5"), ("PT1,5S", "1.5"), ("100:00:00", "360000"),
        ("00:00:00.25", "0.25"), ("1h 5s", "3605"), ("1 hour 2 minutes 3.5 seconds", "3723.5"), ({"seconds": 0}, "0"),
        ({"seconds": "1", "nanoseconds": 500_000_000}, "1.5"), (Decimal("1E+2"), "1E+2"),
    ],
)  # fmt: skip
def test_a_duration_is_read_with_its_unit(value: Any, expected: str) -> None:
    """Numbers are seconds; words, ISO 8601 and a clock of three parts say their own."""
    assert read_seconds(value) == Decimal(expected)


@pytest.mark.parametrize(
    "value",
    [65, Decimal("65.9"), "65", "65s", "65 s", "65 sec", "65 seconds", "65000ms", "PT1M5S", "PT65S", "pt1m5s", "1m5s", "1m 5s",
     "1 min 5 sec", "00:01:05", "0:01:05", {"seconds": 65}, {"seconds": "65", "nanos": 9}, "65.4"],
)  # fmt: skip
def test_a_duration_is_read_in_every_form(value: Any) -> None:
    """Numbers, units, ISO 8601, a clock with three parts."""
    assert whole_seconds(value) == 65


@pytest.mark.parametrize(
    "value",
    [None, True, 1.5, "1:05", "00:60:00", "P1M", "P1Y", "P", "PT", "5 parsecs", "1h5", "h", {"seconds": 1, "zone": "x"},
     {"seconds": None}, {"minutes": 1}, [1], "9" * 1101],
)  # fmt: skip
def test_a_duration_is_not_guessed(value: Any) -> None:
    """Minutes or hours, months of unknown length, units that nobody knows."""
    assert read_seconds(value) is None


@pytest.mark.parametrize("value", [-1, "-1", "-1s", Decimal("-1.0"), {"seconds": -1}])
def test_minus_one_second_is_not_known(value: Any) -> None:
    """No call lasted that long; -2 is odd, and is told as it is."""
    assert read_seconds(value) is NOT_KNOWN
    assert read_seconds(-2) == -2


@pytest.mark.parametrize(
    ("value", "expected"),
    [(12.0, None), ("12.9", 12), (Decimal("12.9"), 12), ("-1.5", -1), (2**31 - 1, 2**31 - 1), (2**31, None),
     ("2147483647.9", 2**31 - 1), (-(2**31), -(2**31)), (-(2**31) - 1, None), ("1e12", None), (None, None)],
)  # fmt: skip
def test_completed_seconds_fit_the_column(value: Any, expected: int | None) -> None:
    """A fraction is cut; what does not fit 32 bits is none."""
    assert whole_seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (7, 7), ("7", 7), ("7.0", 7), (Decimal("7.00"), 7), (2**63 - 1, 2**63 - 1), ("1e3", 1000), (2**63, None), (-1, None),
     ("-0", 0), (0.5, None), ("0.5", None), (True, None), (None, None), ("many", None), ("", None), ([], None)],
)  # fmt: skip
def test_a_count_is_a_whole_number_of_things(value: Any, expected: int | None) -> None:
    """Never negative, never more than 64 bits hold, and nothing with a fraction."""
    assert count(value) == expected


@settings(max_examples=30)
@given(
    st.one_of(
        st.text(max_size=30), st.text("0123456789.,:$-+ePTHMS ", max_size=20), st.integers(), st.floats(), st.none(),
        st.dictionaries(st.sampled_from(["amount", "currency", "seconds", "nanos", "units"]), st.text(max_size=4) | st.integers()),
    )
)  # fmt: skip
def test_no_value_is_too_odd(value: Any) -> None:
    """Whatever comes: an amount that can be stored, or a word for none; never an error, never NaN."""
    for read in (money, read_seconds, decimal):
        found = read(value)
        assert found is None or found is NOT_KNOWN or found.is_finite()  # type: ignore[union-attr]
    assert count(value) is None or count(value) >= 0  # type: ignore[operator]
    whole = whole_seconds(value)
    assert whole is None or whole is NOT_KNOWN or -(2**31) <= whole < 2**31  # type: ignore[operator]
