"""What a call should cost by a rate, and which rate explains the costs that are there. Pure.

A call is charged for its seconds, at least the minimum, rounded up to whole increments. `analytics.rate_check` computes the
same in SQL for each call (a test compares the two). A rate that is learned is a suggestion with the share of calls that it
explains; nothing is assumed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INCREMENTS = (1, 5, 6, 10, 12, 15, 18, 20, 30, 45, 60, 90, 120)
MINIMUMS = (0, 6, 10, 15, 18, 20, 30, 60)
DECIMALS = 4
"""The source states costs with so many decimals."""
HALF = Decimal(5).scaleb(-DECIMALS - 1)
_SCALE = 9
"""Prices per minute are looked for with so many decimals."""
CLEAR_CALLS = 20
CLEAR_SHARE = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Learned:
    """A rate that explains costs. `share` is the part of the calls whose cost it explains to the last decimal."""

    minimum_seconds: int
    increment_seconds: int
    price_per_minute: Decimal
    calls: int
    explained: int
    is_clear: bool = False
    """It explains nearly all calls, and no other increment explains as many."""

    @property
    def share(self) -> Decimal:
        return Decimal(self.explained) / self.calls


def billed_seconds(seconds: int, minimum: int, increment: int) -> int:
    """Return for how many seconds a call is charged: none for a call without length."""
    return 0 if seconds <= 0 else -(-max(seconds, minimum) // increment) * increment


def expected(seconds: int, minimum: int, increment: int, price_per_minute: Decimal) -> Decimal:
    """Return what a call should cost, unrounded but for what has no end: sixteen decimals."""
    return (price_per_minute * billed_seconds(seconds, minimum, increment) / 60).quantize(Decimal(1).scaleb(-16))


def learn(calls: Sequence[tuple[int, Decimal]], most: int = 3) -> list[Learned]:
    """Return the rates that explain most of these calls (seconds, cost), best first.

    For each minimum and increment, a call's cost says between which prices the rate must lie; the best price is where most
    of these ranges overlap. Of rates that explain as many calls, the one with the longest increment and without a minimum
    comes first: the others follow from it, or the calls cannot tell them apart, and then none is clear.
    """
    usable = [(seconds, cost) for seconds, cost in calls if seconds > 0 and cost > 0]
    if not usable:
        return []
    shapes = [
        (minimum, increment) for increment in INCREMENTS for minimum in MINIMUMS if minimum == 0 or minimum > increment
    ]
    found = [_best(usable, minimum, increment) for minimum, increment in shapes]
    found.sort(key=lambda one: (-one.explained, -one.increment_seconds, one.minimum_seconds))
    first, rest = found[0], found[1:]
    others = [one for one in rest if one.increment_seconds != first.increment_seconds]
    is_clear = (
        len(usable) >= CLEAR_CALLS
        and first.share >= CLEAR_SHARE
        and all(one.explained < first.explained for one in others)
    )
    clear = Learned(
        first.minimum_seconds, first.increment_seconds, first.price_per_minute, first.calls, first.explained, is_clear
    )
    return [clear, *rest][:most]


def _best(calls: Iterable[tuple[int, Decimal]], minimum: int, increment: int) -> Learned:
    """Return the price that explains most calls with this minimum and increment."""
    edges, count = [], 0
    for seconds, cost in calls:
        # In 10^-9 of a dollar: whole numbers, so that a cost in the middle between two is on the edge of both.
        billed = billed_seconds(seconds, minimum, increment)
        low = -(-int(((cost - HALF) * 60).scaleb(_SCALE)) // billed)
        high = int(((cost + HALF) * 60).scaleb(_SCALE)) // billed
        if low <= high:
            edges += [(low, -1, high), (high, 1, high)]
        count += 1
    edges.sort()
    depth = deepest = 0
    best = (0, 0)
    for at, (place, side, _) in enumerate(edges):
        depth -= side
        if depth > deepest:
            deepest = depth
            # Until the next edge, at which a range ends or another begins.
            best = (place, edges[at + 1][0])
    return Learned(minimum, increment, _roundest(*best), count, deepest)


def _roundest(low: int, high: int) -> Decimal:
    """Return the number with the fewest decimals between two whole numbers of 10^-9."""
    for decimals in range(_SCALE + 1):
        step = 10 ** (_SCALE - decimals)
        whole = -(-low // step)
        if whole * step <= high:
            return Decimal(whole).scaleb(-decimals)
    return Decimal(low).scaleb(-_SCALE)
