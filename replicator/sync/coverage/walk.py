"""A walk: reads one hole of the ledger from its newest end downwards, using only offsets into a list that changes.
Pure.

A `Walk` says which page to ask for next. It never decides what is proven (the ledger's `prove` does). It looks for a
page that begins *strictly newer* than the hole's top and ends *strictly older*: such a page closes the top of the hole.
Answers are applied to a walk in advance.py, failures in narrowing.py; list_end.py recognises the list's end.

The position of the top is one number, its rank: how many rows of the list are at or above it. Every page tells
something:

    it lies wholly below the top     rank <= offset                 search further up
    it lies wholly above the top     rank >= offset + rows          search further down
    it holds the top                 rank known: read next just above it, with one newer row and a little slack

A page that closes the top also gives the rank of the next top. Reading a row twice does no harm, and a row cannot be
skipped, because a gap between two pages stays a hole.

What cannot be proven (a tie group as large as a page, a row that makes its page fail, a list that ends while older
calls are known) is recorded as unsure with its reason, and the walk goes on below it. So a walk never loops.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from replicator.store.doubts import Doubt
from replicator.sync.coverage.ledger import END, HEAD_MARGIN, TICK, Interval, Piece
from replicator.sync.coverage.page import PAGE_LIMIT, Filter, Lane, Seen

if TYPE_CHECKING:
    from datetime import datetime

SLACK = 3
"""Additional rows of overlap where a rank is only estimated, so that a few deletions cost no further request."""
SEEK_PATIENCE = 48
"""After this many answers in a row that do not shrink the hole, its top is recorded as unsure: enough to
bisect any list.
"""
NARROW_PATIENCE = 12
"""The same where pages are small because larger ones fail: there the position is known to within a few rows."""
MOST_JUMPS = 20
"""After this many unsure stretches in a row, with no page that proves one, the source is treated as unsorted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The walk reads pages from the hole's top downwards."""


@dataclass(frozen=True, slots=True)
class Jumping:
    """The next page may begin below the hole's top: what lies between is then unsure, for this reason."""

    reason: Doubt


@dataclass(frozen=True, slots=True)
class CheckingEnd:
    """A page looked like the list's last one, and the walk now asks whether anything follows it."""

    page: Seen


@dataclass(frozen=True, slots=True)
class Convicting:
    """A page of one row fails. A row behind it is asked for, to see whether the source answers; then the row itself
    again.
    """

    row: int
    """Its offset."""
    then: Reading | Jumping | CheckingEnd
    """The mode before this one; the walk returns to it."""
    is_alive: bool = False
    """A row behind it was answered: if the row fails once more, the row is the cause and not the source."""


Mode: TypeAlias = Reading | Jumping | CheckingEnd | Convicting
"""What a walk is doing, and so what its next page is for."""
READING = Reading()


@dataclass(frozen=True, slots=True)
class Walk:
    """The reading of `hole` downwards. `offset` and `limit` are the page to ask for next, `mode` is its purpose."""

    lane: Lane
    hole: Interval
    offset: int
    limit: int = PAGE_LIMIT
    filter: Filter = ()
    mode: Mode = READING
    total: int | None = None
    low: int | None = None
    """The rank of the hole's top is at least this."""
    high: int | None = None
    """The rank of the hole's top is at most this."""
    stride: int = 0
    """How far beyond the known bound the next estimate of the rank goes."""
    stuck: int = 0
    """Answers in a row that did not shrink the hole."""
    slack: int = 0
    """Additional rows of overlap: as many as the list was lately seen to move up between two pages."""
    calm: int = 0
    """Pages in a row that would have needed less slack."""
    read_to: int | None = None
    """The offset behind the last page that began at or above the hole's top: all rows before it were seen."""
    wall: int | None = None
    """The row that makes a page from `offset` fail lies before this offset."""
    barrier: int | None = None
    """The offset of the row that was stepped over last. Pages begin behind it, or they would fail again."""
    has_failed: bool = False
    """A page has failed since a full page was last answered: this is why pages are small."""
    failures: int = 0
    """Failed pages since a page of this walk was last answered."""
    jumps: int = 0
    """Unsure stretches left behind in a row."""
    endings: int = 0
    """Checks of the list's end in a row."""
    empties: int = 0
    """Pages in a row without a readable row."""
    lonely: int = 0
    """Pages in a row with a single row, for no known reason."""
    gaps: int = 0
    """Stretches without any row that were stepped over in a row, though the total says that more rows exist."""

    @property
    def ending(self) -> Seen | None:
        """The page that looked like the list's last one, while that is being checked."""
        mode = self.mode.then if isinstance(self.mode, Convicting) else self.mode
        return mode.page if isinstance(mode, CheckingEnd) else None

    @property
    def suspect(self) -> int | None:
        """The offset of the row that is suspected to make its page fail."""
        return self.mode.row if isinstance(self.mode, Convicting) else None

    @property
    def is_alive(self) -> bool:
        """Say whether a row behind the suspect was answered."""
        return isinstance(self.mode, Convicting) and self.mode.is_alive

    @property
    def is_lost(self) -> bool:
        """Say whether the search for the hole's top has taken too many answers."""
        return self.stuck >= (NARROW_PATIENCE if self.has_failed else SEEK_PATIENCE)

    def no_longer_checking(self) -> Walk:
        """Return the walk after an answer that says nothing about the list's end."""
        return replace(self, mode=READING) if isinstance(self.mode, CheckingEnd) else self

    def moved(self, total: int | None) -> Walk:
        """Return the walk with its offsets moved to the same rows, after the list came to have `total` rows.

        A rank counted from the oldest end does not change when calls are created, so the offsets move by the growth of
        the list. A wrong estimate costs a request, and never loses a row.
        """
        if total is None or self.total is None or self.ending or self.offset == 0:
            return self
        shift = total - self.total
        # A suspected row stays where it was: if the estimate is wrong, two failures would be those of two rows. So the
        # evidence against it is collected again, which costs a few requests.
        return replace(
            self,
            total=total,
            offset=max(0, self.offset + shift),
            barrier=None if self.barrier is None else self.barrier + shift,
            read_to=None if self.read_to is None else self.read_to + shift,
            wall=None if self.wall is None else self.wall + shift,
            low=None if self.low is None else self.low + shift,
            high=None if self.high is None else self.high + shift,
        )


@dataclass(frozen=True, slots=True)
class Advance:
    """The result of one answer: pieces for the ledger, and the walk that is left (None when the hole is closed)."""

    pieces: tuple[Piece, ...]
    walk: Walk | None
    is_unsorted: bool = False
    """The source does not list by created_at: nothing can be proven by walking."""


def start(lane: Lane, hole: Interval, *, newer_calls: int) -> Walk:
    """Begin a walk. `newer_calls` estimates the rank: how many stored live calls are at or above the hole's top."""
    is_point = hole.until - hole.since <= TICK
    above = PAGE_LIMIT // 2 if is_point else 1 + SLACK
    return Walk(lane, hole, offset=0 if hole.until == END else max(0, newer_calls - above))


def land(walk: Walk, seen: Seen, first: datetime) -> tuple[Walk, tuple[Piece, ...]]:
    """Record what a jump left out: what lies between the hole's top and the page's first row is unsure."""
    if not isinstance(walk.mode, Jumping):
        return walk, ()
    reason, walk = walk.mode.reason, replace(walk, mode=READING, jumps=walk.jumps + 1)
    until = walk.hole.until
    if until == END and reason is Doubt.UNREADABLE and walk.barrier == 0 and seen.server_time is not None:
        until = seen.server_time - HEAD_MARGIN  # the row that cannot be read is the newest of the list
    unsure = Interval(max(first, walk.hole.since), until)
    if until == END or not unsure:
        return walk, ()
    return lowered(walk, first), (Piece(unsure.since, unsure.until, seen.asked_at, is_proven=False, reason=reason),)


def lowered(walk: Walk, top: datetime) -> Walk:
    """Return the walk with the hole's top lowered, and a new search for it."""
    if top >= walk.hole.until:
        return walk
    hole = Interval(walk.hole.since, min(top, walk.hole.until))
    return replace(walk, hole=hole, low=None, high=None, read_to=None, wall=None, stride=0, stuck=0, endings=0)


def search(walk: Walk, seen: Seen, *, low: int | None = None, high: int | None = None) -> Walk:
    """Choose the next page after one wholly above or below the top: growing steps first, bisection once both bounds are
    known.

    The list changes meanwhile, so a bound that contradicts the newest answer is dropped.
    """
    if low is not None:
        high = walk.high if walk.high is not None and walk.high >= low else None
    elif high is not None:
        low = walk.low if walk.low is not None and walk.low <= high else None
    stride = walk.stride
    if low is not None and high is not None:
        rank, stride = (low + high) // 2, 0
    elif low is not None:
        rank, stride = low + stride, max(2 * stride, seen.rows)
    else:
        rank, stride = (high or 0) - stride, max(2 * stride, 1 + SLACK)
    # A narrowed page has no room for the whole slack: it would end above the row that it must reach, again and again.
    offset = rank - 1 - min(SLACK, walk.limit // 4)
    if low is None:
        offset = within(walk, offset)
    if low == seen.behind:
        offset = max(offset, seen.offset + 1)
    return replace(walk, offset=max(0, offset), low=low, high=high, stride=stride, stuck=walk.stuck + 1)


def within(walk: Walk, offset: int) -> int:
    """Return the offset, or a smaller one near the list's end, where a page is not filled and overlap costs nothing.

    Half a page is left for rows that are pushed down meanwhile.
    """
    return offset if walk.total is None else max(0, min(offset, walk.total - PAGE_LIMIT // 2))


def after(pieces: tuple[Piece, ...], walk: Walk) -> Advance:
    """Return the result; it says that the list is unsorted where the walk has jumped too often."""
    return Advance(pieces, walk, is_unsorted=walk.jumps >= MOST_JUMPS)
