"""Finds where the replica and the source differ in membership, with offsets and totals only. Pure.

Rank counted from the *oldest* end (`total - offset` of the same response) is unmoved by new calls; it falls only where
an older call vanished, and rises only where an older one came in. So the surplus below an instant t,

    surplus(t) = stored live calls created before t  -  calls of the source created before t

is a number that one page tells for the instants at its upper and its lower end, and where it differs between two
instants, something differs between them. Bisecting finds one deletion among a million calls with about 15 requests.
What a page shows within itself needs no search: it is a proven stretch like any other, and rules.py looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from replicator.sync.coverage.ledger import BEGINNING, END, order_of
from replicator.sync.coverage.page import PAGE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from replicator.sync.coverage.page import Seen

LEAST_PATIENCE = 40
"""Requests that a search may take however small the account is."""
PER_SURPLUS = 30
"""Requests that it may take for each call that differs, where a whole pass is dearer than that."""
NEWER = 2
"""Rows above a stretch that is read whole, so that it begins strictly inside the page."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant, how many calls of the source are older, and the surplus of the replica among those."""

    at: datetime
    older: int
    surplus: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Calls created from `low.at` (included) to `high.at` (excluded), among which something differs."""

    low: Mark
    high: Mark

    @property
    def listed(self) -> int:
        """How many calls the source lists here."""
        return self.high.older - self.low.older


@dataclass(frozen=True, slots=True)
class Search:
    """What is left to look at, newest last. `begun_at` is our clock; `left` how many requests it may still take."""

    begun_at: datetime
    stretches: tuple[Stretch, ...]
    left: int
    below: datetime | None = None
    """Where set, stored calls older than this are listed nowhere: the list's end is to be looked at."""

    @property
    def is_over(self) -> bool:
        return not self.stretches


def begin(now: datetime, *, total: int, surplus: int) -> Search:
    """Begin a search: the source lists `total` calls, the replica holds `surplus` more (or fewer, if negative)."""
    whole = Stretch(Mark(BEGINNING, 0, 0), Mark(END, total, surplus))
    # A total that is far beyond what is stored, while all of the list was read, is no number of pages.
    listed = min(total, 2 * (total + surplus))
    patience = max(LEAST_PATIENCE, min(listed // PAGE_LIMIT, PER_SURPLUS * abs(surplus)))
    return Search(now, (whole,) if surplus else (), patience)


def next_offset(search: Search, total: int) -> int:
    """Return the offset of the page to be asked next, in a list of `total` calls."""
    stretch = search.stretches[-1]
    if stretch.listed + NEWER + 1 <= PAGE_LIMIT:
        return max(0, total - stretch.high.older - NEWER)
    middle = (stretch.low.older + stretch.high.older) // 2
    return max(0, total - middle - PAGE_LIMIT // 2)


def marks(seen: Seen) -> tuple[datetime, ...]:
    """Return the instants at the upper and the lower end of a page whose surplus it can tell; none, one or two."""
    return tuple(at for at, _ in _ends(seen))


def absorb(search: Search, seen: Seen, stored_before: Mapping[datetime, int]) -> Search:
    """Take a page. `stored_before` tells, for each of its `marks`, how many live calls are stored that are older.

    A page that tells nothing (no total, no order, one group of ties) ends the search of its stretch: whatever differs
    there is found by renewal, and the search never loops.
    """
    stretch, rest = search.stretches[-1], search.stretches[:-1]
    found = [Mark(at, older, stored_before[at] - older) for at, older in _ends(seen)]
    search = replace(search, left=search.left - 1)
    if not found or search.left <= 0:
        return replace(search, stretches=rest if search.left > 0 else ())
    upper, lower = found[0], found[-1]
    parts = [
        Stretch(low, high)
        for low, high in ((stretch.low, _within(lower, stretch)), (_within(upper, stretch), stretch.high))
        if low.at < high.at and low.surplus != high.surplus
    ]
    if stretch in parts:
        # The page told nothing new: the list has moved, or there is nothing behind its end that a page could show.
        is_bottom = stretch.low.at == BEGINNING and seen.total is not None and seen.behind >= seen.total
        return replace(search, stretches=rest, below=stretch.high.at if is_bottom else search.below)
    return replace(search, stretches=(*rest, *(part for part in parts if not _is_nothing_listed(part))))


def _ends(seen: Seen) -> list[tuple[datetime, int]]:
    """Return (instant, calls of the source older than it) at the upper and the lower end of a page."""
    created, total = seen.created, seen.total
    if total is None or not created or None in created or order_of(created) != "descending":
        return []
    known = [at for at in created if at is not None]
    last = len(known) - 1
    is_end = seen.behind >= total
    places = [i for i in range(len(known)) if (i < last and known[i] > known[i + 1]) or (i == last and is_end)]
    if not places:
        return []
    chosen = dict.fromkeys((places[0], places[-1]))
    return [(known[i], total - seen.offset - i - 1) for i in chosen]


def _within(mark: Mark, stretch: Stretch) -> Mark:
    """Return the mark, or the stretch's own end where the mark lies outside of it."""
    if mark.at <= stretch.low.at:
        return stretch.low
    return stretch.high if mark.at >= stretch.high.at else mark


def _is_nothing_listed(stretch: Stretch) -> bool:
    """Say whether the source lists nothing here: no page can show more than the ones beside it did."""
    return stretch.listed <= 0 and stretch.low.at > BEGINNING
