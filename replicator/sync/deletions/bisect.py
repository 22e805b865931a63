"""Finds the calls that only the replica or only the source has, with nothing but offsets and totals of the list. Pure.

The rank of a call counted from the *oldest* end (`total - offset` of the same response) is not changed by new calls. It
falls only where an older call vanished, and rises only where an older one was added. So the surplus below an instant t,

    surplus(t) = stored live calls created before t  -  calls of the source created before t

can be computed from one page, for the instants at its upper and its lower end. Where it differs between two instants,
replica and source differ between them. Bisection finds one deletion among a million calls with about 15 requests.

What a page itself shows needs no search: it is a proven stretch like any other, and rules.py compares it.
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
"""Requests that a search may use even if the account is small."""
PER_SURPLUS = 30
"""Requests that it may use for each differing call, where reading the whole list once would cost more than that."""
NEWER = 2
"""Rows above a stretch of at most one page that are read with it, so that it begins strictly inside the page."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An instant, the number of the source's calls that are older, and the replica's surplus among those."""

    at: datetime
    older: int
    surplus: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Calls created from `low.at` (included) to `high.at` (excluded), among which replica and source differ."""

    low: Mark
    high: Mark

    @property
    def listed(self) -> int:
        """The number of calls that the source lists in this stretch."""
        return self.high.older - self.low.older


@dataclass(frozen=True, slots=True)
class Search:
    """The stretches left to examine, newest last. `begun_at` is our clock; `left` is how many requests the search may
    still use.
    """

    begun_at: datetime
    stretches: tuple[Stretch, ...]
    left: int
    below: datetime | None = None
    """If set: the source lists no call older than this, although some are stored, so the list's end
    must be read again.
    """

    @property
    def is_over(self) -> bool:
        return not self.stretches


def begin(now: datetime, *, total: int, surplus: int) -> Search:
    """Begin a search: the source lists `total` calls, the replica holds `surplus` more (or fewer, if negative)."""
    whole = Stretch(Mark(BEGINNING, 0, 0), Mark(END, total, surplus))
    # If the total far exceeds the number of stored calls although the whole list was read, it cannot be used to count
    # pages.
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
    """Return the instants at the upper and lower end of a page for which it gives the surplus: none, one or two."""
    return tuple(at for at, _ in _ends(seen))


def absorb(search: Search, seen: Seen, stored_before: Mapping[datetime, int]) -> Search:
    """Take a page. `stored_before` gives for each of its `marks` how many older live calls are stored.

    A page from which nothing can be computed (no total, no order, a single tie group) ends the search of its stretch.
    Renewal will find the difference there, and the search never loops.
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
        # The page gave no new information: the list has moved, or no page can show what is missing behind the list's
        # end.
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
    """Say whether the source lists nothing in this stretch: then no page can show more than the pages beside it did."""
    return stretch.listed <= 0 and stretch.low.at > BEGINNING
