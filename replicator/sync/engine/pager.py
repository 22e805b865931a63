"""Starts the walks that are needed, and returns the page that a lane asks for next.

Pure: what it needs to know of the replica is yielded as a question (protocol/questions.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.sync.coverage import partitions
from replicator.sync.coverage.ledger import EVERYTHING, TICK
from replicator.sync.coverage.page import PAGE_LIMIT, Lane
from replicator.sync.coverage.walk import Walk, start
from replicator.sync.deletions.bisect import next_offset
from replicator.sync.engine.planner import (
    ACTIVE_AGE,
    clear_of,
    goals,
    head_walk,
    is_head_due,
    newest_unreadable,
    to_slice,
)
from replicator.sync.protocol.questions import CountNewer, OpenCalls, Values

if TYPE_CHECKING:
    from datetime import datetime

    from replicator.sync.engine.position import Position
    from replicator.sync.engine.state import Goal, State
    from replicator.sync.protocol.questions import Asking


def set_goals(position: Position, now: datetime) -> Asking[Position]:
    """Return the position with a walk for every hole that needs one, once the head was asked for."""
    state = position.state
    if is_head_due(state, now):
        position = replace(position, state=(yield from _kept_clear(state, now)))
        state = position.state
    if state.head_asked_at is None:
        return position
    if position.is_open_new and Lane.ACTIVE not in state.walks and not state.head_in_flight:
        state = replace(state, open_calls=tuple((yield OpenCalls(now - ACTIVE_AGE))))
        position = replace(position, is_open_new=False)
    begun: dict[Lane, Walk] = {}
    for goal in goals(state, now):
        begun[goal.lane] = _start(state, goal, (yield CountNewer(goal.hole.until)))
    if begun:
        state = replace(state, walks={**state.walks, **begun})
    if state is not position.state:
        position = replace(position, state=state)
    total = position.source.total
    wanted = None if total is None else to_slice(position.state, now, total, position.oldest_known)
    if wanted is None or total is None:
        return position
    statuses, directions, agents = yield Values()
    slices = partitions.begin(*wanted, total, statuses, directions, agents)
    return replace(position, state=replace(position.state, partitioning=slices))


def _kept_clear(state: State, now: datetime) -> Asking[State]:
    """Return the state with the newest stretch that holds an unreadable row: pages are ended before that row."""
    stretch = newest_unreadable(state.ledger, now)
    clear = PAGE_LIMIT
    if stretch is not None:
        clear = yield CountNewer(stretch.until - TICK, PAGE_LIMIT)
    if stretch is None or clear >= PAGE_LIMIT:
        stretch, clear = None, PAGE_LIMIT
    clear = max(1, clear)
    is_known = (stretch, clear) == (state.unreadable, state.clear)
    return state if is_known else replace(state, unreadable=stretch, clear=clear)


def _start(state: State, goal: Goal, newer_calls: int) -> Walk:
    """Begin the walk of a goal. If the goal lies right below an unreadable row, the walk begins right
    behind that row.
    """
    walk, known = start(goal.lane, goal.hole, newer_calls=newer_calls), state.unreadable
    if known is None or goal.hole.until > known.since:
        return walk
    is_behind = goal.hole.until == known.since
    return replace(walk, offset=newer_calls if is_behind else walk.offset + 1)


def next_page(position: Position, lane: Lane, *, is_head: bool) -> Walk:
    """Return the page that a lane asks for next, as the walk that asks for it."""
    state = position.state
    if is_head:
        return head_walk(state)
    if lane is Lane.SLICE and state.partitioning is not None:
        return state.partitioning.ask()
    if lane is Lane.SEARCH and state.search is not None:
        return Walk(lane, EVERYTHING, offset=next_offset(state.search, position.source.total or 0))
    if state.scan is not None:
        return Walk(lane, EVERYTHING, offset=state.scan.offset)
    return clear_of(state, state.walks[lane])
