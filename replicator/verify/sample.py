"""Chooses what `verify` reads, and computes what all its looks show together. Pure; the random generator is an
argument.

There are three kinds of looks, each with its own cost:

- **Totals** (one request each) show missing and extra calls, as a net number. They cannot show a changed call.
- **Ranks** (from any page) compare how many calls the source has at or before an instant (`total - offset`) with how
  many the replica has. New calls do not change a rank. Where the two ranks begin to differ, a call is missing or extra,
  and bisecting the offsets finds the page that names it.
- **Pages**, drawn at random, compare every field of every call in them. They show every difference in what was drawn,
  and the bound says how much of the rest may still differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING, Literal, NamedTuple

from replicator.records import CONTRACT_STATUSES, DIRECTIONS
from replicator.sync.coverage.ledger import BEGINNING, order_of
from replicator.sync.coverage.page import PAGE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from random import Random

    from replicator.records import Order, Page

OVERLAP = 2
"""How many rows neighbouring pages share, so that together they also prove the instants between them."""
STRIDE = PAGE_LIMIT - OVERLAP
CONFIDENCE = 0.95
LONGEST_WORD = 64
"""A stored status longer than this is not used as a filter."""

Reason = tuple[object, "datetime", int]
"""A reason why ranks differ: its identity (so that it counts once), created_at, how many more calls the source has."""


class Point(NamedTuple):
    """How many calls each side has that were created at or before `created_at`."""

    created_at: datetime
    source: int
    replica: int
    is_probe: bool = False

    @property
    def shift(self) -> int:
        """How many more calls the source has than the replica."""
        return self.source - self.replica


ORIGIN = Point(BEGINNING, 0, 0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Calls created after `older` and at or before `newer`: the source has `calls` more of them than known reasons
    explain.
    """

    older: Point
    newer: Point
    calls: int


def pages_of(total: int) -> range:
    """Return the offsets of the pages that a list of `total` calls is divided into; neighbours share OVERLAP rows."""
    return range(0, max(1, total - OVERLAP), STRIDE)


def draw(total: int, most: int, chance: Random) -> list[int]:
    """Return the offsets of at most `most` random pages of the list, all equally likely, in the order to be read."""
    pages = pages_of(total)
    return chance.sample(pages, min(most, len(pages)))


def filters_of(
    statuses: Mapping[str, int], directions: Mapping[str, int], most: int
) -> list[tuple[Literal["status", "direction"], str]]:
    """Return the (name, value) filters whose totals are asked for, most stored calls first: stored values and the
    contract's.
    """
    found: list[tuple[int, Literal["status", "direction"], str]] = []
    found += [(statuses.get(value, 0), "status", value) for value in {*CONTRACT_STATUSES, *statuses}]
    found += [(directions.get(value, 0), "direction", value) for value in {*DIRECTIONS, *directions}]
    found = [one for one in found if 0 < len(one[2]) <= LONGEST_WORD]
    return [(name, value) for _, name, value in sorted(found, key=lambda one: (-one[0], one[1], one[2]))[:most]]


def probe(stretch: Stretch, total: int, order: Order) -> int:
    """Return the offset of a page that halves a stretch, or that holds all of it between calls of other instants."""
    span = stretch.newer.source - stretch.older.source
    if span <= PAGE_LIMIT - 2 * OVERLAP:
        offset = total - stretch.newer.source - OVERLAP
    else:
        offset = total - (stretch.older.source + stretch.newer.source) // 2 - PAGE_LIMIT // 2
    if order == "ascending":
        offset = total - PAGE_LIMIT - offset
    return max(0, min(offset, total - 1))


def ranks(page: Page, top: datetime) -> list[tuple[datetime, int]]:
    """Return (instant, number of the source's calls created then or earlier) for up to two instants of a page before
    `top`.

    They are the newest and the oldest instant that can be counted: next to a strictly newer row, or at the list's
    newest end.
    """
    total, order = page.total, order_of(page.created)
    if total is None or order == "mixed" or page.offset + page.rows > total:
        return []
    # From newest to oldest: (position in the list counted from its newest end, created_at).
    rows = [(page.offset + index, at) for index, at in enumerate(page.created)]
    if order == "ascending":
        rows = [(total - 1 - place, at) for place, at in reversed(rows)]
    # Two different instants are needed to know which end is the newest; if the page is the whole list, it does not
    # matter.
    has_contrast = len({at for _, at in rows if at is not None}) > 1 or (
        page.rows == total and None not in page.created
    )
    found: list[tuple[datetime, int]] = []
    for index, (place, at) in enumerate(rows):
        before = rows[index - 1][1] if index else None
        is_edge = place == 0 and has_contrast if not index else before is not None and at is not None and at < before
        if at is not None and is_edge and at < top:
            found.append((at, total - place))
    return found if len(found) <= 2 else [found[0], found[-1]]  # noqa: PLR2004 - the two ends


def stretches(points: Iterable[Point], explained: Iterable[Reason]) -> list[Stretch]:
    """Return the stretches in which the ranks differ without a known reason, newest first."""
    reasons = sorted({one[0]: (one[1], one[2]) for one in explained}.values())
    latest = {point.created_at: point for point in points}
    found: list[Stretch] = []
    older, place = ORIGIN, 0
    for newer in sorted(latest.values()):
        calls = newer.shift - older.shift
        while place < len(reasons) and reasons[place][0] <= newer.created_at:
            calls -= reasons[place][1]
            place += 1
        if calls:
            found.append(Stretch(older, newer, calls))
        older = newer
    return found[::-1]


def without_spare(found: Sequence[Stretch], spare: int) -> list[Stretch]:
    """Return the stretches that `spare` rows do not explain: known rows that cannot be counted (in quarantine, without
    a date).
    """
    left = []
    for one in found:
        if 0 < one.calls <= spare:
            spare -= one.calls
        else:
            left.append(one)
    return left


def is_total_equal(source: int, replica: int, newer: int, spare: int, *, is_newer_exact: bool = False) -> bool:
    """Say whether two counts can be equal, if `newer` calls are too new to be here and up to `spare` rows cannot be
    counted.

    Unless `is_newer_exact`, it is not known how many of the newer calls a filter includes: none or all.
    """
    surplus = source - replica
    return (newer if is_newer_exact else 0) <= surplus <= newer + spare


def at_most_share(pages: int, with_differences: int = 0, *, is_complete: bool = False) -> float:
    """Return the largest share (0 to 1) of all pages that may hold a difference, with the probability CONFIDENCE.

    `pages` random pages were compared, of which `with_differences` differed. If none did, the share is 1 - 0.05 ** (1 /
    pages), and otherwise the exact (Clopper-Pearson) bound. No page is drawn twice, which makes the true bound a little
    smaller. If every page was read, it is the share that was seen.
    """
    if is_complete:
        return with_differences / pages if pages else 0.0
    if with_differences >= pages:
        return 1.0  # no page was drawn, or all of them differ: there is no bound
    if not with_differences:
        return float(1 - (1 - CONFIDENCE) ** (1 / pages))
    low, high = with_differences / pages, 1.0
    for _ in range(60):
        share = (low + high) / 2
        few = sum(exp(_log_binomial(pages, k, share)) for k in range(with_differences + 1))
        low, high = (share, high) if few > 1 - CONFIDENCE else (low, share)
    return high


def _log_binomial(pages: int, k: int, share: float) -> float:
    ways = lgamma(pages + 1) - lgamma(k + 1) - lgamma(pages - k + 1)
    return ways + k * log(share) + (pages - k) * log1p(-share)


def statement(pages: int, with_differences: int, *, is_complete: bool) -> str:
    """Say in words what the pages that were read prove."""
    if is_complete:
        return "complete: every page of the list was compared, field by field"
    if not pages:
        return "no page was drawn at random: nothing is said about the calls that were not looked at"
    share = at_most_share(pages, with_differences)
    seen = "none of them with a difference" if not with_differences else f"{with_differences} of them with a difference"
    return (
        f"{pages} random pages of the list compared field by field, {seen}: with {CONFIDENCE:.0%} confidence at most "
        f"{share:.1%} of all pages hold one"
    )


__all__ = [
    "CONFIDENCE",
    "Point",
    "Stretch",
    "at_most_share",
    "draw",
    "filters_of",
    "is_total_equal",
    "pages_of",
    "probe",
    "ranks",
    "statement",
    "stretches",
    "without_spare",
]
