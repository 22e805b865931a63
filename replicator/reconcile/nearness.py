"""Finds which lines and calls can be the same by their numbers, starts and durations, where there is one answer. Pure.

Lines (or calls) with the same key, start and duration cannot be told apart: they are one *bundle*. A bundle of lines and
a bundle of calls belong together where neither has another one within reach. So no order of the input matters, and what
two answers fit stays open. Each bundle is found by bisection: O(n log n) for starts that are not all alike.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from replicator.reconcile.lines import Line
    from replicator.reconcile.sides import OurCall

NOT_A_DIGIT = re.compile(r"\D+")
SIGNIFICANT = 9
"""Numbers that agree in so many last digits are the same, whatever their prefixes for abroad."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart starts and durations may be, in seconds."""

    start: int
    duration: int
    may_lack_duration: bool = False


@dataclass(slots=True)
class Bundle:
    """Lines or calls that cannot be told apart, by their places in the list."""

    start: int
    duration: int | None
    other: Hashable | None = None
    """What the key leaves out and what must not contradict, such as the other number; None: it is not said."""
    places: list[int] = field(default_factory=list)


class Bundles:
    """The bundles of one side under one key, in the order of their starts."""

    __slots__ = ("rows", "starts")

    def __init__(self, rows: Iterable[Bundle]) -> None:
        self.rows = sorted(
            rows, key=lambda one: (one.start, -1 if one.duration is None else one.duration, str(one.other or ""))
        )
        self.starts = [one.start for one in self.rows]

    def near(self, other: Bundle, reach: Reach, most: int) -> list[Bundle]:
        """Return the bundles within reach of another side's, `most` at most."""
        found: list[Bundle] = []
        place, last = bisect_left(self.starts, other.start - reach.start), other.start + reach.start
        while place < len(self.rows) and self.starts[place] <= last and len(found) < most:
            if _fits(self.rows[place].duration, other.duration, reach) and _agree(self.rows[place].other, other.other):
                found.append(self.rows[place])
            place += 1
        return found


def _fits(one: int | None, other: int | None, reach: Reach) -> bool:
    if one is None or other is None:
        return reach.may_lack_duration
    return abs(one - other) <= reach.duration


def _agree(one: Hashable | None, other: Hashable | None) -> bool:
    return one is None or other is None or one == other


def bundled(
    places: Iterable[int],
    rows: list[Any],
    key_of: Callable[[Any], Hashable | None],
    start_of: Callable[[Any], int | None],
    other_of: Callable[[Any], Hashable | None] | None = None,
) -> dict[Hashable, Bundles]:
    """Return one side's bundles by key, without the rows that have no key or no start."""
    made: dict[Hashable, dict[tuple[int, int | None, Hashable | None], Bundle]] = {}
    for place in places:
        row = rows[place]
        key, start = key_of(row), start_of(row)
        if key is None or start is None:
            continue
        duration, other = row.duration_seconds, None if other_of is None else other_of(row)
        of_key = made.setdefault(key, {})
        bundle = of_key.get((start, duration, other))
        if bundle is None:
            bundle = of_key[start, duration, other] = Bundle(start, duration, other)
        bundle.places.append(place)
    return {key: Bundles(of_key.values()) for key, of_key in made.items()}


def isolated(
    lines: dict[Hashable, Bundles], calls: dict[Hashable, Bundles], reach: Reach
) -> list[tuple[Bundle, Bundle]]:
    """Return the pairs of bundles that have each other within reach, and nothing else."""
    pairs: list[tuple[Bundle, Bundle]] = []
    for key, ours in lines.items():
        theirs = calls.get(key)
        if theirs is None:
            continue
        for bundle in ours.rows:
            near = theirs.near(bundle, reach, 2)
            if len(near) == 1 and len(ours.near(near[0], reach, 2)) == 1:
                pairs.append((bundle, near[0]))
    return pairs


def digits(number: str | None) -> str | None:
    """Return what a phone number is compared by: its last digits; None for a withheld number, or a word."""
    if number is None:
        return None
    found = NOT_A_DIGIT.sub("", number)
    return found[-SIGNIFICANT:] or None


def start_of_line(line: Line) -> int | None:
    """Return the start in whole seconds."""
    return None if line.started_at is None else int(line.started_at.timestamp())


def start_of_call(call: OurCall) -> int | None:
    """Return the start in whole seconds; that of a call that did not connect is its creation."""
    at = call.started_at or call.created_at
    return None if at is None else int(at.timestamp())


def numbers(row: Line | OurCall) -> Hashable | None:
    """Both numbers and the direction, as they are written."""
    if not row.from_number or not row.phone_number:
        return None
    return row.from_number, row.phone_number, row.direction


def numbers_by_digits(row: Line | OurCall) -> Hashable | None:
    """The significant digits of both numbers, whatever the direction."""
    key = digits(row.from_number), digits(row.phone_number)
    return None if None in key else key


def called_number(row: Line | OurCall) -> Hashable | None:
    """The significant digits of the called number."""
    return digits(row.phone_number)


def calling_number(row: Line | OurCall) -> Hashable | None:
    """The significant digits of the calling number."""
    return digits(row.from_number)


OTHER_NUMBER: dict[Any, Callable[[Any], Hashable | None]] = {
    called_number: calling_number,
    calling_number: called_number,
}
"""Of a key of one number, the other one: where both sides have it, it must be the same."""


def amount(row: Line | OurCall) -> Hashable | None:
    """The amount; None for an unknown one."""
    return row.amount


__all__ = [
    "OTHER_NUMBER", "Bundle", "Bundles", "Reach", "amount", "bundled", "called_number", "calling_number", "digits", "isolated", "numbers",
    "numbers_by_digits", "start_of_call", "start_of_line",
]  # fmt: skip
