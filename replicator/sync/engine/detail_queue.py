"""The details at hand: which transcripts and recordings are due, which were asked for, and when to look for more. Pure."""

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
"""Due details that are held at hand."""
SHORT = QUEUE_SIZE // 2
"""With fewer at hand the replica is asked for more: well below QUEUE_SIZE, or it would be asked in every turn."""
LOOK_EVERY = timedelta(seconds=1)
"""How often the replica is asked, where it has more than are at hand: a more valuable one may have become due meanwhile."""


def _queues() -> dict[Lane, deque[Detail]]:
    return {Lane.DETAIL: deque(), Lane.BACKLOG: deque()}


@dataclass(slots=True)
class Details:
    """Due details at hand, most valuable first. The replica has the whole queue; this is its front."""

    queues: dict[Lane, deque[Detail]] = field(default_factory=_queues)
    asked: set[tuple[str, object]] = field(default_factory=set)
    """Details that were asked for, until what became of them is committed: the replica still calls them due."""
    completed: list[tuple[str, object]] = field(default_factory=list)
    """Those of them whose outcome has come in, and is committed with the next batch."""
    may_be_more_due: bool = True
    """The replica may have due details that are not at hand."""
    filled_at: datetime | None = None
    """When the replica was last asked."""
    is_more_valuable_due: bool = False
    """They may be more valuable than those at hand, or those at hand may be worth nothing just now."""
    is_some_to_be_asked_again: bool = False
    """An outcome since the last commit was no answer."""

    @property
    def wanted(self) -> int:
        """How many due details the replica is to be asked for: those asked already are among them."""
        return QUEUE_SIZE + len(self.asked)

    def by_lane(self) -> dict[Lane, int]:
        """Return how many details of each lane are at hand."""
        return {lane: len(queue) for lane, queue in self.queues.items()}

    def is_to_be_filled(self, room: int, now: datetime) -> bool:
        """Say whether to ask the replica for due details: few are at hand (`room` is how many may be sent at once), or more
        valuable ones may be due.
        """
        is_short = sum(map(len, self.queues.values())) < min(room, SHORT)
        is_time = self.filled_at is None or now - self.filled_at >= LOOK_EVERY
        return self.is_more_valuable_due or (self.may_be_more_due and (is_short or is_time))

    def fill(self, due: Iterable[Detail], wanted: int, now: datetime) -> None:
        """Take the details that are due now, in place of those at hand. `wanted` is how many were asked for."""
        found = list(due)
        for queue in self.queues.values():
            queue.clear()
        for detail in found:
            if (detail.kind, detail.call_id) not in self.asked:
                self.queues[detail_lane(detail.call_created_at, now)].append(detail)
        self.may_be_more_due, self.is_more_valuable_due, self.filled_at = len(found) == wanted, False, now

    def next(self, lane: Lane) -> Detail:
        """Return the next detail of a lane, which is asked for now."""
        detail = self.queues[lane].popleft()
        self.asked.add((detail.kind, detail.call_id))
        return detail

    def came_in(self, detail: Detail, *, is_kind_open: bool) -> None:
        """Take note of the outcome of a detail. `is_kind_open`: its kind is still worth asking for."""
        self.completed.append((detail.kind, detail.call_id))
        if not is_kind_open:
            self.is_more_valuable_due = True  # what is at hand of this kind is put back

    def committed(self, *, has_pages: bool) -> None:
        """Take note that what has come in is committed; pages may have queued details."""
        self.asked.difference_update(self.completed)
        self.completed = []
        # Not before: what has come in and is not committed counts as asked, and would be passed over.
        self.may_be_more_due = self.may_be_more_due or self.is_some_to_be_asked_again
        self.is_some_to_be_asked_again = False
        self.is_more_valuable_due = self.is_more_valuable_due or has_pages
