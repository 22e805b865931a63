"""A walk: how one hole of the ledger is read from its newest end downwards, with nothing but offsets over a moving list.

Pure. A `Walk` says which page to ask next. It never decides what is proven (the ledger's `prove` does): it only aims. The
one aim is a page that begins *strictly newer* than the hole's top and ends *strictly older*: then the top of the hole
closes. What an answer does to a walk is in advance.py, what a failure does in narrowing.py, how the list's end is
recognised in list_end.py.

Where the top lies is one number, its rank: how many rows of the list are at or above it. Every page tells something:
    it lies wholly below the top     rank <= offset                 search further up
    it lies wholly above the top     rank >= offset + rows          search further down
    it holds the top                 rank known: aim just above it, with one strictly newer row and a little slack
and a page that closes the top tells the rank of the next one. Rows that repeat are harmless; rows that are skipped
are impossible, because a gap between two pages stays a hole.

What cannot be proven (a tie group as large as a page, a row that makes its page unreadable, a list that ends while
older calls are known) is recorded as unsure with the reason, and the walk goes on below it: it never loops.
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
"""Rows of overlap beyond what the proof needs where a rank is guessed, so that a few deletions cost no extra request."""
SEEK_PATIENCE = 48
"""Answers in a row that do not shrink the hole before its top is declared unsure: enough to bisect any list."""
NARROW_PATIENCE = 12
"""The same where pages are small because a row there makes larger ones fail: the place is known within a few rows."""
MOST_JUMPS = 20
"""Unsure stretches that one walk may leave behind in a row, with no page that proves one, before the source is treated as
unsorted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Pages are read from the hole's top downwards."""


@dataclass(frozen=True, slots=True)
class Jumping:
    """The next page may begin below the hole's top: what lies between is unsure for this reason."""

    reason: Doubt


@dataclass(frozen=True, slots=True)
class CheckingEnd:
    """A page looked like the list's last one: what is asked now is whether anything lies behind it."""

    page: Seen


@dataclass(frozen=True, slots=True)
class Convicting:
    """One row alone makes its page fail, perhaps: a row behind it is asked whether the source lives, then the row again."""

    row: int
    """Its offset."""
    then: Reading | Jumping | CheckingEnd
    """What the walk did before, and goes on with."""
    is_alive: bool = False
    """A row behind it was answered: if it fails once more, it is the row and not the source."""


Mode: TypeAlias = Reading | Jumping | CheckingEnd | Convicting
"""What a walk is doing: the meaning of its next page."""
READING = Reading()


@dataclass(frozen=True, slots=True)
class Walk:
    """Reading `hole` downwards. `offset` and `limit` are what to ask next, `mode` is why."""

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
    """How far the next guess of the rank goes beyond what is known."""
    stuck: int = 0
    """Answers in a row that did not shrink the hole."""
    slack: int = 0
    """Rows of overlap beyond what the proof needs: as many as the list was lately seen to move up between two pages."""
    calm: int = 0
    """Pages in a row that would have needed less slack."""
    read_to: int | None = None
    """Right behind the last page that began at or above the hole's top: what lies before this was seen."""
    wall: int | None = None
    """A row before this offset makes the page from here fail."""
    barrier: int | None = None
    """The offset of the row that was stepped over last: pages begin behind it, or they would fail again."""
    has_failed: bool = False
    """A page has failed since the last full one was answered: small pages are small for that reason."""
    failures: int = 0
    """Pages that failed since one of this walk was answered."""
    jumps: int = 0
    """Unsure stretches that were left behind in a row."""
    endings: int = 0
    """Checks of the list's end in a row."""
    empties: int = 0
    """Pages without a readable row in a row."""
    lonely: int = 0
    """Pages in a row that held a single row, for no reason that is known."""
    gaps: int = 0
    """Stretches without any row that were stepped over, one after the other, though the total says that more is there."""

    @property
    def ending(self) -> Seen | None:
        """The page that looked like the list's last one, while that is checked."""
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
        """Say whether the hole's top was looked for often enough."""
        return self.stuck >= (NARROW_PATIENCE if self.has_failed else SEEK_PATIENCE)

    def no_longer_checking(self) -> Walk:
        """Return the walk after an answer that is no word about the list's end."""
        return replace(self, mode=READING) if isinstance(self.mode, CheckingEnd) else self

    def moved(self, total: int | None) -> Walk:
        """Return the walk aimed at the same place after the list came to have `total` rows.

        Rank counted from the oldest end does not move when calls are created, so the offset shifts by the growth.
        A wrong guess costs a request, never a row.
        """
        if total is None or self.total is None or self.ending or self.offset == 0:
            return self
        shift = total - self.total
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
    """The outcome of one answer: pieces for the ledger, and the walk that is left (None when the hole is closed)."""

    pieces: tuple[Piece, ...]
    walk: Walk | None
    is_unsorted: bool = False
    """The source does not list by created_at: nothing can be proven by walking."""


def start(lane: Lane, hole: Interval, *, newer_calls: int) -> Walk:
    """Begin a walk. `newer_calls` is the replica's number of live calls at or above the hole's top: the rank guess."""
    is_point = hole.until - hole.since <= TICK
    above = PAGE_LIMIT // 2 if is_point else 1 + SLACK
    return Walk(lane, hole, offset=0 if hole.until == END else max(0, newer_calls - above))


def land(walk: Walk, seen: Seen, first: datetime) -> tuple[Walk, tuple[Piece, ...]]:
    """After a jump: what lies between the hole's top and the first row of this page is unsure."""
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
    """Return the walk with the hole's top lowered, and the search for it begun anew."""
    if top >= walk.hole.until:
        return walk
    hole = Interval(walk.hole.since, min(top, walk.hole.until))
    return replace(walk, hole=hole, low=None, high=None, read_to=None, wall=None, stride=0, stuck=0, endings=0)


def search(walk: Walk, seen: Seen, *, low: int | None = None, high: int | None = None) -> Walk:
    """Aim again after a page that lay wholly above or below the top; galloping first, bisecting once both are known.

    The list moves meanwhile, so a bound that contradicts the newest answer is forgotten.
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
    # A page that was narrowed down has no room for the whole slack: it would end above what it is to reach, again and again.
    offset = rank - 1 - min(SLACK, walk.limit // 4)
    if low is None:
        offset = within(walk, offset)
    if low == seen.behind:
        offset = max(offset, seen.offset + 1)
    return replace(walk, offset=max(0, offset), low=low, high=high, stride=stride, stuck=walk.stuck + 1)


def within(walk: Walk, offset: int) -> int:
    """Return the offset, or near the end of the list a smaller one: overlap costs nothing where a page is not filled.

    Half a page is left for rows that are pushed down meanwhile.
    """
    return offset if walk.total is None else max(0, min(offset, walk.total - PAGE_LIMIT // 2))


def after(pieces: tuple[Piece, ...], walk: Walk) -> Advance:
    """Return the outcome, or give the walk up where it has had to jump too often."""
    return Advance(pieces, walk, is_unsorted=walk.jumps >= MOST_JUMPS)
