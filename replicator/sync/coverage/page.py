"""A page of the list: why it is asked for, how large it may be, and what was seen in it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

Filter = tuple[tuple[str, str], ...]
"""(parameter, value) pairs of a filtered list."""
PAGE_LIMIT = 100
"""The contract's largest page."""


class Lane(StrEnum):
    """Why a request is made; the most valuable lane is first."""

    FRESH = "fresh"
    ACTIVE = "active"
    DETAIL = "detail"
    BACKFILL = "backfill"
    COMPARE = "compare"
    """What an operator asked to have compared now (`sync --full`, `--since`, `--until`)."""
    BACKLOG = "backlog"
    SLICE = "slice"
    SEARCH = "search"
    CONFIRM = "confirm"
    RENEWAL = "renewal"
    """What the renewal policy says is due."""
    REREAD = "reread"
    """What was compared longest ago, on renewal credit."""
    ABSENT = "absent"
    """Details of history that were not there at an earlier look."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a walk needs to know of one list response. `asked_at` is our clock when the request was sent."""

    created: tuple[datetime | None, ...]
    offset: int
    total: int | None
    asked_at: datetime
    server_time: datetime | None = None
    ids: tuple[UUID, ...] = ()
    """Ids of the calls on the page: the end of a list shows which calls are missing behind it."""

    @property
    def rows(self) -> int:
        return len(self.created)

    @property
    def behind(self) -> int:
        """The offset right behind this page."""
        return self.offset + self.rows
