"""Amounts of money: every usual way of writing one is read exactly, and what may be two amounts is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicator.reconcile import amounts

pytestmark = pytest.mark.pure

READ = {
    "0": "0", "12.5": "12.5", "0.0125": "0.0125", ".5": "0.5", "5.": "5", "1,234.50": "1234.50", "1,234,567": "1234567",
    "1 234.50": "1234.50", "1\u00a0234.50": "1234.50", "1\u202f234": "1234", "1'234.50": "1234.50", "1\u2019234.50": "1234.50",
    "-5": "-5", "5-": "-5", "(5.00)": "-5.00", "( 5.00 )": "-5.00", "+5": "5", "\u22125": "-5", "5.00 CR": "-5.00", "5.00CR": "-5.00",
    "5.00 cr": "-5.00", "5.00 DR": "5.00", " 7 ": "7", "1.2E-05": "0.000012", "1e-3": "0.001", "000012.50": "12.50",
}  # fmt: skip
WITH_CURRENCY = {
    "$5": ("5", "USD"), "-$5": ("-5", "USD"), "$-5": ("-5", "USD"), "($5.00)": ("-5.00", "USD"), "$(5.00)": ("-5.00", "USD"),
    "US$ 5": ("5", "USD"), "5 €": ("5", "EUR"), "EUR 5.00": ("5.00", "EUR"), "5.00 GBP": ("5.00", "GBP"), "£1,000": ("1000", "GBP"),
    "5.00 USD-": ("-5.00", "USD"), "$5 CR": ("-5", "USD"),
}  # fmt: skip
COMMA = {
    "1.234,50": "1234.50",
    "0,05": "0.05",
    "1.234": "1234",
    "1 234,5": "1234.5",
    "(1.234,50)": "-1234.50",
    "-,5": "-0.5",
}
REFUSED = [
    "", " ", ".", "-", "abc", "1.2.3", "1,23", "12,34.5", "1,2345", "1,234,56", "--5", "(-5)", "-5-", "-5 CR", "(5) DR", "$5 €",
    "$$5", "5 5", "1 23", "1E+05", "1.5E6", "NaN", "Infinity", "0x10", "1_000", "\u0661\u0662", "5%", "1" * 10, "0." + "1" * 16,
    "=1+1", "5\n6", "1,234 567", "$", "0,045", "000,123", "0 045", "0,045,000", "XXXX 5", "1'23", "5\u0000", "5 MIN", "XXX 5", "5 SEC",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_an_amount_is_read_as_it_is_written(text: str, expected: str) -> None:
    """With all of its digits: 5.00 stays 5.00."""
    value, currency = amounts.read(text)
    assert (str(value), currency) == (str(Decimal(expected)), None)


@pytest.mark.parametrize(("text", "expected"), WITH_CURRENCY.items())
def test_a_currency_may_stand_beside_it(text: str, expected: tuple[str, str]) -> None:
    """In front or behind, inside or outside of the sign."""
    value, currency = amounts.read(text)
    assert (str(value), currency) == expected


@pytest.mark.parametrize(("text", "expected"), COMMA.items())
def test_a_decimal_comma_is_said_by_the_mapping(text: str, expected: str) -> None:
    """Then the point separates thousands."""
    assert str(amounts.read(text, ",")[0]) == expected


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_one_amount_is_refused(text: str) -> None:
    """Nothing is guessed, and no other kind of number is taken."""
    with pytest.raises(ValueError):
        amounts.read(text)


@pytest.mark.parametrize(
    ("text", "decimal"),
    [
        ("0,05", "."),
        ("1.234,50", "."),
        ("12.5", ","),
        ("1,234.50", ","),
        ("0,045", "."),
        ("0.045", ","),
        ("-0,045", "."),
        ("$0,073", "."),
    ],
)
def test_the_other_decimal_sign_is_named_as_the_setting(text: str, decimal: str) -> None:
    with pytest.raises(ValueError, match=r"set decimal under \[format\]"):
        amounts.read(text, decimal)


MONEY = st.decimals(
    min_value=-(10**9) + 1, max_value=10**9 - 1, places=None, allow_nan=False, allow_infinity=False
).filter(lambda value: -value.as_tuple().exponent <= amounts.MOST_DECIMALS and value.as_tuple().exponent <= 0)


def written(value: Decimal, decimal: str, mark: str, sign: str, currency: str) -> str:
    """Write an amount in a dialect."""
    whole, _, decimals = f"{abs(value):f}".partition(".")
    if mark:
        whole = f"{int(whole):,}".replace(",", mark)
    text = whole + (decimal + decimals if decimals else "")
    text = {"$": f"${text}", " EUR": f"{text} EUR", "": text}[currency]
    return (
        {"minus": f"-{text}", "behind": f"{text}-", "brackets": f"({text})", "credit": f"{text} CR"}[sign]
        if value < 0
        else text
    )


@given(
    MONEY,
    st.sampled_from([(".", ""), (".", ","), (".", " "), (".", "'"), (",", ""), (",", "."), (",", "\u00a0")]),
    st.sampled_from(["minus", "behind", "brackets", "credit"]),
    st.sampled_from(["", "$", " EUR"]),
)
def test_whatever_the_dialect_the_amount_comes_back_exactly(
    value: Decimal, dialect: tuple[str, str], sign: str, currency: str
) -> None:
    """Text to Decimal: the same number with the same number of decimals."""
    found, code = amounts.read(written(value, *dialect, sign, currency), dialect[0])
    assert (found, found.as_tuple().exponent) == (value, value.as_tuple().exponent)
    assert code == {"": None, "$": "USD", " EUR": "EUR"}[currency]


@given(st.text(max_size=30))
def test_no_text_makes_anything_but_an_amount_or_a_reason(text: str) -> None:
    """Hostile texts raise ValueError and nothing else."""
    for decimal in amounts.DECIMAL_SIGNS:
        try:
            value, _ = amounts.read(text, decimal)
        except ValueError:
            continue
        assert value.is_finite()
        assert abs(value) < 10**amounts.MOST_WHOLE_DIGITS


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 9))
def test_a_number_typed_into_a_spreadsheet_comes_back_exactly(digits: int, places: int) -> None:
    """Up to 15 digits, which is what a spreadsheet keeps."""
    value = Decimal(digits).scaleb(-places)
    if abs(value) < 10**9:
        assert amounts.from_float(float(value)) == value


def test_a_computed_cell_is_what_the_spreadsheet_shows() -> None:
    """0.1 + 0.2 is 0.3 there, too; a third has 15 digits."""
    assert amounts.from_float(0.1 + 0.2) == Decimal("0.3")
    assert amounts.from_float(1 / 3) == Decimal("0.333333333333333")
    assert amounts.from_float(1e-20) == 0
    for value in (1e9, float("inf"), float("nan"), -1e300):
        with pytest.raises(ValueError):
            amounts.from_float(value)


def test_sums_of_many_amounts_lose_no_digit() -> None:
    """Where Decimal's usual 28 digits would round."""
    total = Decimal(0)
    for _ in range(1000):
        total = amounts.EXACT.add(total, Decimal("999999999.000000000000001"))
    assert total == Decimal("999999999000.000000000001000")


@pytest.mark.parametrize(("text", "code"), [("usd", "USD"), (" EUR ", "EUR"), ("$", "USD"), ("€", "EUR")])
def test_a_currency_is_its_iso_code(text: str, code: str) -> None:
    assert amounts.currency(text) == code


@pytest.mark.parametrize("text", ["", "dollars", "US", "1", "U$D", "MIN", "XXX"])
def test_no_currency_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        amounts.currency(text)
