"""What a failure of a walk's page does: the page is narrowed down to one row, and the row stepped over if it is at fault. Pure."""

from __future__ import annotations

from dataclasses import replace

from replicator.store.doubts import Doubt
from replicator.sync.coverage.page import PAGE_LIMIT
from replicator.sync.coverage.walk import Advance, Convicting, Jumping, Walk, after

MOST_IN_A_ROW = 40
"""Failures of one walk in a row, with no page of it answered, before it is left for this run: the source answers others, and
fails here whatever is asked."""
MOST_PROBES = 4
"""Rows behind an unreadable one that are asked for a sign of life."""


def fail(walk: Walk) -> Advance:
    """Take a failure of the walk's page.

    The page is halved, or where a smaller one from the same row was answered, cut to the middle between the two, until one
    row is left. That row is stepped over only when a row behind it is answered and it then fails again: a source that fails
    altogether convicts nobody. What lies around it is unsure.
    """
    walk = replace(walk, failures=walk.failures + 1)
    if walk.limit > 1:
        wall = walk.offset + walk.limit
        isextended = walk.read_to is not None and walk.offset < walk.read_to < wall
        walk = replace(walk, has_failed=True, wall=wall)
        return Advance((), extended(walk) if isextended else replace(walk, limit=walk.limit // 2))
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
