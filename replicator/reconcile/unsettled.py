"""What of a month waits for a person, and whether that is within the tolerance: in US dollars, and in other currencies. Pure.

An amount in another currency is in no sum in US dollars, and no tolerance says how much of it may be open: a single line
that nobody has accepted is too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from replicator.reconcile.amounts import usd
from replicator.reconcile.lines import USD
from replicator.reconcile.sides import ZERO

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from replicator.reconcile.lines import Line

SHARE = Decimal("0.001")
"""The tolerance: what is open over the statement's total."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a month's lines say in one currency that is not ours. Amounts are in that currency, credits are negative."""

    currency: str
    lines: int
    amount: Decimal
    open_lines: int = 0
    """Lines that nobody has accepted."""
    open_amount: Decimal = ZERO
    beyond: Decimal = ZERO
    """What the statement's own total has on no line."""

    @property
    def is_open(self) -> bool:
        return bool(self.open_lines or self.beyond)

    def as_dict(self) -> dict[str, Any]:
        """Return the facts, for JSON."""
        return {
            "currency": self.currency, "lines": self.lines, "amount": str(self.amount), "open_lines": self.open_lines,
            "open_amount": str(self.open_amount), "not_on_lines": str(self.beyond),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What is open of a month with a party: US dollars (each difference without its sign) of a total, and other currencies."""

    open_usd: Decimal
    statement_usd: Decimal
    foreign: Sequence[Foreign] = ()

    def is_within(self, share: Decimal) -> bool:
        """Say whether no more than a share of the statement's total is open, and nothing in another currency."""
        return self.open_usd <= abs(self.statement_usd) * share and not any(one.is_open for one in self.foreign)

    def objections(self, share: Decimal = SHARE) -> list[str]:
        """Return why a month with this cannot be closed, as sentences."""
        found = []
        if self.open_usd > abs(self.statement_usd) * share:
            found.append(
                f"{usd(self.open_usd)} of {usd(self.statement_usd)} US dollars are open, above the tolerance of {share * 100:f} %: "
                "decide the items of `replicator reconcile show`"
            )
        if text := in_words(self.foreign, only_open=True):
            found.append(f"in another currency, and not accepted: {text}")
        return found


def open_usd(classes: Iterable[Mapping[str, Any]], steps: Iterable[Mapping[str, Any]]) -> Decimal:
    """Return how many US dollars wait for a person, of the classes' sums and of the bridge's steps: each difference, and what
    the statement's own total has on no line, without its sign.
    """
    beyond = sum((abs(step["amount_usd"]) for step in steps if step["step"] == "not_on_lines"), ZERO)
    return sum((row["open_usd"] for row in classes), beyond)


def of_rows(rows: Iterable[Mapping[str, Any]], statements: Iterable[Mapping[str, Any]]) -> list[Foreign]:
    """Return the amounts in other currencies, by currency. `rows` are the sums of the lines; `statements` have `total` and
    `stated_total`, each with a text for each currency.
    """
    beyond: dict[str, Decimal] = {}
    for one in statements:
        for code, text in (one["stated_total"] or {}).items():
            if code != USD:
                beyond[code] = beyond.get(code, ZERO) + Decimal(text) - Decimal(one["total"].get(code, "0"))
    by_code = {row["currency"]: row for row in rows}
    found = []
    for code in sorted(by_code.keys() | {code for code, amount in beyond.items() if amount}):
        row, rest = by_code.get(code), beyond.get(code, ZERO)
        if row is None:
            found.append(Foreign(code, 0, ZERO, beyond=rest))
        else:
            found.append(Foreign(code, row["lines"], row["amount"], row["open_lines"], row["open_amount"], rest))
    return found


def of_lines(lines: Iterable[Line], statements: Iterable[Mapping[str, Any]]) -> list[Foreign]:
    """Return the same of lines that were just matched: nobody has accepted anything."""
    sums: dict[str, tuple[int, Decimal]] = {}
    for line in lines:
        if line.currency != USD:
            count, amount = sums.get(line.currency, (0, ZERO))
            sums[line.currency] = count + 1, amount + (line.amount or ZERO)
    rows = [
        {"currency": code, "lines": count, "amount": amount, "open_lines": count, "open_amount": amount}
        for code, (count, amount) in sums.items()
    ]
    return of_rows(rows, statements)


def in_words(foreign: Iterable[Foreign], *, only_open: bool = False) -> str:
    """Return the amounts by currency, such as `1,250.00 EUR on 1 line`; empty where there is none."""
    parts = []
    for one in foreign:
        count, amount = (one.open_lines, one.open_amount) if only_open else (one.lines, one.amount)
        if count:
            parts.append(f"{usd(amount)} {one.currency} on {count:,} {'line' if count == 1 else 'lines'}")
        if one.beyond:
            parts.append(f"{usd(one.beyond)} {one.currency} in the statement's own total, on no line")
    return ", ".join(parts)


__all__ = ["SHARE", "Foreign", "Unsettled", "in_words", "of_lines", "of_rows", "open_usd"]
