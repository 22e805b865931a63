"""Decides which of several lines for the same call bills it, which are parts of its cost, and which bill it again. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.reconcile import classify
from replicator.reconcile.classes import Class, Note, Rule
from replicator.reconcile.sides import ZERO, Item, Key, OurCall, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from replicator.reconcile.lines import Line
    from replicator.reconcile.months import Month

Place = tuple[Key, "Line"]


def share(lines: Sequence[Place], call: OurCall, rule: Rule, score: float, month: Month, terms: Terms) -> list[Item]:
    """Return the items of all lines that bill one call; `lines` are in the order of their content."""
    if len(lines) > 1 and _are_parts(lines, call, rule, terms):
        return _parts(lines, call, rule, score, month)
    chosen = billing(lines, call, rule, terms)[0]
    return [
        classify.pair(key, line, call, rule, score, month, terms)
        if key == chosen
        else classify.duplicate(key, line, call, score, terms)
        for key, line in lines
    ]


def billing(lines: Sequence[Place], call: OurCall, rule: Rule, terms: Terms) -> Place:
    """Return the line that bills a call: with its amount, else with its duration, else with the nearest amount, and of
    equal ones the first.
    """

    def distance(place: Place) -> tuple[bool, bool, int, Decimal]:
        line = place[1]
        off = ZERO if line.amount is None or call.amount is None else abs(line.amount - call.amount)
        seconds = abs((line.duration_seconds or 0) - (call.duration_seconds or 0))
        return line.currency != terms.currency, off > classify.tolerance(rule, terms), seconds, off

    return min(lines, key=distance)


def _are_parts(lines: Sequence[Place], call: OurCall, rule: Rule, terms: Terms) -> bool:
    """Say whether the amounts together are the call's, and no single one is."""
    amounts = [line.amount for _, line in lines if line.amount is not None and line.currency == terms.currency]
    if call.amount is None or len(amounts) < len(lines) or not terms.compares_amounts:
        return False
    within = classify.tolerance(rule, terms)
    return all(abs(one - call.amount) > within for one in amounts) and abs(sum(amounts, ZERO) - call.amount) <= within


def _parts(lines: Sequence[Place], call: OurCall, rule: Rule, score: float, month: Month) -> list[Item]:
    """Return one item for each part: the first has what is left of the call's cost when the others have theirs."""
    ours = classify.counted(call, month)
    amounts = [line.amount or ZERO for _, line in lines]
    is_here = month.holds(call.billed_at)
    first = ours - sum(amounts[1:], ZERO) if is_here else ZERO
    shares = [first, *(amounts[1:] if is_here else [ZERO] * (len(lines) - 1))]
    is_exact = sum(amounts, ZERO) == call.amount
    note = Note.PART_OF_CALL
    if is_here:
        kind = Class.DELETED_BUT_BILLED if call.is_deleted else Class.EXACT if is_exact else Class.WITHIN_TOLERANCE
    elif call.billed_in is not None:
        kind, note = Class.DUPLICATE_LINE, Note.BILLED_BEFORE
    elif month.is_near_border(call.created_at, call.started_at, call.ended_at):
        kind = Class.PERIOD_BOUNDARY
    else:
        kind, note = Class.LATE_ADJUSTMENT, Note.ANOTHER_MONTH
    return [
        Item(kind, rule, score, key, call.id, ours, theirs, note, (), classify.elsewhere(call, note))
        for (key, _), ours, theirs in zip(lines, shares, amounts, strict=True)
    ]


def pair_up(
    lines: Sequence[Place], calls: Sequence[OurCall], rule: Rule, score: float, month: Month, terms: Terms
) -> tuple[list[Item], list[OurCall]]:
    """Return the items of lines and calls that cannot be told apart but by their amounts, and the calls without a line.

    Equal amounts go together; then the others, smallest first. Lines that are left bill the last call again.
    """
    if len(calls) == 1:
        return share(lines, calls[0], rule, score, month, terms), []
    open_calls = sorted(calls, key=lambda call: (call.amount is None, call.amount or ZERO, str(call.id)))
    items: list[Item] = []
    left: list[Place] = []
    by_amount: dict[Decimal | None, list[OurCall]] = {}
    for call in reversed(open_calls):
        by_amount.setdefault(call.amount, []).append(call)
    for key, line in lines:
        same = by_amount.get(line.amount) if line.currency == terms.currency else None
        if line.amount is not None and same:
            call = same.pop()
            open_calls.remove(call)
            items.append(classify.pair(key, line, call, rule, score, month, terms))
        else:
            left.append((key, line))
    left.sort(key=lambda place: (place[1].amount is None, place[1].amount or ZERO))
    for (key, line), call in zip(left, open_calls, strict=False):
        items.append(classify.pair(key, line, call, rule, score, month, terms))
    again = left[len(open_calls) :]
    items += [classify.duplicate(key, line, calls[0], score, terms) for key, line in again]
    return items, open_calls[len(left) :]


def divided(item: Item, amounts: Sequence[Decimal], ours: Decimal) -> list[Item]:
    """Return one item for each of several lines that one item stands for, with their amounts and our sum divided."""
    first = ours - sum(amounts[1:], ZERO)
    return [
        replace(item, ours=first if n == 0 else theirs, theirs=theirs, calls=item.calls if n == 0 else ())
        for n, theirs in enumerate(amounts)
    ]


__all__ = ["billing", "divided", "pair_up", "share"]
