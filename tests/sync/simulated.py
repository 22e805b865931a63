"""One history of the replicator in virtual time: the product's own planner, ledger and budget against a moving list.

The source inserts, deletes and shuffles ties between any two requests, sends short pages, hides its total, counts
requests in windows of its own clock, and answers late and out of order. The oracle knows every call's life.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from replicator.source.budget import Budget, Landing
from replicator.sync.ledger import BEGINNING, END, EVERYTHING, Interval, Ledger
from replicator.sync.planning import LIST_LANES, absorb_page, choose, goals, head_walk, is_head_due, landed, sent
from replicator.sync.state import State
from replicator.sync.walking import Lane, Seen, Walk, start

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
MOST_REQUESTS = 2500


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
    details: int = 2
    """Requests that each new call is worth beside the list."""
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
        self.counts: dict[int, int] = {}
        self.stored: dict[int, datetime] = {}
        self.next_id = 0
        self.state = State(Ledger(), poll_every=timedelta(seconds=60), renews=False)
        self.budget = Budget(self.shape.limit, self.shape.window_seconds)
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

    def _page(self, offset: int, limit: int) -> tuple[list[tuple[int, datetime]], int]:
        rows = [
            (life.created_at, self.random.random() if self.shape.shuffles_ties else number, number)
            for number, life in self.lives.items()
            if life.visible_at <= self.now and life.deleted_at is None
        ]
        rows.sort(reverse=not self.shape.is_ascending)
        if self.shape.short_pages and self.random.random() < self.shape.short_pages:
            limit = self.random.randint(1, limit)
        return [(number, at) for at, _, number in rows[offset : offset + limit]], len(rows)

    def _count(self, arrives_at: datetime) -> None:
        window = int((arrives_at + self.shape.skew).timestamp() // self.shape.window_seconds)
        self.counts[window] = self.counts.get(window, 0) + 1
        if self.shape.limit is not None and self.counts[window] > self.shape.limit:
            self.problems.append(f"window {window}: more than {self.shape.limit} requests")

    # The replicator -----------------------------------------------------------------------------------------------

    def run(self) -> History:
        flying: list[tuple[datetime, int, str, tuple[object, ...]]] = []
        details = 0
        ticket = 0
        while True:
            self._goals()
            state = replace(self.state, details={Lane.DETAIL: details})
            lanes = choose(state, self.now, 8 - len(flying))
            allowance = self.budget.allowance(self.now)
            free = len(lanes) if allowance is None else min(allowance, len(lanes))
            for lane in lanes[:free]:
                self.requests += 1
                self.budget = self.budget.charge(self.now, 1)
                is_head = lane is Lane.FRESH and is_head_due(self.state, self.now)
                walk = self._walk(lane, is_head=is_head)
                self.list_requests += lane in LIST_LANES
                details -= lane is Lane.DETAIL
                self.state = sent(self.state, lane, is_head=is_head, at=self.now)
                arrives = self.now + timedelta(seconds=self.random.expovariate(20))
                ticket += 1
                heapq.heappush(flying, (arrives, ticket, "arrives", (lane, is_head, walk, self.now)))
            if self.requests > MOST_REQUESTS:
                self.problems.append("it does not terminate")
                return self
            if not flying:
                if not lanes:
                    return self
                self.now = max(self.now, self.budget.opens_at(self.now))
                continue
            if lanes[free:] and flying[0][0] > self.budget.opens_at(self.now) > self.now:
                self.now = self.budget.opens_at(self.now)
                continue
            at, number, what, load = heapq.heappop(flying)
            self.now = max(self.now, at)
            if what == "arrives":
                heapq.heappush(flying, self._arrive(number, load))
            else:
                details += self._answer(load)

    def _arrive(self, number: int, load: tuple[object, ...]) -> tuple[datetime, int, str, tuple[object, ...]]:
        lane, is_head, walk, sent_at = load
        self._count(self.now)
        self._churn()
        answer = None
        if isinstance(walk, Walk):
            answer = (*self._page(walk.offset, walk.limit), self.now + self.shape.skew)
        back = self.now + timedelta(seconds=self.random.expovariate(10))
        return back, number, "answers", (lane, is_head, walk, sent_at, answer)

    def _answer(self, load: tuple[object, ...]) -> int:
        lane, is_head, walk, sent_at, answer = load
        assert isinstance(lane, Lane)
        assert isinstance(is_head, bool)
        assert isinstance(sent_at, datetime)
        said = None
        if isinstance(answer, tuple):
            said = answer[2] if self.shape.says_server_time else None
        self.budget = self.budget.landed(Landing(sent_at, self.now, said))
        self.state = landed(self.state, lane, is_head=is_head)
        if not isinstance(walk, Walk) or not isinstance(answer, tuple):
            return 0
        rows, total, server_time = answer
        seen = Seen(
            tuple(at for _, at in rows), walk.offset, total if self.shape.has_total else None, sent_at,
            server_time - self.shape.skew if self.shape.says_server_time else None,
        )  # fmt: skip
        news = [number for number, _ in rows if number not in self.stored]
        oldest = min(self.stored.values(), default=None)
        absorbed = absorb_page(self.state, walk, seen, is_head=is_head, oldest_known=oldest, news=len(news))
        self.stored.update((number, at) for number, at in rows)
        self.state = absorbed.state
        return self.shape.details * len(news)

    def _walk(self, lane: Lane, *, is_head: bool) -> Walk | None:
        if is_head:
            return head_walk(self.state)
        if lane not in LIST_LANES:
            return None
        if self.state.sweep is not None:
            return Walk(lane, EVERYTHING, offset=self.state.sweep.offset)
        return self.state.walks[lane]

    def _goals(self) -> None:
        if self.state.head_asked_at is None:
            return
        walks = dict(self.state.walks)
        for goal in goals(self.state, self.now):
            rank = sum(at >= goal.hole.until for at in self.stored.values())
            walks[goal.lane] = start(goal.lane, goal.hole, newer_calls=rank)
        self.state = replace(self.state, walks=walks)

    # The oracle ---------------------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Say what is wrong at the end."""
        ledger = self.state.ledger
        for number, life in self.lives.items():
            if life.deleted_at is not None or number in self.stored:
                continue
            piece = ledger.at(life.created_at)
            if piece is not None and piece.is_proven and life.visible_at <= piece.verified_at:
                self.problems.append(f"call {number} is missing inside what is said to be proven")
        if ledger.holes(Interval(BEGINNING, ledger.top)) and self.state.swept_at is None and ledger.pieces:
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
    )
