"""Matches a month's statements with the calls of the replica, and stores the items and the bridge, in one transaction.

Memory: both sides of the month are in memory while they are compared (bench/results/reconcile_match.json says how much).
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from replicator.errors import ConfigurationError
from replicator.reconcile import bridge, matching, months, unsettled
from replicator.reconcile.lines import USD, VENDOR, Line
from replicator.reconcile.months import AT_THE_BORDER, Month
from replicator.reconcile.sides import ZERO, Item, OurCall, StatedLine, Terms
from replicator.store import matchings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    import psycopg

    from replicator.reconcile.bridge import Step
    from replicator.reconcile.unsettled import Foreign
    from replicator.store.database import Database


MOST_USD = Decimal(10**11)
"""The lines of a month and a party add up to less, each without its sign: sums in reports have twelve digits."""


@dataclass(frozen=True, slots=True)
class Matched:
    """What a matching found."""

    account: str
    party: str
    period: str
    lines: int
    calls: int
    unreadable: int
    classes: Mapping[str, int]
    steps: Sequence[Step]
    foreign: Sequence[Foreign] = ()
    """Amounts in other currencies, which are in no step."""

    def as_dict(self) -> dict[str, Any]:
        """Return the facts, for JSON."""
        return {
            "account": self.account, "party": self.party, "period": self.period, "lines": self.lines, "calls": self.calls,
            "unreadable": self.unreadable, "classes": dict(self.classes),
            "bridge": [
                {"step": step.code.value, "items": step.items, "amount_usd": str(step.amount), "running_usd": str(step.running)}
                for step in self.steps
            ],
            "other_currencies": [one.as_dict() for one in self.foreign],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything that a matching reads."""

    month: Month
    terms: Terms
    statements: Sequence[Mapping[str, Any]]
    lines: list[StatedLine]
    calls: list[OurCall]
    assigned: Mapping[tuple[int, int], UUID | None]
    unread: Sequence[tuple[int, int]]


def month_of(
    tx: psycopg.Connection[Any], account: str, period: str, their_zone: str | None = None
) -> tuple[Month, int]:
    """Return the month in the reporting time zone, and the seconds that the shortest call is billed as."""
    # The month in UTC is near enough to choose a rate card by.
    zone, minimum = matchings.reporting(tx, account, months.month(period, ZoneInfo("UTC")).since)
    return months.month(period, ZoneInfo(zone), ZoneInfo(their_zone or zone)), minimum


def perform(database: Database, account: str, party: str, period: str, by: str) -> Matched:
    """Match a month with the statements of one party. Raises ConfigurationError where there is none."""
    months.month(period, ZoneInfo("UTC"))
    with database.transaction() as tx, _without_collector():
        matchings.begin(tx)
        sides = read(tx, account, party, period)
        items = matching.in_order(
            matching.match(sides.lines, sides.calls, sides.month, sides.terms, sides.assigned, sides.unread)
        )
        count, changed_at, _, our_sum, _ = matchings.month_of_calls(tx, account, sides.month.since, sides.month.until)
        if party != VENDOR:
            our_sum = sum((item.ours for item in items), ZERO)
        steps = bridge.bridge(items, our_sum, count, stated_total(sides.statements))
        check(items, steps)
        made = matchings.Made(
            account=account,
            party=party,
            period=period,
            made_by=by,
            time_zone=str(sides.month.zone),
            terms={name: str(value) for name, value in asdict(sides.terms).items()},
            statements=[one["id"] for one in sides.statements],
            calls=count,
            calls_changed_at=changed_at,
            last_decision=matchings.last_decision(tx, account, party, period),
            lines=len(sides.lines) + len(sides.unread),
            unreadable=len(sides.unread),
            our_sum_usd=our_sum,
            statement_usd=steps[-1].amount,
        )
        rows = (_row(number, item) for number, item in enumerate(items, start=1))
        matchings.save(
            tx, made, rows, ((n, s.code.value, s.items, s.amount, s.running) for n, s in enumerate(steps, start=1))
        )
    classes: dict[str, int] = {}
    for item in items:
        classes[item.kind.value] = classes.get(item.kind.value, 0) + 1
    foreign = unsettled.of_lines((line for _, line in sides.lines), sides.statements)
    return Matched(
        account, party, period, made.lines, count, made.unreadable, dict(sorted(classes.items())), steps, foreign
    )


def check(items: Sequence[Item], steps: Sequence[Step]) -> None:
    """Refuse what the reports could not hold, and what does not add up, which only a defect of this program can cause."""
    if sum((abs(item.theirs) for item in items), ZERO) >= MOST_USD:
        raise ConfigurationError(
            f"the lines of the month bill more than {MOST_USD:,f} US dollars",
            advice="look whether the mapping takes another column for the amount, and import the file again",
        )
    if not bridge.is_whole(steps):
        raise RuntimeError("the bridge does not add up: the items are not all lines and calls of the month")


def read(tx: psycopg.Connection[Any], account: str, party: str, period: str) -> Sides:
    """Read both sides of a month."""
    statements = matchings.statements(tx, account, party, period)
    if not statements:
        raise ConfigurationError(
            f"there is no statement of {party} for {period}",
            advice=f"import one: replicator reconcile import FILE --period {period}",
        )
    month, minimum = month_of(tx, account, period, statements[0]["time_zone"])
    terms = Terms(minimum_seconds=minimum, compares_amounts=party == VENDOR)
    ids = [one["id"] for one in statements]
    decided = matchings.assigned(tx, account, party, period)
    assigned = {(statement, line): call for statement, line, call in decided}
    values = {
        "account": account,
        "since": month.since - AT_THE_BORDER,
        "until": month.until + AT_THE_BORDER,
        "over": month.until,
        "statements": ids,
        "named": [call for call in assigned.values() if call is not None],
    }
    lines = [(row[0], Line(*row[1:])) for row in matchings.lines(tx, ids)]
    calls = _calls(tx, values, account, party, month)
    return Sides(month, terms, statements, lines, calls, assigned, matchings.unread(tx, ids))


def _calls(
    tx: psycopg.Connection[Any], values: Mapping[str, Any], account: str, party: str, month: Month
) -> list[OurCall]:
    former = {call: tuple(amounts) for call, amounts in matchings.former(tx, values).items()}
    named = {call: tuple(words) for call, words in matchings.provider_ids(tx, values).items()}
    rows = list(matchings.calls(tx, values))
    others = [row[0] for row in rows if not month.holds(row[5] or row[3])]
    billed = matchings.billed_elsewhere(tx, account, party, month.name, others)
    return [OurCall(*(*row, named.get(row[0], ()), former.get(row[0], ()), billed.get(row[0]))) for row in rows]


def stated_total(statements: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """Return what the statements say of their own total in US dollars; one that says nothing counts with its lines. None
    where none says it.
    """
    stated = [(one["stated_total"] or {}).get(USD) for one in statements]
    if not any(stated):
        return None
    return sum(
        (
            Decimal(one["total"].get(USD, "0") if own is None else own)
            for one, own in zip(statements, stated, strict=True)
        ),
        ZERO,
    )


def _row(number: int, item: Item) -> tuple[Any, ...]:
    statement, line = item.line or (None, None)
    return (
        number, item.kind.value, item.rule.value, item.score, statement, line, item.call, item.ours, item.theirs,
        None if item.note is None else item.note.value, bridge.is_open(item.kind, item.note), list(item.calls) or None,
        list(item.candidates) or None,
    )  # fmt: skip


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from looking at millions of values that are no garbage, again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


__all__ = ["Matched", "Sides", "month_of", "perform", "read", "stated_total"]
