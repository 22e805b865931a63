"""How one hole of the ledger is read from its newest end downwards, with nothing but offsets over a moving list.

Pure. A `Walk` says which page to ask next; `advance` takes the answer and returns what to record in the ledger and
the walk that is left. It never decides what is proven (the ledger's `prove` does): it only aims. The one aim is a
page that begins *strictly newer* than the hole's top and ends *strictly older*: then the top of the hole closes.

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
from enum import StrEnum
from typing import TYPE_CHECKING

from replicator.sync.coverage.ledger import (
    END,
    HEAD_MARGIN,
    TICK,
    UNREADABLE,
    Interval,
    Piece,
    order_of,
    prove,
    prove_empty,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

Filter = tuple[tuple[str, str], ...]
"""(parameter, value) pairs of a filtered list."""
PAGE_LIMIT = 100
"""The contract's largest page."""
SLACK = 3
"""Rows of overlap beyond what the proof needs where a rank is guessed, so that a few deletions cost no extra request."""
MOST_SLACK = 24
CALM_PAGES = 20
"""Pages in a row that used less than their slack before it is made smaller by one row."""
MOST_FAILURES = 3
"""Pages without a readable row, one after the other, before they are stepped over."""
MOST_LONELY = 4
"""Pages in a row that hold one row, though more were asked for and are there: nothing lies between the ends of such a page, so
the order proves nothing."""
MOST_GAPS = 3
"""Stretches of the list without any row that are stepped over before its total is taken for wrong."""
MOST_IN_A_ROW = 40
"""Failures of one walk in a row, with no page of it answered, before it is left for this run: the source answers others, and
fails here whatever is asked."""
MOST_PROBES = 4
"""Rows behind an unreadable one that are asked for a sign of life."""
SEEK_PATIENCE = 48
"""Answers in a row that do not shrink the hole before its top is declared unsure: enough to bisect any list."""
NARROW_PATIENCE = 12
"""The same where pages are small because a row there makes larger ones fail: the place is known within a few rows."""
TIE = "a tie group as large as a page"
BEYOND = "calls are stored that are older than the end of the list"
ROUND = "the list ends at a round number of calls: it may be capped"
SLICED = (
    "the list is capped: what lies behind was read by status and direction, and calls of other values may be missing"
)
CAPPED = "the list ends while older calls are known: it may be capped"
EMPTY = "the source lists no call: an account that is empty looks like one that shows nothing"
LOST = "the list could not be followed here"
TIE_PATIENCE = 6
"""Answers in a row that show nothing but one tie group, for servers that send short pages."""
END_PATIENCE = 8
"""Checks of the list's end, each a little further out, before it is declared unsure."""
ROUND_CALLS = 500
"""Storage layers cap a list at multiples of this: a list that ends at one is not believed without another witness."""
MOST_JUMPS = 20
"""Unsure stretches that one walk may leave behind in a row, with no page that proves one, before the source is treated as
unsorted."""


class Lane(StrEnum):
    """Why a request is made, most valuable first."""

    FRESH = "fresh"
    ACTIVE = "active"
    DETAIL = "detail"
    BACKFILL = "backfill"
    BACKLOG = "backlog"
    SLICE = "slice"
    SEARCH = "search"
    CONFIRM = "confirm"
    RENEWAL = "renewal"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a walk needs of one list response. `asked_at` is our clock when the request was sent."""

    created: tuple[datetime | None, ...]
    offset: int
    total: int | None
    asked_at: datetime
    server_time: datetime | None = None
    ids: tuple[UUID, ...] = ()
    """The calls on it, for what the end of a list says of membership."""

    @property
    def rows(self) -> int:
        return len(self.created)

    @property
    def behind(self) -> int:
        """The offset right behind this page."""
        return self.offset + self.rows


@dataclass(frozen=True, slots=True)
class Walk:
    """Reading `hole` downwards. `offset` and `limit` are what to ask next."""

    lane: Lane
    hole: Interval
    offset: int
    limit: int = PAGE_LIMIT
    filter: Filter = ()
    total: int | None = None
    low: int | None = None
    """The rank of the hole's top is at least this."""
    high: int | None = None
    """The rank of the hole's top is at most this."""
    slack: int = 0
    """Rows of overlap beyond what the proof needs: as many as the list was lately seen to move up between two pages."""
    calm: int = 0
    """Pages in a row that would have needed less slack."""
    read_to: int | None = None
    """Right behind the last page that began at or above the hole's top: what lies before this was seen."""
    wall: int | None = None
    """A row before this offset makes the page from here fail."""
    stride: int = 0
    stuck: int = 0
    jumps: int = 0
    jump_reason: str = ""
    """Where set, the next page may begin below the top; what lies between is unsure for this reason."""
    ending: Seen | None = None
    """The page that looked like the last one: what is asked now is whether anything lies behind it."""
    endings: int = 0
    empties: int = 0
    lonely: int = 0
    """Pages in a row that held a single row, for no reason that is known."""
    gaps: int = 0
    """Stretches without any row that were stepped over, one after the other, though the total says that more is there."""
    failures: int = 0
    """Pages that failed since one of this walk was answered."""
    has_failed: bool = False
    """A page has failed since the last full one was answered: small pages are small for that reason."""
    suspect: int | None = None
    """The offset of a row that alone makes its page fail, perhaps: a row behind it is asked whether the source lives."""
    is_alive: bool = False
    """A row behind the suspect was answered: if the suspect fails once more, it is the row and not the source."""
    barrier: int | None = None
    """The offset of the row that was stepped over last: pages begin behind it, or they would fail again."""

    @property
    def is_lost(self) -> bool:
        """Say whether the hole's top was looked for often enough."""
        return self.stuck >= (NARROW_PATIENCE if self.has_failed else SEEK_PATIENCE)

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


def advance(walk: Walk, seen: Seen, *, oldest_known: datetime | None) -> Advance:
    """Take the answer to the walk's page.

    `oldest_known` is the created_at of the replica's oldest live call: a list that ends above it is not believed.
    """
    outcome = _advance(walk, seen, oldest_known)
    left = outcome.walk
    if left is not None and left.barrier is not None and left.suspect is None and left.offset <= left.barrier:
        return replace(outcome, walk=replace(left, offset=left.barrier + 1))
    return outcome


def _advance(walk: Walk, seen: Seen, oldest_known: datetime | None) -> Advance:
    total, asked_limit = walk.total if seen.total is None else seen.total, walk.limit
    if walk.suspect is not None and seen.offset != walk.suspect:
        return Advance((), replace(walk, total=total, offset=walk.suspect, limit=1, is_alive=True, failures=0))
    walk = replace(
        walk, limit=min(PAGE_LIMIT, 2 * walk.limit), total=total, suspect=None, is_alive=False,
        has_failed=walk.has_failed and walk.limit < PAGE_LIMIT, failures=0,
    )  # fmt: skip
    known = [at for at in seen.created if at is not None]
    if not known:
        return _advance_without_rows(walk, seen, oldest_known)
    is_lonely = asked_limit > MOST_LONELY and seen.rows == 1 and (total is None or seen.behind < total)
    walk = replace(walk, lonely=walk.lonely + 1 if is_lonely else 0)
    if order_of(seen.created) != "descending" or walk.lonely >= MOST_LONELY:
        return Advance((), walk, is_unsorted=True)
    walk, pieces = _land(replace(walk, empties=0, gaps=0, ending=None), seen, known[0])
    proven = prove(seen.created, offset=seen.offset, server_time=seen.server_time)
    if proven:
        pieces = (*pieces, Piece(proven.since, proven.until, seen.asked_at))
    return _aimed(walk, seen, pieces) if walk.hole else Advance(pieces, None)


def _aimed(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Aim the next page, after one with readable rows in falling order."""
    known, top = [at for at in seen.created if at is not None], walk.hole.until
    if known[0] < top and walk.barrier is not None and seen.offset == walk.barrier + 1:
        # Nothing newer can be had in one page with this: what lies between stays unsure.
        walk, doubt = _land(replace(walk, jump_reason=UNREADABLE), seen, known[0])
        pieces, top = (*pieces, *doubt), walk.hole.until
    if known[0] >= top:
        walk = replace(walk, read_to=seen.behind)
    elif seen.offset > 0 and walk.is_lost:
        # The top was looked for often enough. A whole page is asked for from where it must be, and what lies above is unsure.
        begin = seen.offset if walk.low is None else min(walk.low, seen.offset)
        return _after(pieces, replace(walk, offset=begin, limit=PAGE_LIMIT, jump_reason=LOST))
    if seen.offset > 0 and known[0] < top:
        return _after(pieces, _search(walk, seen, high=seen.offset))
    if _looks_last(seen, walk):
        walk = _lowered(walk, known[-1] + TICK)
        return _check_the_end(walk, seen, pieces) if walk.hole else Advance(pieces, None)
    if known[-1] >= top:
        return _after(pieces, _search(walk, seen, low=seen.behind))
    if known[-1] == top - TICK:
        return _inside_tie(walk, seen, pieces)
    return _closed(walk, seen, pieces)


def _closed(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """A page began above the hole's top and ended below it: the top is lowered, and the next page is aimed right above."""
    known = [at for at in seen.created if at is not None]
    if seen.offset > 0:
        walk = _slackened(walk, above=sum(at >= walk.hole.until for at in known))
    walk = replace(_lowered(walk, known[-1] + TICK), jumps=0)
    newer = seen.offset + seen.created.index(known[-1]) - 1
    aim = newer - walk.slack
    if seen.rows == PAGE_LIMIT:
        aim = _within(walk, aim)
    return Advance(pieces, replace(walk, offset=max(0, aim, min(seen.offset + 1, newer))) if walk.hole else None)


def _within(walk: Walk, offset: int) -> int:
    """Return the offset, or near the end of the list a smaller one: overlap costs nothing where a page is not filled.

    Half a page is left for rows that are pushed down meanwhile.
    """
    return offset if walk.total is None else max(0, min(offset, walk.total - PAGE_LIMIT // 2))


def _slackened(walk: Walk, *, above: int) -> Walk:
    """Return the walk with the slack that its next pages need, after a page with so many rows above the hole's top.

    In a quiet list that is none. Where rows vanish above, pages come up short of their slack, or begin below the top,
    which costs a request: as much as one row of slack over a hundred pages.
    """
    if walk.stuck:
        # One before this had missed the top: twice the slack and a row would have done, perhaps.
        return replace(walk, slack=min(MOST_SLACK, 2 * walk.slack + 1), calm=0)
    spared = above - 1
    if spared < walk.slack:
        return replace(walk, slack=max(walk.slack, min(MOST_SLACK, walk.slack - spared + 1)), calm=0)
    if walk.calm < CALM_PAGES:
        return replace(walk, calm=walk.calm + 1)
    return replace(walk, slack=max(0, walk.slack - 1), calm=0)


def fail(walk: Walk) -> Advance:
    """Take a failure of the walk's page.

    The page is halved, or where a smaller one from the same row was answered, cut to the middle between the two, until one
    row is left. That row is stepped over only when a row behind it is answered and it then fails again: a source that fails
    altogether convicts nobody. What lies around it is unsure.
    """
    walk = replace(walk, failures=walk.failures + 1)
    if walk.limit > 1:
        wall = walk.offset + walk.limit
        is_extended = walk.read_to is not None and walk.offset < walk.read_to < wall
        walk = replace(walk, has_failed=True, wall=wall)
        return Advance((), _extended(walk) if is_extended else replace(walk, limit=walk.limit // 2))
    if walk.suspect is None:
        return Advance((), replace(walk, suspect=walk.offset, offset=walk.offset + 1))
    if walk.offset == walk.suspect and walk.is_alive:
        beyond = replace(
            walk, suspect=None, is_alive=False, barrier=walk.offset, offset=walk.offset + 1, limit=PAGE_LIMIT,
            ending=None, jump_reason=UNREADABLE,
        )  # fmt: skip
        return _after((), beyond)
    if walk.offset < walk.suspect + MOST_PROBES:
        return Advance((), replace(walk, offset=walk.offset + 1))
    return Advance((), replace(walk, offset=walk.suspect, suspect=None))


def _land(walk: Walk, seen: Seen, first: datetime) -> tuple[Walk, tuple[Piece, ...]]:
    """After a jump: what lies between the hole's top and the first row of this page is unsure."""
    if not walk.jump_reason:
        return walk, ()
    reason, walk = walk.jump_reason, replace(walk, jump_reason="", jumps=walk.jumps + 1)
    until = walk.hole.until
    if until == END and reason == UNREADABLE and walk.barrier == 0 and seen.server_time is not None:
        until = seen.server_time - HEAD_MARGIN  # the row that cannot be read is the newest of the list
    unsure = Interval(max(first, walk.hole.since), until)
    if until == END or not unsure:
        return walk, ()
    return _lowered(walk, first), (Piece(unsure.since, unsure.until, seen.asked_at, is_proven=False, reason=reason),)


def _lowered(walk: Walk, top: datetime) -> Walk:
    """Return the walk with the hole's top lowered, and the search for it begun anew."""
    if top >= walk.hole.until:
        return walk
    hole = Interval(walk.hole.since, min(top, walk.hole.until))
    return replace(walk, hole=hole, low=None, high=None, read_to=None, wall=None, stride=0, stuck=0, endings=0)


def _looks_last(seen: Seen, walk: Walk) -> bool:
    """Say whether the list seems to end with this page: by the total, or because it brought nothing older."""
    if seen.total is None:
        return seen.created[-1] == walk.hole.until - TICK or (
            walk.high is not None and walk.high <= seen.behind + SLACK
        )
    return seen.behind >= seen.total


def _check_the_end(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """Ask whether anything lies behind the page that looks like the last one: there, and if the list has grown
    meanwhile, so that rows were pushed there, a little further each time.
    """
    if walk.endings > END_PATIENCE:
        return _give_up_the_end(walk, seen, pieces)
    beyond = seen.behind + walk.endings**2
    return Advance(pieces, replace(walk, offset=beyond, ending=seen, endings=walk.endings + 1))


def _give_up_the_end(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """The list's end can be neither reached nor proven: what is left of the hole is unsure."""
    if walk.hole.until == END:
        return Advance(pieces, None)
    reason = "the list's end could not be proven"
    rest = Piece(walk.hole.since, walk.hole.until, seen.asked_at, is_proven=False, reason=reason)
    return Advance((*pieces, rest), None)


def _search(walk: Walk, seen: Seen, *, low: int | None = None, high: int | None = None) -> Walk:
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
        offset = _within(walk, offset)
    if low == seen.behind:
        offset = max(offset, seen.offset + 1)
    return replace(walk, offset=max(0, offset), low=low, high=high, stride=stride, stuck=walk.stuck + 1)


def _inside_tie(walk: Walk, seen: Seen, pieces: tuple[Piece, ...]) -> Advance:
    """The page ends inside the tie group at the hole's top: aim right above it, or give the group up as unprovable."""
    top = walk.hole.until
    above = sum(1 for at in seen.created if at is not None and at >= top)
    if above > 1 and not walk.is_lost:
        return Advance(pieces, replace(walk, offset=seen.offset + above - 1, stuck=walk.stuck + 1, low=None, high=None))
    if walk.has_failed and seen.rows < PAGE_LIMIT and walk.stuck:
        return Advance(pieces, _extended(replace(walk, offset=seen.offset, read_to=seen.behind, stuck=walk.stuck + 1)))
    if seen.rows < PAGE_LIMIT and walk.stuck < TIE_PATIENCE:
        return Advance(pieces, replace(walk, offset=seen.offset, stuck=walk.stuck + 1))
    tie = Piece(top - TICK, top, seen.asked_at, is_proven=False, reason=TIE)
    left = replace(_lowered(walk, top - TICK), offset=max(seen.offset + 1, seen.behind - 1))
    return Advance((*pieces, tie), left if left.hole else None)


def _extended(walk: Walk) -> Walk:
    """Aim between what a page from here showed and what made one fail. Calls of one instant come in any order, so only one
    page that shows all of them, up to the row that cannot be read, leaves none out. The row behind it is asked for alone.
    """
    read_to, wall = walk.read_to, walk.wall
    if read_to is None:
        return walk
    is_known = wall is not None and wall > read_to
    if not is_known and walk.offset < read_to and not walk.is_lost:
        return replace(walk, limit=min(PAGE_LIMIT, 2 * (read_to - walk.offset)))
    if wall is None or wall <= read_to + 1 or not walk.offset < read_to:
        return replace(walk, offset=read_to, limit=1)
    return replace(walk, limit=(read_to + wall) // 2 - walk.offset)


def _advance_without_rows(walk: Walk, seen: Seen, oldest_known: datetime | None) -> Advance:
    """Take a page without a readable row: the end of the list, an empty account, a page too deep, or a fault."""
    walk = replace(walk, empties=walk.empties + 1, stuck=walk.stuck + 1)
    # Where this answer does not say how long the list is, an earlier one did.
    nothing_behind = seen.rows == 0 and (walk.total is None or walk.total <= seen.offset)
    if nothing_behind and (walk.ending is not None or seen.offset == 0):
        if seen.total is None and walk.empties < 2:  # noqa: PLR2004 - without a total the end needs two looks
            return Advance((), walk)
        return _at_the_end(walk, seen, oldest_known)
    if nothing_behind and walk.barrier is not None and seen.offset == walk.barrier + 1:
        return _give_up_the_end(walk, seen, ())  # the last row of the list is one that cannot be read
    if nothing_behind and walk.stuck < SEEK_PATIENCE:
        end = seen.offset if seen.total is None else seen.total
        return _after((), replace(_search(walk, seen, high=end), empties=0))
    if walk.empties < MOST_FAILURES:
        return Advance((), replace(walk, ending=None))
    gaps = 0 if seen.rows else walk.gaps + 1
    if nothing_behind or gaps >= MOST_GAPS:
        return _give_up_the_end(walk, seen, ())
    beyond = seen.offset + max(seen.rows, PAGE_LIMIT // 2)
    left = replace(walk, empties=0, gaps=gaps, ending=None, offset=beyond, jump_reason="pages without a readable row")
    return _after((), left)


def _at_the_end(walk: Walk, seen: Seen, oldest_known: datetime | None) -> Advance:
    """Nothing lies behind `walk.ending` (or in the whole list): the hole closes, unless older calls are known."""
    last = walk.ending
    if last is None:
        claim = prove_empty(seen.server_time)
        is_doubtful = oldest_known is not None
        reason = "the source answers with an empty list, but calls are known"
    else:
        claim = prove(last.created, offset=last.offset, server_time=last.server_time, is_last=True)
        oldest_listed = min(at for at in last.created if at is not None)
        is_doubtful = oldest_known is not None and oldest_known < oldest_listed
        reason = CAPPED
        if last.total is None:
            # The empty page is a later look than the last page: a deletion in between could hide a row from both.
            is_doubtful = True
            reason = "the source does not say how many calls it has: the end of its list cannot be proven"
        elif not is_doubtful and not walk.filter and last.total > 0 and last.total % ROUND_CALLS == 0:
            is_doubtful, reason = True, ROUND
    if claim is None:
        return Advance((), None)
    asked_at = (last or seen).asked_at
    if not is_doubtful:
        return Advance((Piece(claim.since, claim.until, asked_at),), None)
    doubt = Interval(walk.hole.since, min(walk.hole.until, claim.until))
    pieces = (Piece(doubt.since, doubt.until, asked_at, is_proven=False, reason=reason),) if doubt else ()
    return Advance(pieces, None)


def _after(pieces: tuple[Piece, ...], walk: Walk) -> Advance:
    """Return the outcome, or give the walk up where it has had to jump too often."""
    return Advance(pieces, walk, is_unsorted=walk.jumps >= MOST_JUMPS)
