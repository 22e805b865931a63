"""Decides what to ask next. Pure: (state, time) in, lanes and holes out.

The engine (engine/engine.py) keeps a `State`. It asks `goals` which walks to start, and `choose` which lanes may send
how many requests; answers.py applies the answers to the state. Nothing here reads a clock, a network or a database.

The lanes, most valuable first: new calls (fresh), calls that are still open (active), details of calls that just ended
(detail), history (backfill), details of history (backlog), what only filters can show (slice), where replica and source
differ (search), whether a missing call is deleted (confirm), what is due to be compared again (renewal), what was
compared longest ago (reread), details that were not there before (absent). What an operator asks to have compared
(compare) goes before the details of history. The more valuable lane goes first, but no lane starves: each has a
guaranteed share of the requests while it has work, and lends it when idle. The last two have no share.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from replicator.store.doubts import Doubt
from replicator.sync.coverage.counting import COUNTED_FROM
from replicator.sync.coverage.ledger import BEGINNING, END, TICK, UNREADABLE_EVERY, Interval, Ledger
from replicator.sync.coverage.page import Lane
from replicator.sync.coverage.walk import Walk
from replicator.sync.engine.credit import stale_before
from replicator.sync.engine.state import Goal, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


SHARES: Mapping[Lane, float] = {
    Lane.ACTIVE: 0.15,
    Lane.DETAIL: 0.15,
    Lane.BACKFILL: 0.15,
    Lane.COMPARE: 0.05,
    Lane.BACKLOG: 0.10,
    Lane.SLICE: 0.05,
    Lane.SEARCH: 0.05,
    Lane.CONFIRM: 0.05,
    Lane.RENEWAL: 0.10,
}
"""The share of the requests that each lane is guaranteed while it has work; the rest goes by value.

Re-reading on credit (REREAD) and details that were not there before (ABSENT) have none: they take what is left.
"""
SPENT_HORIZON = 400
"""About this many past requests count for the shares; older ones fade."""
ACTIVE_AGE = timedelta(hours=6)
"""An open call older than this is not polled as active: its end was probably lost at the source."""
DETAIL_AGE = timedelta(hours=1)
"""Details of calls younger than this go before history: those of calls that just ended, not of a whole day at a first
sync.
"""
SLICE_EVERY = timedelta(days=1)
"""How often a capped list is read through filters."""
DOUBTS_EVERY = timedelta(hours=1)
"""The time between two looks at the end of a list that could not be trusted."""
BY_ID = 0
"""The key through which calls are asked for by id: a 404 counts only between two controls of its own key. Other requests
leave it free as far as the other keys have room.
"""
LIST_LANES = (
    Lane.FRESH, Lane.ACTIVE, Lane.BACKFILL, Lane.COMPARE, Lane.SLICE, Lane.SEARCH, Lane.RENEWAL, Lane.REREAD,
)  # fmt: skip
PATIENT_LANES = tuple(lane for lane in Lane if lane not in {Lane.FRESH, Lane.ACTIVE, Lane.DETAIL})
"""Lanes that leave a part of each rate window to the others."""


def goals(state: State, now: datetime) -> list[Goal]:
    """Return the walks to be started: one for each list lane that has a hole to read and no walk yet."""
    if state.scan is not None or state.scanned_at is not None or not state.ledger.pieces:
        return []
    found: dict[Lane, Interval] = {}
    covered = Interval(BEGINNING, state.ledger.top)
    for hole in state.ledger.holes(covered):
        lane = Lane.BACKFILL if hole.since == BEGINNING else Lane.FRESH
        found.setdefault(lane, hole)
    for at in reversed(state.open_calls):
        piece = state.ledger.at(at)
        if piece is not None and now - piece.verified_at >= state.poll_every and now - at <= ACTIVE_AGE:
            found[Lane.ACTIVE] = Interval(at, at + TICK)
            break
    readable = _readable(state, now)
    if state.comparison is not None and (left := state.comparison.left(readable)):
        found[Lane.COMPARE] = left
    if state.renews and not state.in_flight.get(Lane.RENEWAL):
        due = readable.due(now, state.policy, state.begun_at) or _doubtful(readable, now)
        if due is not None:
            found[Lane.RENEWAL] = Interval(due.since, min(due.until, state.ledger.top))
    if Lane.COMPARE not in found and Lane.RENEWAL not in found and (stale := _stale(state, readable, now)):
        found[Lane.REREAD] = stale
    return [
        Goal(lane, hole)
        for lane, hole in found.items()
        if hole and not _is_left(state, now, hole) and _is_wanted(state, now, lane, hole)
    ]


def _is_left(state: State, now: datetime, hole: Interval) -> bool:
    """Say whether a hole is left for now because every page of it failed a while ago."""
    left = state.left.get(hole.until)
    return left is not None and now < left.until


def _is_wanted(state: State, now: datetime, lane: Lane, hole: Interval) -> bool:
    """Say whether a walk should begin: if its lane has none, or if the lane's walk is a renewal of older calls.

    In the second case the older renewal is interrupted, or today's calls would wait for a whole pass over last year's.
    It goes on later from the same place, because what it has read is in the ledger.
    """
    walk = state.walks.get(lane)
    if walk is None:
        return True
    if lane is not Lane.RENEWAL:
        return False
    return state.policy.age_class(now - (hole.until - TICK)) < state.policy.age_class(now - (walk.hole.until - TICK))


def _readable(state: State, now: datetime) -> Ledger:
    """Return the ledger without the stretches that are left alone at present: they must not keep others from being read."""
    ledger = state.ledger
    for left in state.left.values():
        if now < left.until:
            ledger = ledger.without(left.hole)
    return ledger


def _stale(state: State, readable: Ledger, now: datetime) -> Interval | None:
    """Return the stretch to be re-read on credit; None where there is no credit, or nothing was compared long enough
    ago.

    A walk that reaches the end of a capped list calls it unsure, and it is read through filters once more: so a capped
    list is re-read on credit as often as it is read through filters.
    """
    if not state.renews or not state.credit.is_any or Lane.REREAD in state.walks or state.in_flight.get(Lane.REREAD):
        return None
    before = stale_before(now, state.poll_every, state.begun_at, state.rest)
    if state.capped_at is not None:
        before = min(before, now - SLICE_EVERY)
    return readable.stalest(before, min(before, now - DOUBTS_EVERY))


def _doubtful(ledger: Ledger, now: datetime) -> Interval | None:
    """Return the stretch beyond a list's doubtful end, when it is due to be looked at again; else None."""
    if not ledger.pieces:
        return None
    lowest = ledger.pieces[0]
    is_due = lowest.reason == Doubt.BEYOND or (
        lowest.reason == Doubt.CAPPED and now - lowest.verified_at >= DOUBTS_EVERY
    )
    return lowest.interval if is_due and not lowest.is_proven else None


def to_slice(
    state: State, now: datetime, total: int, oldest_known: datetime | None
) -> tuple[Interval, Doubt | None] | None:
    """Return the stretch to read through filters next, with the reason; None where there is none.

    It is the newest stretch that only filters can prove, if it is due. Otherwise, if the end of a list of `total` calls
    is not in doubt but its slices are due to be counted, it is what lies beyond that end (with None as the reason).
    """
    if (
        state.partitioning is not None
        or state.scan is not None
        or state.scanned_at is not None
        or not state.ledger.pieces
    ):
        return None
    if state.ledger.holes(Interval(BEGINNING, state.ledger.top)):
        return None  # the filters are the values of stored calls
    is_time = state.sliced_at is None or now - state.sliced_at >= SLICE_EVERY
    for piece in reversed(state.ledger.pieces):
        if not piece.is_proven and (
            piece.reason in {Doubt.TIE, Doubt.ROUND}
            or (piece.reason in {Doubt.CAPPED, Doubt.SLICED, Doubt.SPLIT_CAP} and is_time)
            or (piece.reason == Doubt.CAPPED and state.capped_at is not None)
        ):
            return piece.interval, piece.reason
    lowest = state.ledger.pieces[0]
    if not is_time or not lowest.is_proven or total < COUNTED_FROM:
        return None
    end = lowest.until if oldest_known is None else min(oldest_known + TICK, lowest.until)
    return Interval(lowest.since, end), None


def is_head_due(state: State, now: datetime) -> bool:
    """Say whether to read the newest end of the list now: not while a failed page there is being narrowed."""
    walk = state.walks.get(Lane.FRESH)
    if (walk is not None and walk.hole.until == END) or _is_left(state, now, Interval(BEGINNING, END)):
        return False
    return not state.head_in_flight and (state.head_asked_at is None or now - state.head_asked_at >= state.poll_every)


def head_walk(state: State) -> Walk:
    """Return the walk that reads the head: everything above what is covered, from offset 0."""
    return clear_of(state, Walk(Lane.FRESH, Interval(state.ledger.top, END), offset=0))


def newest_unreadable(ledger: Ledger, now: datetime) -> Interval | None:
    """Return the newest stretch with an unreadable row; None where there is none, or where it is due
    to be read again.
    """
    for piece in reversed(ledger.pieces):
        if piece.reason == Doubt.UNREADABLE and not piece.is_proven:
            return piece.interval if now - piece.verified_at < UNREADABLE_EVERY else None
    return None


def clear_of(state: State, walk: Walk) -> Walk:
    """Return the walk with a smaller page, if the page would include a row that is known to make its page fail.

    This is done only where what the walk asks for lies above that row. If the list has moved, it costs as many requests
    as it saves elsewhere.
    """
    if state.unreadable is None or walk.hole.since < state.unreadable.until - TICK:
        return walk
    if walk.stuck or walk.suspect is not None:
        return walk
    if not walk.offset < state.clear < walk.offset + walk.limit:
        return walk
    return replace(walk, limit=state.clear - walk.offset)


def through(key: int, lanes: Sequence[Lane]) -> list[Lane]:
    """Return the lanes whose requests may go through a key. Calls are asked for by id through one key only."""
    return [lane for lane in lanes if key == BY_ID or lane is not Lane.CONFIRM]


def rest(lanes: Sequence[Lane], taken: Sequence[Lane]) -> list[Lane]:
    """Return the lanes, each as often as it was not taken, in their order."""
    left = Counter(taken)
    found = []
    for lane in lanes:
        left[lane] -= 1
        if left[lane] < 0:
            found.append(lane)
    return found


def choose(state: State, now: datetime, free: int, spare: int | None = None) -> list[Lane]:
    """Return the lanes that may send a request now, at most `free`, most deserving first.

    FRESH stands for the head poll when that is due, and otherwise for the walk that catches up. `spare` is how many of
    the requests may go to lanes that can wait (None: no limit); the rest of a rate window is kept for new data.
    """
    work = _work(state, now)
    spent = dict(state.spent)
    lists = sum(state.in_flight.get(lane, 0) for lane in LIST_LANES) + state.head_in_flight
    chosen: list[Lane] = []
    while len(chosen) < free:
        can_wait = spare is None or spare > len(chosen)
        ready = [
            lane
            for lane in Lane
            if work.get(lane, 0) > 0
            and (lane not in LIST_LANES or lists < state.most_pages)
            and (can_wait or lane not in PATIENT_LANES)
        ]
        if not ready:
            break
        lane = _most_deserving(ready, spent)
        chosen.append(lane)
        work[lane] -= 1
        lists += lane in LIST_LANES
        spent[lane] = spent.get(lane, 0) + 1
    return chosen


def _work(state: State, now: datetime) -> dict[Lane, int]:
    """Return how many requests each lane could send now."""
    work = _wanted(state, now)
    if state.bound is None:
        return work
    if state.bound.is_list_spent:
        work = {lane: count for lane, count in work.items() if lane not in LIST_LANES}
    if state.bound.is_by_id_spent:
        work = {lane: count for lane, count in work.items() if lane in LIST_LANES}
    return work


def _wanted(state: State, now: datetime) -> dict[Lane, int]:
    """Return how many requests each lane would send if the run had no bound."""
    work = {lane: int(lane in state.walks and not state.in_flight.get(lane)) for lane in LIST_LANES}
    work[Lane.REREAD] *= state.credit.is_any
    if state.scan is not None:
        work = {Lane.BACKFILL: int(not state.in_flight.get(Lane.BACKFILL))}
    work[Lane.SLICE] = int(state.partitioning is not None and not state.in_flight.get(Lane.SLICE))
    work[Lane.SEARCH] = int(state.search is not None and not state.in_flight.get(Lane.SEARCH))
    if not state.is_identified:
        return {Lane.FRESH: int(is_head_due(state, now)), Lane.CONFIRM: state.details.get(Lane.CONFIRM, 0)}
    work[Lane.FRESH] = work.get(Lane.FRESH, 0) + is_head_due(state, now)
    return {**work, **state.details}


def _most_deserving(ready: Sequence[Lane], spent: Mapping[Lane, float]) -> Lane:
    """Return the lane furthest below its guaranteed share, or the most valuable one when none is below."""
    total = sum(spent.values()) + 1
    owed = {lane: SHARES.get(lane, 0) * total - spent.get(lane, 0) for lane in ready}
    neediest = max(ready, key=lambda lane: owed[lane])
    return neediest if owed[neediest] >= 1 else ready[0]


def detail_lane(call_created_at: datetime | None, now: datetime, *, waits_last: bool = False) -> Lane:
    """Return the lane of a detail: DETAIL for recent calls, BACKLOG for history, ABSENT for what was not there before."""
    if waits_last:
        return Lane.ABSENT
    is_young = call_created_at is not None and now - call_created_at <= DETAIL_AGE
    return Lane.DETAIL if is_young else Lane.BACKLOG


def is_cut_short(state: State, now: datetime) -> bool:
    """Say whether requests are wanted, and the run's bound allows none of them."""
    return not any(_work(state, now).values()) and any(_wanted(state, now).values())


def sent(state: State, lane: Lane, count: int = 1, *, is_head: bool = False, at: datetime | None = None) -> State:
    """Return the state after requests of this lane were sent."""
    if state.bound is not None:
        state = replace(state, bound=state.bound.sent(is_list=is_head or lane in LIST_LANES, count=count))
    if lane in {Lane.RENEWAL, Lane.REREAD}:
        state = replace(state, credit=state.credit.spent(count))
    spent = {**state.spent, lane: state.spent.get(lane, 0) + count}
    if sum(spent.values()) > SPENT_HORIZON:
        spent = {key: value / 2 for key, value in spent.items()}
    if is_head:
        return replace(state, spent=spent, head_in_flight=True, head_asked_at=at)
    return replace(state, spent=spent, in_flight={**state.in_flight, lane: state.in_flight.get(lane, 0) + count})


def completed(state: State, lane: Lane, count: int = 1, *, is_head: bool = False) -> State:
    """Return the state after answers to (or failures of) `count` requests of this lane came in."""
    if is_head:
        return replace(state, head_in_flight=False)
    return replace(state, in_flight={**state.in_flight, lane: max(0, state.in_flight.get(lane, 0) - count)})
