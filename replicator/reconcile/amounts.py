"""Reads an amount of money from a statement's text, exactly. Pure: no float is made on the way.

A text is a number with at most one sign and one currency: `1,234.50`, `-$5`, `(5.00)`, `5.00-`, `5.00 CR`, `EUR 5,00`.
Brackets, a minus in front or behind and CR (credit) mean negative; DR (debit) means positive. Which of point and comma
is the decimal sign is said by the mapping and never guessed, because `1,234` may be either; `0,045` has no thousands, and is
refused where the comma would separate them. A cell of a spreadsheet is a
binary number: `from_float` returns the decimal number of 15 digits that it stands for, which is what spreadsheets show;
each number of up to 15 digits that was typed comes back exactly.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation

from replicator.reconcile.currencies import CODES

DECIMAL_SIGNS = (".", ",")
MOST_WHOLE_DIGITS = 9
MOST_DECIMALS = 15
SPREADSHEET_DIGITS = 15
EXACT = Context(prec=80, traps=[Inexact, InvalidOperation])
"""Adds amounts of millions of lines without rounding, or raises."""

_SPACES = "\u0020\u00a0\u2009\u202f\t"
_MINUS = "-\u2212\u2012\u2013\ufe63\uff0d"
_SIGNS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "CHF": "CHF"}
_CURRENCY = r"(?:US\$|[$€£¥₹]|[A-Z]{3})"
_AROUND = re.compile(rf"({_CURRENCY})?[{_SPACES}]*(.*?)[{_SPACES}]*({_CURRENCY})?\Z", re.DOTALL)
_NUMBER = {
    sign: re.compile(
        rf"(?:(?P<plain>[0-9]+)|(?P<groups>[1-9][0-9]{{0,2}}(?:(?P<mark>[{marks}{_SPACES}'\u2019])[0-9]{{3}})"
        rf"(?:(?P=mark)[0-9]{{3}})*))?(?:{re.escape(sign)}(?P<decimals>[0-9]*))?(?:[eE]-(?P<shift>[0-9]{{1,2}}))?\Z"
    )
    for sign, marks in ((".", ","), (",", "."))
}
_PLAIN = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,15})?\Z")


def read(text: str, decimal: str = ".") -> tuple[Decimal, str | None]:
    """Return an amount and the currency that stands with it (ISO code), or None where none does.

    `decimal` is the decimal sign. Raises ValueError, with the reason in words, for anything that is not one amount.
    """
    if decimal == "." and _PLAIN.match(text):
        return Decimal(text), None
    rest, is_negative = _sign(text.strip(_SPACES))
    found = _AROUND.match(rest)
    before, number, after = (found[1], found[2], found[3]) if found else (None, rest, None)
    if before and after:
        raise ValueError("it has two currencies")
    if not is_negative and (before or after):
        number, is_negative = _sign(number)  # $-5, $(5)
    value = _number(number, decimal)
    word = before or after
    if word is not None and word not in _SIGNS and word not in CODES:
        raise ValueError("its currency is not known")
    return (-value if is_negative else value), None if word is None else _SIGNS.get(word, word)


def _sign(text: str) -> tuple[str, bool]:
    """Return the text without its sign, and whether that is negative. Raises ValueError for two signs."""
    negative = 0
    if text.startswith("(") and text.endswith(")"):
        text, negative = text[1:-1].strip(_SPACES), negative + 1
    upper = text[-2:].upper()
    is_debit = upper == "DR"
    if upper in {"CR", "DR"} and text[-3:-2] in {*_SPACES, *"0123456789"}:
        text, negative = text[:-2].strip(_SPACES), negative + (upper == "CR")
    if text[:1] and text[0] in _MINUS:
        text, negative = text[1:].strip(_SPACES), negative + 1
    elif text[:1] == "+":
        text = text[1:].strip(_SPACES)
    if text[-1:] and text[-1] in _MINUS:
        text, negative = text[:-1].strip(_SPACES), negative + 1
    if negative > 1 or (negative and is_debit):
        raise ValueError("it has two signs")
    return text, bool(negative)


def _number(text: str, decimal: str) -> Decimal:
    found = _NUMBER[decimal].match(text)
    if found is None or not (found["plain"] or found["groups"] or found["decimals"]):
        other = "," if decimal == "." else "."
        if _NUMBER[other].match(text):
            raise ValueError(f"it is a number only where {other!r} is the decimal sign; set decimal under [format]")
        if re.fullmatch(r"[0-9.,]+[eE]\+?[0-9]+", text):
            raise ValueError("a spreadsheet has shortened it (E+), and digits are lost")
        raise ValueError("it is no amount")
    whole = re.sub(r"[^0-9]", "", found["plain"] or found["groups"] or "")
    decimals, shift = found["decimals"] or "", int(found["shift"] or 0)
    if len(whole.lstrip("0")) > MOST_WHOLE_DIGITS or len(decimals) + shift > MOST_DECIMALS:
        raise ValueError(f"it has more than {MOST_WHOLE_DIGITS} digits or {MOST_DECIMALS} decimals")
    point = f".{decimals}" if decimals else ""
    return Decimal(f"{whole or '0'}{point}E-{shift}" if shift else f"{whole or '0'}{point}")


def from_float(value: float) -> Decimal:
    """Return the amount that a cell of a spreadsheet stands for. Raises ValueError where it is out of bounds."""
    if not abs(value) < 10**MOST_WHOLE_DIGITS:
        raise ValueError(f"it has more than {MOST_WHOLE_DIGITS} digits")
    found = Decimal(f"{value:.{SPREADSHEET_DIGITS}g}")
    exponent = found.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MOST_DECIMALS:
        # A cell that was computed, such as 1/3: what is left out is less than anything that is charged.
        found = found.quantize(Decimal(1).scaleb(-MOST_DECIMALS), rounding=ROUND_HALF_UP)
    return Decimal(int(found)) if found == int(found) else found


def currency(text: str) -> str:
    """Return the ISO code that a cell with a currency means. Raises ValueError where it means none."""
    word = text.strip(_SPACES)
    word = _SIGNS.get(word, word.upper())
    if word not in CODES:
        raise ValueError("it is no currency such as USD")
    return word


def usd(amount: Decimal, *, with_sign: bool = False, digits: int | None = None) -> str:
    """Return an amount with all its digits, two at least, or with so many behind the point."""
    return f"{amount:{'+' if with_sign else ''},.{digits_of(amount) if digits is None else digits}f}"


def digits_of(amount: Decimal) -> int:
    """Return how many digits behind the point an amount needs, two at least."""
    return max(2, -int(amount.normalize().as_tuple().exponent)) if amount else 2
