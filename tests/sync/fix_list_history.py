"""One history of the list in virtual time: the product's engine, and what its walks prove of a list that moves.

The source inserts, deletes and shuffles ties between any two requests, sends short pages, hides its total, counts
requests in windows of its own clock, and answers late and out of order. It knows no filters, so nothing but the walks can
prove anything. The oracle knows every call's life.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.budget.key_budget import KeyBudget, Limits
from replicator.errors import NotFound
from replicator.records import Call, Page, Segment, Transcript
from replicator.sync.content.calls import Policy
from replicator.sync.coverage.ledger import BEGINNING, END, Interval, Ledger
from replicator.sync.coverage.page import Lane
from replicator.sync.engine.engine import Engine
from replicator.sync.engine.position import start
from replicator.sync.engine.presence import Presence
from replicator.sync.options import Options
from replicator.sync.protocol.requests import Outcome
from tests.sync.fix_driver import Driver
from tests.sync.fix_replica import InMemory

if TYPE_CHECKING:
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.engine.state import State
    from replicator.sync.protocol.actions import Action, Charge, Commit
    from replicator.sync.protocol.requests import Request
    from replicator.sync.protocol.results import Committed

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
MOST_LIST_REQUESTS = 2500
MOST_REQUESTS = 10_000
"""With three requests a minute most questions for missing calls are asked in vain: the control after them comes too late."""
WORKERS = 8
WALKED = (Lane.FRESH, Lane.BACKFILL)
SPOKEN = Transcript((Segment(0, "agent", "hello", None, None, "{}"),), None, "{}", b"hello")


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of history this is."""

    calls: int = 200
    tie_share: float = 0.0
    largest_tie: int = 1
    churn: float = 0.0
    """Insertions and deletions for each request."""
    churning_requests: int = 120
    """So long the list moves: one that grows faster than it is read is never read."""
    has_details: bool = True
    """Each new call is worth a request beside the list."""
    shuffles_ties: bool = True
    short_pages: float = 0.0
    has_total: bool = True
    limit: int | None = None
    window_seconds: float = 60.0
    skew: timedelta = timedelta(0)
    says_server_time: bool = True
    keys: int = 1
    is_ascending: bool = False


@dataclass(slots=True)
class Life:
    created_at: datetime
    visible_at: datetime
    deleted_at: datetime | None = None


@dataclass
class History:
    """Runs one history; `problems` says what went against the promise."""

    seed: int
    shape: Shape
    problems: list[str] = field(default_factory=list)
    requests: int = 0
    list_requests: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.now = START
        self.lives: dict[int, Life] = {}
        self.calls: dict[int, Call] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self.replica = InMemory()
        self.next_id = 0
        at = START
        while len(self.lives) < self.shape.calls:
            at -= timedelta(seconds=self.random.expovariate(1 / 600))
            size = 1
            if self.random.random() < self.shape.tie_share:
                size = self.random.randint(2, max(2, self.shape.largest_tie))
            for _ in range(size):
                self._born(at, at)

    # The source ---------------------------------------------------------------------------------------------------

    def _born(self, created_at: datetime, visible_at: datetime) -> None:
        self.lives[self.next_id] = Life(created_at, visible_at)
        self.next_id += 1

    def _churn(self) -> None:
        if self.requests > self.shape.churning_requests:
            return
        for _ in range(self._times(self.shape.churn)):
            alive = [life for life in self.lives.values() if life.deleted_at is None]
            if self.random.random() < 0.5:
                # A transaction becomes visible a little after the created_at that it carries.
                delay = timedelta(seconds=self.random.uniform(0, 4))
                self._born(self.now - delay, self.now)
            elif alive:
                self.random.choice(alive).deleted_at = self.now

    def _times(self, mean: float) -> int:
        return int(mean) + (self.random.random() < mean % 1)

    def _page(self, walk: Walk) -> tuple[list[tuple[int, datetime]], int]:
        rows = [
            (life.created_at, self.random.random() if self.shape.shuffles_ties else number, number)
            for number, life in self.lives.items()
            if life.visible_at <= self.now and life.deleted_at is None
        ]
        rows.sort(reverse=not self.shape.is_ascending)
        limit = walk.limit
        if self.shape.short_pages and self.random.random() < self.shape.short_pages:
            limit = self.random.randint(1, limit)
        return [(number, at) for at, _, number in rows[walk.offset : walk.offset + limit]], len(rows)

    def _count(self, key: int) -> None:
        window = int((self.now + self.shape.skew).timestamp() // self.shape.window_seconds)
        self.counts[key, window] = self.counts.get((key, window), 0) + 1
        if self.shape.limit is not None and self.counts[key, window] > self.shape.limit:
            self.problems.append(f"window {window}: more than {self.shape.limit} requests")

    # The replicator -----------------------------------------------------------------------------------------------

    def run(self) -> History:
        shape = self.shape
        details = Policy(("transcript",) if shape.has_details else ())
        limits = Limits(shape.limit, shape.window_seconds, 0.0)
        options = Options(workers=WORKERS, details=details, limits=limits)
        # No totals are compared, nothing is counted by its slices, nothing renewed: what is shown is what the walks do.
        position = start(options, Ledger(), self.now, live=0, oldest_known=None, sliced_at=self.now)
        position = replace(position, live=None, state=replace(position.state, renews=False))
        self.key_budgets = [KeyBudget(limits) for _ in range(shape.keys)]
        presence = Presence(timedelta(minutes=10), (), shape.keys)
        self.engine = Engine(options, position, presence, self.key_budgets, self.now)
        Driver(self, self.engine, WORKERS).run()
        return self

    @property
    def state(self) -> State:
        return self.engine.position.state

    @property
    def stored(self) -> set[int]:
        """The numbers of the calls that are stored."""
        return {call_id.int for call_id in self.replica.calls}

    # What the driver asks -----------------------------------------------------------------------------------------

    def way(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(20))

    def way_back(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(10))

    def writing(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(100))

    def sent(self, request: Request) -> None:
        self.requests += 1
        self.list_requests += request.lane in WALKED

    def charge(self, charge: Charge) -> bool:
        return self.key_budgets[charge.key].charge(charge.at, charge.requests)

    def commit(self, commit: Commit) -> Committed:
        return self.replica.commit(commit.position, commit.batch)

    def goes_on(self, _action: Action) -> bool:
        is_over = self.list_requests > MOST_LIST_REQUESTS or self.requests > MOST_REQUESTS
        if is_over:
            self.problems.append("it does not terminate")
        return not is_over

    def arrived(self, request: Request, sent_at: datetime) -> Outcome:
        self._count(request.key)
        self._churn()
        says = self.shape.says_server_time
        outcome = Outcome(request, sent_at, self.now, self.now + self.shape.skew if says else None)
        if request.detail is not None:
            return replace(outcome, found=SPOKEN)
        if request.probe is not None:
            number = request.probe.call_id.int
            if self.lives[number].deleted_at is not None:
                return replace(outcome, error=NotFound("not there", status=404))
            return replace(outcome, call=self._call(number))
        assert request.walk is not None
        walk = request.walk
        rows, total = self._page(walk)
        page = Page(
            tuple(self._call(number) for number, _ in rows), (), tuple(at for _, at in rows), walk.offset, walk.limit,
            total if self.shape.has_total else None, None, self.now if says else None,
        )  # fmt: skip
        return replace(outcome, page=page)

    def _call(self, number: int) -> Call:
        if number not in self.calls:
            at = self.lives[number].created_at
            self.calls[number] = Call(
                UUID(int=number), None, None, None, None, "completed", None, None, None, None, None, None, None, at, at,
                "{}", b"",
            )  # fmt: skip
        return self.calls[number]

    # The oracle ---------------------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Say what is wrong at the end."""
        ledger = self.state.ledger
        stored = self.stored
        for number, life in self.lives.items():
            if life.deleted_at is not None or number in stored:
                continue
            piece = ledger.at(life.created_at)
            if piece is not None and piece.is_proven and life.visible_at <= piece.verified_at:
                self.problems.append(f"call {number} is missing inside what is said to be proven")
        if ledger.holes(Interval(BEGINNING, ledger.top)) and self.state.scanned_at is None and ledger.pieces:
            self.problems.append("holes are left")
        return self.problems

    @property
    def unsure(self) -> list[str]:
        return [piece.reason for piece in self.state.ledger.pieces if not piece.is_proven and piece.until != END]


def random_shape(rng: random.Random) -> Shape:
    """Return the shape of one history, from calm to hostile."""
    return Shape(
        calls=rng.choice([0, 1, 3, 99, 100, 101, 150, 250, 400]),
        tie_share=rng.choice([0, 0, 0.1, 0.5]),
        largest_tie=rng.choice([2, 5, 30, 98, 99, 100, 101, 150]),
        churn=rng.choice([0, 0, 0.2, 1, 4]),
        shuffles_ties=rng.random() < 0.8,
        short_pages=rng.choice([0, 0, 0.3]),
        has_total=rng.random() < 0.8,
        limit=rng.choice([None, 3, 20, 100]),
        window_seconds=rng.choice([1.0, 10.0, 60.0]),
        skew=timedelta(seconds=rng.choice([0, 0, 0.7, -90, 90])),
        says_server_time=rng.random() < 0.9,
        is_ascending=rng.random() < 0.05,
        keys=rng.choice([1, 1, 2]),
    )
