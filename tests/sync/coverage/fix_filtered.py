"""A capped list with filters that are honoured or ignored, which may move while it is read, and a reader of its partitions."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, cast

from replicator.store.doubts import Doubt
from replicator.sync.coverage import filters, partitions
from replicator.sync.coverage.filters import BEFORE, DIMENSIONS
from replicator.sync.coverage.ledger import BEGINNING, TICK, Interval, Ledger, Piece
from replicator.sync.coverage.page import Filter, Seen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replicator.records import Call

NOW = datetime(2026, 7, 1, tzinfo=UTC)
MOST_REQUESTS = 6000


@dataclass(frozen=True, slots=True)
class Row:
    """What partitions know of a call."""

    number: int
    created_at: datetime
    status: str
    direction: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of list it is, and what of it is known."""

    cap: int = 100
    honoured: frozenset[str] = frozenset(DIMENSIONS)
    is_inclusive: bool = False
    """Calls of the instant itself are before it, too."""
    grain: timedelta = TICK
    """The instants of filters are cut down to a multiple of this."""
    known: Filter = ()
    churn: float = 0.0
    """Creations and deletions for each request."""
    churning_requests: int = 150
    shuffles_ties: bool = False


@dataclass
class Filtered:
    """The source, and what came of reading it."""

    shape: Shape
    rows: list[Row]
    seed: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    read: set[int] = field(default_factory=set)
    asked: list[Filter] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    gone: dict[int, datetime] = field(default_factory=dict)
    capped_at: int | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = NOW

    def matching(self, wanted: Filter) -> list[Row]:
        """Return the rows that the source finds, newest first."""
        found = [
            row
            for row in self.rows
            if all(self._matches(row, name, value) for name, value in wanted if name in self.shape.honoured)
        ]
        order = {row.number: self.random.random() if self.shape.shuffles_ties else row.number for row in found}
        return sorted(found, key=lambda row: (row.created_at, order[row.number]), reverse=True)

    def _matches(self, row: Row, name: str, value: str) -> bool:
        if name != BEFORE:
            return bool(getattr(row, name) == value)
        bound = datetime.fromisoformat(value)
        bound -= (bound - BEGINNING) % self.shape.grain
        return row.created_at <= bound if self.shape.is_inclusive else row.created_at < bound

    def page(self, wanted: Filter, offset: int, limit: int) -> tuple[list[Row], int]:
        found = self.matching(wanted)[: self.shape.cap]
        return found[offset : offset + limit], len(found)

    def move(self) -> None:
        """Create and delete calls, as often as the shape says."""
        self.now += timedelta(seconds=1)
        if len(self.asked) > self.shape.churning_requests:
            return
        for _ in range(int(self.shape.churn) + (self.random.random() < self.shape.churn % 1)):
            if self.random.random() < 0.5 and self.rows:
                row = self.rows.pop(self.random.randrange(len(self.rows)))
                self.gone[row.number] = self.now
            else:
                old = self.random.choice(self.rows) if self.rows else Row(0, NOW, "new", "new", "new")
                number = 10**6 + len(self.asked) * 100 + self.random.randrange(100)
                if all(row.number != number for row in self.rows) and number not in self.gone:
                    self.rows.append(replace(old, number=number, created_at=self.now - timedelta(seconds=1)))

    def read_through(self, reason: Doubt | None = Doubt.CAPPED) -> Filtered:
        """Read the plain list as far as it goes, and what lies behind through filters."""
        shown, total = self.page((), 0, self.shape.cap)
        self.read |= {row.number for row in shown}
        hole = Interval(BEGINNING, (shown[-1].created_at if shown else NOW) + TICK)
        named = [[value for name, value in self.shape.known if name == one] for one in DIMENSIONS]
        left: partitions.Partitioning | None = partitions.begin(hole, reason, total, *named)
        while left is not None:
            self.move()
            walk = left.ask()
            self.asked.append(walk.filter)
            assert len(self.asked) < MOST_REQUESTS, "it does not end"
            found, total_now = self.page(walk.filter, walk.offset, walk.limit)
            self.read |= {row.number for row in found}
            calls = cast("Iterable[Call]", found)
            seen = Seen(tuple(row.created_at for row in found), walk.offset, total_now, self.now, self.now)
            outcome = partitions.absorb(
                left, seen, ignored=filters.ignored(calls, walk.filter), values=filters.values(calls)
            )
            left = outcome.partitioning
            self.pieces += outcome.pieces
            self.capped_at = outcome.capped_at
            for piece in outcome.pieces:
                self.ledger = self.ledger.record(piece)
        self.hole = hole
        return self

    # The oracle ---------------------------------------------------------------------------------------------------

    def lost(self) -> list[Row]:
        """Return the calls that exist, lie in what is said to be proven, and were never shown."""
        return [
            row
            for row in self.rows
            if row.number not in self.read and (piece := self.ledger.at(row.created_at)) is not None and piece.is_proven
        ]

    def unread_but_reached(self) -> list[Row]:
        """Return the calls that some combination of honoured filters shows, with known values and those on shown rows, and
        that were not read.
        """
        shown = [row for row in self.rows if row.number in self.read]
        known = {name: {value for one, value in self.shape.known if one == name} for name in DIMENSIONS}
        for name, some in known.items():
            some |= {getattr(row, name) for row in shown}
        choices = [[None, *sorted(some)] if name in self.shape.honoured else [None] for name, some in known.items()]
        found: dict[int, Row] = {}
        for combination in product(*choices):
            wanted = tuple((name, value) for name, value in zip(known, combination, strict=True) if value is not None)
            found |= {row.number: row for row in self.page(wanted, 0, self.shape.cap)[0]}
        return [row for number, row in found.items() if number not in self.read]

    @property
    def doubts(self) -> set[Doubt | None]:
        return {piece.reason for piece in self.ledger.pieces if not piece.is_proven}


def calls(
    count: int,
    *,
    statuses: tuple[str, ...] = ("completed", "failed", "busy"),
    directions: tuple[str, ...] = ("inbound", "outbound"),
    agents: tuple[str, ...] = ("a", "b", "c"),
    tie: int = 1,
    seconds: float = 600.0,
    seed: int = 0,
) -> list[Row]:
    """Return so many calls at random, the first values the most frequent, `tie` to an instant."""
    rng = random.Random(seed)
    rows = []
    at = NOW - timedelta(hours=1)
    for number in range(count):
        if number % tie == 0:
            at -= timedelta(seconds=seconds * rng.uniform(0.1, 2))
        values = [
            some[min(rng.randrange(len(some)), rng.randrange(len(some)))] for some in (statuses, directions, agents)
        ]
        rows.append(Row(number, at, *values))
    return rows


def known(rows: Iterable[Row]) -> Filter:
    """Return the values of some rows."""
    return filters.values(cast("Iterable[Call]", rows))
