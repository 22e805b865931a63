"""Applies a failed page to a walk: the page is narrowed to one row, and the row is stepped over if it is the cause.
Pure.
"""

from __future__ import annotations

from dataclasses import replace

from replicator.store.doubts import Doubt
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.sync.coverage.walk import Advance, Convicting, Jumping, Walk, after

MOST_IN_A_ROW = 40
"""After this many failures in a row, without one answered page, this run leaves the walk: the source answers other
requests, and fails here whatever is asked for.
"""
MOST_PROBES = 4
"""How many rows behind an unreadable row are tried, to see whether the source answers at all."""


def fail(walk: Walk) -> Advance:
    """Apply a failure of the walk's page.

    The page is halved until one row is left. If a smaller page from the same row was answered before, the next page
    ends midway between the two sizes. The single row is stepped over only if a row behind it is answered and it then
    fails again; so if the source fails for every request, no row is blamed. The stretch around the row becomes unsure.
    """
    walk = replace(walk, failures=walk.failures + 1)
    if walk.limit > 1:
        wall = walk.offset + walk.limit
        is_extended = walk.read_to is not None and walk.offset < walk.read_to < wall
        walk = replace(walk, has_failed=True, wall=wall)
        return Advance((), extended(walk) if is_extended else replace(walk, limit=walk.limit // 2))
    if not isinstance(walk.mode, Convicting):
        return Advance((), replace(walk, mode=Convicting(walk.offset, walk.mode), offset=walk.offset + 1))
    suspect = walk.mode.row
    if walk.offset == suspect and walk.mode.is_alive:
        beyond = replace(
            walk, mode=Jumping(Doubt.UNREADABLE), barrier=walk.offset, offset=walk.offset + 1, limit=PAGE_LIMIT
        )
        return after((), beyond)
    if walk.offset < suspect + MOST_PROBES:
        return Advance((), replace(walk, offset=walk.offset + 1))
    return Advance((), replace(walk, offset=suspect, mode=walk.mode.then))


def extended(walk: Walk) -> Walk:
    """Choose a size between that of the page that was answered from here and that of the page that failed.

    Calls with the same instant can come in any order. So only one page that shows all of them, up to the unreadable
    row, is sure to miss none. The row behind them is then asked for alone.
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
