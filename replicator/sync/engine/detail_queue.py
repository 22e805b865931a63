"""The queue of details in memory: which transcripts and recordings are due, which are asked for, and when to load more.
Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.sync.coverage.page import Lane
from replicator.sync.engine.planner import detail_lane

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from replicator.sync.protocol.requests import Detail

QUEUE_SIZE = 400
"""Due details that are held in memory."""
SHORT = QUEUE_SIZE // 2
"""With fewer in memory, the replica is asked for more. It is well below QUEUE_SIZE, or each turn would ask."""
LOOK_EVERY = timedelta(seconds=1)
"""How often the replica is asked while it has more than are in memory: a more valuable one may have become due."""


def _queues() -> dict[Lane, deque[Detail]]:
    return {Lane.DETAIL: deque(), Lane.BACKLOG: deque(), Lane.ABSENT: deque()}


@dataclass(slots=True)
class Details:
    """Due details in memory, most valuable first. The replica has the whole queue; this is its front."""

    queues: dict[Lane, deque[Detail]] = field(default_factory=_queues)
    asked: set[tuple[str, object]] = field(default_factory=set)
    """Details that were asked for and whose outcome is not committed: the replica still lists them as due."""
    completed: list[tuple[str, object]] = field(default_factory=list)
    """Those of them whose outcome has come in and will be committed with the next batch."""
    may_be_more_due: bool = True
    """The replica may have due details that are not in memory."""
    filled_at: datetime | None = None
    """When the replica was last asked."""
    is_more_valuable_due: bool = False
    """Details that are not in memory may be more valuable, or those in memory must not be asked for at present."""
    is_some_to_be_asked_again: bool = False
    """Since the last commit, an outcome was no answer."""

    @property
    def wanted(self) -> int:
        """How many due details to ask the replica for: its answer includes those that were asked for already."""
        return QUEUE_SIZE + len(self.asked)

    def by_lane(self) -> dict[Lane, int]:
        """Return {lane: number of details in memory}."""
        return {lane: len(queue) for lane, queue in self.queues.items()}

    def is_to_be_filled(self, room: int, now: datetime) -> bool:
        """Say whether to ask the replica for due details: few are in memory (`room` is how many may be sent at once), or
        more valuable ones may be due.
        """
        is_short = sum(map(len, self.queues.values())) < min(room, SHORT)
        is_time = self.filled_at is None or now - self.filled_at >= LOOK_EVERY
        return self.is_more_valuable_due or (self.may_be_more_due and (is_short or is_time))

    def fill(self, due: Iterable[Detail], wanted: int, now: datetime) -> None:
        """Replace the details in memory by those that are due now. `wanted` is how many were asked for."""
        found = list(due)
        for queue in self.queues.values():
            queue.clear()
        for detail in found:
            if (detail.kind, detail.call_id) not in self.asked:
                self.queues[detail_lane(detail.call_created_at, now, waits_last=detail.waits_last)].append(detail)
        self.may_be_more_due, self.is_more_valuable_due, self.filled_at = len(found) == wanted, False, now

    def next(self, lane: Lane) -> Detail:
        """Return the next detail of a lane, and mark it as asked for."""
        detail = self.queues[lane].popleft()
        self.asked.add((detail.kind, detail.call_id))
        return detail

    def came_in(self, detail: Detail, *, is_kind_open: bool) -> None:
        """Record that the outcome of a detail came in. `is_kind_open`: its kind may still be asked for."""
        self.completed.append((detail.kind, detail.call_id))
        if not is_kind_open:
            self.is_more_valuable_due = True  # details of this kind in memory are to be replaced

    def committed(self, *, has_pages: bool) -> None:
        """Record that what came in is committed. `has_pages`: the batch held pages, which may have queued details."""
        self.asked.difference_update(self.completed)
        self.completed = []
        # Only now: an outcome that is not committed counts as asked for, so its detail would be left out.
        self.may_be_more_due = self.may_be_more_due or self.is_some_to_be_asked_again
        self.is_some_to_be_asked_again = False
        self.is_more_valuable_due = self.is_more_valuable_due or has_pages
