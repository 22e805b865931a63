"""Decides the class of a line and the call that it bills, of a line or a call alone, and of a sum. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.reconcile.classes import Class, Note, Rule
from replicator.reconcile.sides import ZERO, CostState, Item, Key, OurCall, Terms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from replicator.reconcile.lines import Line
    from replicator.reconcile.months import Month

BY_ID = frozenset({Rule.ASSIGNED, Rule.CALL_ID, Rule.PROVIDER_ID})
Found = tuple[Class, Note | None]
HUNDREDTH = 100
"""A minimum charge is recognised by its price, to one part in so many."""


def counted(call: OurCall, month: Month) -> Decimal:
    """Return what a call adds to our sum of the month, in US dollars."""
    return call.amount if call.amount is not None and month.holds(call.billed_at) else ZERO


def stated(line: Line, terms: Terms) -> Decimal:
    """Return what a line adds to the statement's sum, in US dollars."""
    return line.amount if line.amount is not None and line.currency == terms.currency else ZERO


def tolerance(rule: Rule, terms: Terms) -> Decimal:
    """Return by how much the amounts of a match may differ, in US dollars."""
    return terms.by_id if rule in BY_ID else terms.by_other


def pair(key: Key, line: Line, call: OurCall, rule: Rule, score: float, month: Month, terms: Terms) -> Item:
    """Return the item of a line and the one call that it bills."""
    theirs = stated(line, terms)
    kind, note = _of_pair(line, call, rule, month, terms)
    ours = counted(call, month)
    if not terms.compares_amounts:
        ours = theirs if month.holds(call.billed_at) else ZERO
    if note is None and call.is_deleted and kind is not Class.DELETED_BUT_BILLED:
        note = Note.DELETED
    return Item(kind, rule, score, key, call.id, ours, theirs, note, (), elsewhere(call, note))


def elsewhere(call: OurCall, note: Note | None) -> tuple[str, ...]:
    """Return the month whose statement bills the call, where that is what an item's note says."""
    return (call.billed_in,) if note is Note.BILLED_BEFORE and call.billed_in is not None else ()


def _of_pair(line: Line, call: OurCall, rule: Rule, month: Month, terms: Terms) -> Found:
    if line.currency != terms.currency:
        return Class.OTHER_CURRENCY, None
    if not month.holds(call.billed_at):
        if call.billed_in is not None:
            is_again = _bills_again(line, call, rule, terms)
            return (Class.DUPLICATE_LINE if is_again else Class.LATE_ADJUSTMENT), Note.BILLED_BEFORE
        is_near = month.is_near_border(call.created_at, call.started_at, call.ended_at)
        return (Class.PERIOD_BOUNDARY, None) if is_near else (Class.LATE_ADJUSTMENT, Note.ANOTHER_MONTH)
    if line.amount is None:
        return Class.COST_PENDING, Note.NOT_PRICED
    if not terms.compares_amounts:
        return (Class.DELETED_BUT_BILLED if call.is_deleted else Class.EXACT), None
    if call.amount is None:
        return _without_cost(line.amount, call)
    return _of_amounts(line, line.amount, call, call.amount, tolerance(rule, terms), terms)


def _bills_again(line: Line, call: OurCall, rule: Rule, terms: Terms) -> bool:
    """Say whether a line asks for a call that was billed before once more: for its cost, or for more. What gives money back,
    or asks for less, corrects the bill.
    """
    if line.amount is None or call.amount is None or not terms.compares_amounts:
        return line.amount is None or line.amount >= 0
    return line.amount > 0 and line.amount >= call.amount - tolerance(rule, terms)


def _without_cost(theirs: Decimal, call: OurCall) -> Found:
    if call.cost_state == CostState.PENDING:
        return Class.COST_PENDING, None
    if call.cost_state == CostState.NOT_EXPECTED:
        return (Class.RATE_DIFFERS, Note.BILLED_NOT_CONNECTED) if theirs else (Class.EXACT, None)
    if call.cost_state == CostState.GIVEN_UP:
        return (Class.RATE_DIFFERS if theirs else Class.EXACT), Note.GIVEN_UP
    return Class.RATE_DIFFERS, None


def _of_amounts(line: Line, theirs: Decimal, call: OurCall, ours: Decimal, within: Decimal, terms: Terms) -> Found:
    is_free = ours == 0 and call.is_connected and bool(call.duration_seconds)
    if abs(theirs - ours) <= within:
        if is_free:
            return Class.ZERO_COST_CONNECTED, None
        if call.is_deleted:
            return Class.DELETED_BUT_BILLED, None
        return (Class.EXACT if theirs == ours else Class.WITHIN_TOLERANCE), None
    if any(abs(theirs - former) <= within for former in call.former):
        return Class.LATE_ADJUSTMENT, None
    if is_free:
        return Class.ZERO_COST_CONNECTED, None
    if _is_minimum(line, theirs, call, ours, terms):
        return Class.MINIMUM_CHARGE, None
    seconds = line.duration_seconds
    if (
        None not in {seconds, call.duration_seconds}
        and abs((seconds or 0) - (call.duration_seconds or 0)) > terms.seconds
    ):
        return Class.DURATION_DIFFERS, None
    return Class.RATE_DIFFERS, None if call.is_connected or not theirs else Note.BILLED_NOT_CONNECTED


def _is_minimum(line: Line, theirs: Decimal, call: OurCall, ours: Decimal, terms: Terms) -> bool:
    """Say whether a call shorter than the minimum has the price of the minimum, or its seconds on the line."""
    seconds, minimum = call.duration_seconds, terms.minimum_seconds
    if not seconds or seconds >= minimum or theirs <= ours:
        return False
    if line.duration_seconds == minimum:
        return True
    should = ours * minimum
    return abs(theirs * seconds - should) * HUNDREDTH <= should


def line_alone(key: Key, line: Line, terms: Terms, candidates: Sequence[str] = ()) -> Item:
    """Return the item of a line that no call was found for."""
    theirs = stated(line, terms)
    if line.currency != terms.currency:
        return Item(Class.OTHER_CURRENCY, Rule.NONE, 0.0, key, None, ZERO, ZERO)
    if line.kind != "usage":
        return Item(Class.NOT_A_CALL, Rule.NONE, 0.0, key, None, ZERO, theirs)
    note = Note.AMBIGUOUS if candidates else Note.UNKNOWN_CALL if line.call_id else None
    if note is None and line.amount is None:
        note = Note.NOT_PRICED
    return Item(Class.ONLY_ON_STATEMENT, Rule.NONE, 0.0, key, None, ZERO, theirs, note, (), tuple(candidates))


def unread_line(key: Key) -> Item:
    """Return the item of a line that cannot be read."""
    return Item(Class.ONLY_ON_STATEMENT, Rule.NONE, 0.0, key, None, ZERO, ZERO, Note.UNREADABLE)


def duplicate(
    key: Key, line: Line, call: OurCall | None, score: float, terms: Terms, rule: Rule = Rule.SAME_LINE
) -> Item:
    """Return the item of a line whose call is billed by another line already. The call is counted there."""
    kind = Class.DUPLICATE_LINE if line.currency == terms.currency else Class.OTHER_CURRENCY
    return Item(kind, rule, score, key, None if call is None else call.id, ZERO, stated(line, terms))


def call_alone(call: OurCall, month: Month, terms: Terms, candidates: Sequence[str] = ()) -> Item:
    """Return the item of a call of the month that no line was found for."""
    ours, note = counted(call, month), None
    if not terms.compares_amounts:
        kind, ours = (Class.ONLY_IN_REPLICA if call.is_connected else Class.EXACT), ZERO
        note = None if call.is_connected else Note.NOTHING_TO_BILL
    elif call.cost_state == CostState.PENDING:
        kind = Class.COST_PENDING
    elif call.cost_state == CostState.GIVEN_UP:
        kind, note = Class.EXACT, Note.GIVEN_UP
    elif call.cost_state == CostState.NOT_EXPECTED or (not ours and not call.is_connected):
        kind, note = Class.EXACT, Note.NOTHING_TO_BILL
    elif _is_at_border(call, month):
        kind = Class.PERIOD_BOUNDARY
    elif call.amount == 0:
        is_free = call.is_connected and bool(call.duration_seconds)
        kind, note = (Class.ZERO_COST_CONNECTED, None) if is_free else (Class.EXACT, Note.NOTHING_TO_BILL)
    else:
        kind = Class.ONLY_IN_REPLICA
    if kind is Class.ONLY_IN_REPLICA:
        note = Note.AMBIGUOUS if candidates else Note.DELETED if call.is_deleted else None
    shown = tuple(candidates) if kind is Class.ONLY_IN_REPLICA else ()
    if kind is Class.ONLY_IN_REPLICA and call.billed_in is not None:
        note, shown = Note.BILLED_BEFORE, (call.billed_in,)
    return Item(kind, Rule.NONE, 0.0, None, call.id, ours, ZERO, note, (), shown)


def _is_at_border(call: OurCall, month: Month) -> bool:
    """Say whether the month before or after may count a call of the month that no line bills. Where the statement of another
    month bills it, that month has to be the one across the border: anything else is no matter of the border.
    """
    instants = (call.created_at, call.started_at, call.ended_at)
    if call.billed_in is not None:
        return month.shares(call.billed_in, *instants)
    return not month.is_surely_inside(*instants)


def of_sum(theirs: Decimal, seconds: int | None, calls: Sequence[OurCall], terms: Terms) -> Class:
    """Return the class of a line that stands for many calls; `seconds` are the line's."""
    ours = sum((call.amount for call in calls if call.amount is not None), ZERO)
    delta = theirs - ours
    if not delta:
        return Class.EXACT
    if abs(delta) <= sum_tolerance(ours, terms):
        return Class.WITHIN_TOLERANCE
    if delta > 0 and any(call.cost_state == CostState.PENDING for call in calls):
        return Class.COST_PENDING
    counted_seconds = sum(call.duration_seconds or 0 for call in calls)
    if seconds is not None and abs(seconds - counted_seconds) > terms.seconds * len(calls):
        return Class.DURATION_DIFFERS
    return Class.RATE_DIFFERS


def sum_tolerance(ours: Decimal, terms: Terms) -> Decimal:
    """Return by how much a sum may differ, in US dollars."""
    return max(terms.sum_usd, abs(ours) * terms.sum_share)


__all__ = [
    "call_alone", "counted", "duplicate", "line_alone", "of_sum", "pair", "stated", "sum_tolerance", "tolerance", "unread_line",
]  # fmt: skip
