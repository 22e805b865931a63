"""Compares lines that stand for many calls (one for a day, an agent or the month) with the sums of these calls. Pure.

Such a line has no id of a call and not both numbers, and its time is a day (midnight in the statement's zone), or it has
none. What else it says narrows its calls: a number, a direction, and an agent whose id is in its description. The
narrowest lines come first, and a call is in one sum only.

A line that says neither a day nor an agent nor a number may be anything, such as a rental: it stands for the calls that are
left only where it is the only such line of its statement, and its amount is their sum within the tolerance, or the
statement bills nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.reconcile import classify, nearness, sharing
from replicator.reconcile.classes import Class, Rule
from replicator.reconcile.sides import ZERO, Item, Key, OurCall, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from replicator.reconcile.lines import Line
    from replicator.reconcile.months import Month

SCORES = {Rule.SUM_OF_DAY: 0.4, Rule.SUM_OF_PERIOD: 0.3}
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
MOST_TIMES = 2
"""A sum that differs by more than this factor is no sum of these calls."""

PlacedLine = tuple[int, Key, "Line"]
PlacedCall = tuple[int, OurCall]
Attributes = tuple[Any, ...]
"""(day, agent, calling number, called number, direction); None: the line does not say it."""
SAYING = 4
"""So many of these, from the first, say which calls are meant; a direction alone does not."""
Matched = tuple[list[Item], list[int], list[int]]


def stands_for_many(line: Line, month: Month) -> bool:
    """Say whether a line has the form of a sum."""
    if line.call_id or line.provider_id or line.amount is None or (line.from_number and line.phone_number):
        return False
    if line.started_at is None:
        return True
    at = line.started_at.astimezone(month.their_zone)
    return not (at.hour or at.minute or at.second)


def match(
    lines: Sequence[PlacedLine], calls: Sequence[PlacedCall], month: Month, terms: Terms, usage: Mapping[int, int]
) -> list[Matched]:
    """Return the items of each sum with the places of its lines and of its calls; `usage` has the number of lines that bill
    calls, by statement.
    """
    agents = {call.agent_id for _, call in calls if call.agent_id is not None}
    by_shape: dict[tuple[bool, ...], dict[Attributes, list[PlacedLine]]] = {}
    for placed in lines:
        said = _of_line(placed[2], month, agents)
        by_shape.setdefault(tuple(one is not None for one in said), {}).setdefault(said, []).append(placed)
    found, taken = [], set[int]()
    for shape in sorted(by_shape, key=lambda shape: (not shape[0], -sum(shape), shape)):
        groups: dict[Attributes, list[PlacedCall]] = {}
        for place, call in calls:
            if place not in taken:
                said = tuple(
                    one if is_said else None for one, is_said in zip(_of_call(call, month), shape, strict=True)
                )
                groups.setdefault(said, []).append((place, call))
        for said, own in by_shape[shape].items():
            theirs = groups.get(said, [])
            matched = _compared(own, theirs, shape, terms) if _may_be_a_sum(own, theirs, shape, terms, usage) else None
            if matched is not None:
                found.append(matched)
                taken.update(matched[2])
    return found


def _may_be_a_sum(
    lines: list[PlacedLine],
    calls: list[PlacedCall],
    shape: tuple[bool, ...],
    terms: Terms,
    usage: Mapping[int, int],
) -> bool:
    """Say whether lines that say nothing else than an amount may stand for calls; all others may."""
    if any(shape[:SAYING]):
        return True
    if len({key[0] for _, key, _ in lines}) < len(lines):
        return False
    ours = sum((call.amount for _, call in calls if call.amount is not None), ZERO)
    theirs = sum((classify.stated(line, terms) for _, _, line in lines), ZERO)
    is_all = all(usage.get(key[0], 0) == 1 for _, key, _ in lines)
    return is_all or abs(theirs - ours) <= classify.sum_tolerance(ours, terms)


def _compared(
    lines: list[PlacedLine], calls: list[PlacedCall], shape: tuple[bool, ...], terms: Terms
) -> Matched | None:
    """Return the items of the lines of one sum; None where these calls are not what they stand for."""
    priced = [line for line in lines if line[2].currency == terms.currency]
    if not calls or not priced:
        return None
    ours = sum((call.amount for _, call in calls if call.amount is not None), ZERO)
    amounts = [line.amount or ZERO for _, _, line in priced]
    within = classify.sum_tolerance(ours, terms)
    once = next((n for n, amount in enumerate(amounts) if abs(amount - ours) <= within), None)
    rule = Rule.SUM_OF_DAY if shape[0] else Rule.SUM_OF_PERIOD
    chosen = priced if once is None else [priced[once]]
    theirs = sum((line.amount or ZERO for _, _, line in chosen), ZERO)
    if not _is_alike(theirs, ours):
        return None
    seconds = [line.duration_seconds for _, _, line in chosen]
    total = None if None in seconds else sum(second or 0 for second in seconds)
    kind = classify.of_sum(theirs, total, [call for _, call in calls], terms)
    ids = tuple(call.id for _, call in calls)
    whole = [
        Item(kind, rule, SCORES[rule], key, None, ZERO, ZERO, None, ids if n == 0 else ())
        for n, (_, key, _) in enumerate(chosen)
    ]
    shares = sharing.divided(whole[0], [line.amount or ZERO for _, _, line in chosen], ours)
    items = [
        Item(item.kind, item.rule, item.score, item.line, None, part.ours, part.theirs, None, item.calls)
        for item, part in zip(whole, shares, strict=True)
    ]
    again = [line for line in priced if line not in chosen]
    items += [
        Item(Class.DUPLICATE_LINE, Rule.SAME_LINE, SCORES[rule], key, None, ZERO, line.amount or ZERO)
        for _, key, line in again
    ]
    return items, [place for place, _, _ in priced], [place for place, _ in calls]


def _is_alike(theirs: Decimal, ours: Decimal) -> bool:
    return min(theirs, ours) * MOST_TIMES >= max(theirs, ours) and theirs * ours >= 0


def _of_line(line: Line, month: Month, agents: set[UUID]) -> Attributes:
    named = [UUID(word) for word in ID.findall(line.description or "")]
    agent = next((one for one in named if one in agents), None)
    day = None if line.started_at is None else line.started_at.astimezone(month.their_zone).date()
    return day, agent, nearness.digits(line.from_number), nearness.digits(line.phone_number), line.direction


def _of_call(call: OurCall, month: Month) -> Attributes:
    at = call.started_at or call.created_at
    day: date | None = None if at is None else at.astimezone(month.their_zone).date()
    return day, call.agent_id, nearness.digits(call.from_number), nearness.digits(call.phone_number), call.direction


__all__ = ["match", "stands_for_many"]
