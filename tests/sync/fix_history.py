"""One history of the whole engine in virtual time: chaos, then heal; a source with an oracle, a replica in memory.

The product's own engine runs here, and (in every tenth history) its parser: all that it decides, also when to commit, to
look for due details or to wake up, and which of several keys a request goes to. Its actions are performed in virtual time
(virtual.py), the replica is in memory (in_memory.py). Everything random comes from the seed, so a failing seed replays.

Chaos: calls are created, changed, deleted, restored and imported late between any two requests; ties come in another
order each time; pages are short; requests fail, are refused, or break on one row; answers come late and out of order;
the process is killed at any moment, also right before or after a commit, and loses what it had not committed; another
process spends from the same budget. Some calls were spoken: their transcripts come
late or never, are empty at first, are replaced, come with the list row, and their provider fails for a while, or answers
404 or an empty transcript for everything. Stamps of changes lie in the future, or go back. Heal: all of that ends.
"""

from __future__ import annotations

import heapq
import random
from bisect import insort
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.budget.key_budget import KeyBudget, Limits
from replicator.errors import NotFound, RateLimited, SourceUnavailable
from replicator.records import Call, Page, Segment, Transcript
from replicator.source.parsing import parse_page
from replicator.sync.content.calls import REREAD_SLACK
from replicator.sync.coverage.ledger import BEGINNING, Interval
from replicator.sync.engine.credit import DEFAULT_SHARE, Rest
from replicator.sync.engine.engine import Engine
from replicator.sync.engine.position import STEPPED_OVER, start
from replicator.sync.engine.presence import Presence
from replicator.sync.options import Options
from replicator.sync.protocol.actions import Ask, Commit
from replicator.sync.protocol.requests import Outcome
from tests.sync.fix_driver import Driver
from tests.sync.fix_replica import POLICY, Books, InMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.store.rows import KnownDetail
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.deletions.rules import Absence
    from replicator.sync.engine.position import Batch
    from replicator.sync.protocol.actions import Action, Charge
    from replicator.sync.protocol.requests import Detail, Request
    from replicator.sync.protocol.results import Committed

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
LIMIT = 60
AN_HOUR = timedelta(minutes=62)
"""By then the credit pays for a pass over the list, and each doubtful stretch is due."""
MOST_REQUESTS = 4000
CONFIRM_AFTER = timedelta(minutes=10)
LIMITS = Limits(LIMIT, 60.0, 0.0)
WORKERS = (1, 3, 8, 8)


@dataclass(frozen=True, slots=True)
class Shape:
    """What kind of history this is. Rates are for each request while chaos lasts."""

    calls: int = 150
    largest_tie: int = 1
    churn: float = 0.5
    faults: float = 0.0
    refusals: float = 0.0
    kills: float = 0.0
    short_pages: float = 0.0
    poisoned: int = 0
    blackouts: float = 0.0
    """How often, for each request, the account begins to look empty for some minutes, and knows no call."""
    spoken: float = 0.0
    """Share of the calls that were spoken, so that they can have a transcript."""
    provider: float = 0.0
    """How often, for each question for a transcript, the provider begins to fail for some minutes or hours."""
    waves: float = 0.0
    """How often, for each question for a transcript, the provider begins to answer for minutes or hours that no call has
    one: with 404, or with an empty one.
    """
    lies: float = 0.0
    """Share of the changes whose updated_at lies in the future, or before the one before."""
    carries: bool = False
    """List rows carry the transcript."""
    keys: int = 1
    others: float = 0.0
    """How often, for each charge, another process is faster."""
    bulk: bool = False
    skew: timedelta = timedelta(0)
    chaos_requests: int = 90
    parses: bool = False
    strange: float = 0.0
    """How often a process that finds stored calls is given a key of another account among several."""
    limiter: float = 0.0
    """So many seconds after a page was answered, pages are answered with 500: a limiter that does not say that it is one."""


def random_shape(rng: random.Random) -> Shape:
    """Return a shape. Several keys are the last thing that is drawn for, so that a seed's other choices stay what they are."""
    shape = _random_shape(rng)
    return replace(shape, strange=rng.choice([0.0, 0.3])) if shape.keys > 1 else shape


def _random_shape(rng: random.Random) -> Shape:
    """Return the shape of one history, from calm to hostile."""
    return Shape(
        calls=rng.choice([0, 1, 40, 99, 101, 150]),
        largest_tie=rng.choice([1, 1, 3, 30, 90]),
        churn=rng.choice([0.0, 0.1, 0.5, 2.0]),
        faults=rng.choice([0.0, 0.0, 0.1, 0.3]),
        refusals=rng.choice([0.0, 0.0, 0.05]),
        kills=rng.choice([0.0, 0.0, 0.02, 0.1]),
        short_pages=rng.choice([0.0, 0.0, 0.3]),
        blackouts=rng.choice([0.0, 0.0, 0.02]),
        poisoned=rng.choice([0, 0, 0, 1, 2]),
        bulk=rng.random() < 0.1,
        skew=timedelta(seconds=rng.choice([0, 0, -90, 90])),
        chaos_requests=rng.choice([15, 40, 80]),
        parses=rng.random() < 0.1,
        spoken=rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 0.2]),
        provider=rng.choice([0.0, 0.05]),
        carries=rng.random() < 0.15,
        limiter=rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 4.0, 8.0]),
        keys=rng.choice([1, 1, 1, 2]),
        others=rng.choice([0.0, 0.0, 0.02]),
        waves=rng.choice([0.0, 0.05]),
        lies=rng.choice([0.0, 0.0, 0.0, 0.3]),
    )


@dataclass(slots=True)
class Life:
    """One call at the source."""

    id: UUID
    created_at: datetime
    updated_at: datetime | None
    content: int = 0
    deleted_at: datetime | None = None
    gone: list[tuple[datetime, datetime]] = field(default_factory=list)
    """Times at which it was deleted and restored again."""
    is_spoken: bool = False
    text: int = 0
    """Which transcript it has by now; 0: none yet."""
    written_at: datetime | None = None
    is_read: bool = False
    carries: bool = False
    shown: Call | None = None
    """The row as it was shown last, which is built anew only where something moved."""

    def is_gone(self, at: datetime) -> bool:
        since = self.deleted_at
        return (since is not None and since <= at) or any(begun <= at < ended for begun, ended in self.gone)

    @property
    def status(self) -> str:
        return "completed" if self.is_spoken else "failed"

    @property
    def transcript(self) -> Transcript:
        text = f"{self.id} {self.text}"
        return Transcript((Segment(0, "agent", text, None, None, "{}"),), None, "{}", sha256(text.encode()).digest())

    @property
    def call(self) -> Call:
        carried = self.transcript if self.carries and self.text else None
        content = f"{self.content} {self.text if carried else 0}"
        if self.shown is None or self.shown.raw != content or self.shown.updated_at != self.updated_at:
            self.shown = Call(
                self.id, None, None, None, None, self.status, None, None, None, None, None, None, None, self.created_at,
                self.updated_at, content, sha256(content.encode()).digest(), carried,
            )  # fmt: skip
        return self.shown

    @property
    def json(self) -> str:
        at = f'"{self.updated_at.isoformat()}"' if self.updated_at else "null"
        return (
            f'{{"id":"{self.id}","status":"{self.status}","created_at":"{self.created_at.isoformat()}","updated_at":{at},'
            f'"context":{{"content":{self.content}}}}}'
        )


class Whole:
    """Runs one history; `problems` says what went against the promises."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.shape, self.random, self.now = shape, random.Random(seed), START
        self.problems: list[str] = []
        self.requests = self.kills = self.deletions = self.transcripts = self.blind = 0
        self.is_healed = False
        self.renewal_share = DEFAULT_SHARE
        self.lives: dict[UUID, Life] = {}
        self.order: list[tuple[datetime, float, UUID]] = []
        self.poisoned: set[UUID] = set()
        self.counts: dict[tuple[int, int], int] = {}
        self.replica = InMemory()
        self.books = [Books(LIMITS) for _ in range(shape.keys)]
        self.key_budgets: list[KeyBudget] = []
        self.workers = max(WORKERS)
        self.answering: set[int] = set()
        """The keys through which the source has shown something to this process."""
        self.has_answered = self.is_purged = self.is_empty = False
        self.strange: int | None = None
        """The key that is of another account, in this process."""
        self.is_lost = False
        """The process before left requests behind that nobody has counted."""
        self.dark_until = self.down_until = self.wave_until = START
        self.is_wave_of_empties = False
        self.listed_at = START - timedelta(days=1)
        self.dark: list[tuple[datetime, datetime]] = []
        self.texts: list[tuple[datetime, int, UUID]] = []
        """Transcripts that are still to come, or to be replaced: (when, what tells them apart, call)."""
        at = START
        while len(self.lives) < shape.calls:
            at -= timedelta(seconds=self.random.expovariate(1 / 3600))
            for _ in range(self.random.randint(1, shape.largest_tie)):
                self._born(at)
        for call_id in self.random.sample(list(self.lives), min(shape.poisoned, len(self.lives))):
            self.poisoned.add(call_id)

    # The source ---------------------------------------------------------------------------------------------------

    def _born(self, at: datetime) -> None:
        call_id = UUID(int=self.random.getrandbits(128))
        life = self.lives[call_id] = Life(call_id, at, at if self.random.random() < 0.9 else None)
        insort(self.order, (at, self.random.random(), call_id))
        if self.shape.spoken and self.random.random() < self.shape.spoken:
            life.is_spoken, life.carries = True, self.shape.carries and not self.shape.parses
            written = at
            while self.random.random() < 0.8:  # the first one may never come, and each may be replaced by another
                written += timedelta(seconds=self.random.choice([5, 60, 600, 9000, 90_000, 600_000]))
                heapq.heappush(self.texts, (written, len(self.texts), call_id))

    def _write_texts(self) -> None:
        """Let the transcripts come whose time has come. Like every change, each moves the row's updated_at, if it has one."""
        while self.texts and self.texts[0][0] <= self.now:
            at, _, call_id = heapq.heappop(self.texts)
            life = self.lives[call_id]
            life.text, life.written_at = life.text + 1, at
            life.updated_at = max(at, life.updated_at) if life.updated_at else None

    def _churn(self) -> None:
        if self.is_healed:
            return
        for _ in range(int(self.shape.churn) + (self.random.random() < self.shape.churn % 1)):
            kind = self.random.random()
            if kind < 0.35 or not self.order:
                late = timedelta(seconds=self.random.uniform(0, 4))
                if self.random.random() < 0.1:
                    late = timedelta(days=self.random.uniform(0, 10))  # an import
                self._born(self.now - late)
            elif kind < 0.65:
                life = self.lives[self.random.choice(self.order)[2]]
                life.content += 1
                life.updated_at = self.now if life.updated_at else None
                if life.updated_at and self.random.random() < self.shape.lies:
                    lie = self.random.choice([timedelta(days=26_000), timedelta(minutes=20), timedelta(hours=-3)])
                    life.updated_at += lie
                    self.replica.liars.add(life.id)
            elif kind < 0.95:
                self._delete(self.random.randrange(len(self.order)), 1)
            else:
                gone = [life for life in self.lives.values() if life.deleted_at is not None]
                if gone:
                    life = self.random.choice(gone)
                    assert life.deleted_at is not None
                    life.gone.append((life.deleted_at, self.now))
                    life.deleted_at = None
                    insort(self.order, (life.created_at, self.random.random(), life.id))
        if self.shape.bulk and self.random.random() < 0.01 and len(self.order) > 60:
            self._delete(self.random.randrange(len(self.order) - 40), 40)

    def _delete(self, first: int, count: int) -> None:
        for _, _, call_id in self.order[first : first + count]:
            self.lives[call_id].deleted_at = self.now
            self.deletions += 1
        del self.order[first : first + count]

    def _count(self, key: int) -> int:
        """Count a request that arrives now; return the number of its window."""
        window = int((self.now + self.shape.skew).timestamp() // 60)
        self.counts[key, window] = self.counts.get((key, window), 0) + 1
        if self.counts[key, window] > LIMIT:
            self.problems.append(f"window {window} of key {key} holds more than {LIMIT} requests")
        return window

    def arrived(self, request: Request, sent_at: datetime) -> Outcome:
        """Answer one request as it arrives, now."""
        self._check_key(request)
        outcome = self._answered(request, sent_at)
        if request.key == self.strange:
            outcome = self._of_another_account(outcome)
        if outcome.page is not None or outcome.call is not None:
            self.answering.add(request.key)
            self.has_answered = True
        return outcome

    def _of_another_account(self, outcome: Outcome) -> Outcome:
        """Return the answer through a key of another account, which has calls of its own and knows none of ours."""
        if outcome.page is not None:
            calls = [replace(call, id=UUID(int=call.id.int ^ 1 << 127)) for call in outcome.page.calls]
            return replace(outcome, page=replace(outcome.page, calls=tuple(calls)))
        is_found = outcome.error is None
        return replace(outcome, call=None, found=None, error=NotFound("not there", status=404)) if is_found else outcome

    def _check_key(self, request: Request) -> None:
        """Find requests through a key that may not send them: one that has shown nothing yet, or another than the first one."""
        is_suspected = request.probe is not None and request.probe.absence is not None
        is_first = request.is_head or (request.probe is not None and request.probe.about is not None)
        if self.is_empty and request.is_head and not self.has_answered:
            self.answering = {request.key}  # where its page cannot be read, it is taken at its word, too
        if len(self.books) > 1 and not (is_first or self.is_purged or request.key in self.answering):
            self.problems.append(f"key {request.key} was used before it had shown a call")
        if request.key and is_suspected:
            self.problems.append("a suspected call was asked for by id through another key than the first one")

    def _answered(self, request: Request, sent_at: datetime) -> Outcome:
        window = self._count(request.key)
        self._churn()
        self._write_texts()
        server_time = self.now + self.shape.skew
        outcome = Outcome(request, sent_at, self.now, server_time)
        if not self.is_healed and self.random.random() < self.shape.refusals:
            until = datetime.fromtimestamp((window + 1) * 60, UTC)
            return replace(outcome, error=RateLimited("refused", reset_at=until, limit=LIMIT))
        if not self.is_healed and self.random.random() < self.shape.faults:
            status = self.random.choice([500, 502, None])
            return replace(outcome, error=SourceUnavailable("failed", status=status), server_time=None)
        if request.walk is not None and self._is_limited():
            return replace(outcome, error=SourceUnavailable("failed", status=500))
        if not self.is_healed and self.random.random() < self.shape.blackouts:
            self.dark_until = self.now + timedelta(minutes=self.random.uniform(0, 30))
            self.dark.append((self.now, self.dark_until))
        is_dark = not self.is_healed and self.now < self.dark_until
        if is_dark and request.walk is None:
            return replace(outcome, error=NotFound("not there", status=404))
        if is_dark and request.walk is not None:
            empty = Page((), (), (), request.walk.offset, request.walk.limit, 0, None, self.now)
            return replace(outcome, page=empty)
        if request.probe is not None:
            life = self.lives.get(request.probe.call_id)
            if life is None or life.deleted_at is not None:
                return replace(outcome, error=NotFound("not there", status=404))
            if life.id in self.poisoned:
                return replace(outcome, error=SourceUnavailable("failed", status=500))
            return replace(outcome, call=life.call)
        if request.detail is not None:
            return self._transcript(outcome, request.detail)
        assert request.walk is not None
        return self._page(outcome, request.walk, server_time)

    def _is_limited(self) -> bool:
        """Say whether a page comes too soon. The limit ends with the chaos, or changes could outrun it for ever."""
        if self.requests >= self.shape.chaos_requests:
            return False
        is_too_soon = (self.now - self.listed_at).total_seconds() < self.shape.limiter
        self.listed_at = self.listed_at if is_too_soon else self.now
        return is_too_soon

    def _transcript(self, outcome: Outcome, asked: Detail) -> Outcome:
        life, empty = self.lives[asked.call_id], Transcript((), None, "{}", b"")
        if not self.is_healed and self.random.random() < self.shape.provider:
            self.down_until = self.now + timedelta(minutes=self.random.choice([1, 10, 200]))
        if not self.is_healed and self.now < self.down_until:
            return replace(outcome, error=SourceUnavailable("failed", status=502, code="provider_error"))
        if not self.is_healed and self.random.random() < self.shape.waves:
            self.wave_until = self.now + timedelta(minutes=self.random.choice([1, 60, 1200]))
            self.is_wave_of_empties = self.random.random() < 0.5
        if not self.is_healed and self.now < self.wave_until:
            none = replace(outcome, error=NotFound("none", status=404))
            return replace(outcome, found=empty) if self.is_wave_of_empties else none
        if life.deleted_at is not None or not life.text:
            is_empty = life.deleted_at is None and self.random.random() < 0.2
            return replace(outcome, found=empty) if is_empty else replace(outcome, error=NotFound("none", status=404))
        if not life.is_read and life.updated_at is not None:
            life.is_read, life.updated_at = True, self.now  # the source keeps what it was asked for on the row
        return replace(outcome, found=life.transcript)

    def _page(self, outcome: Outcome, walk: Walk, server_time: datetime) -> Outcome:
        wanted = dict(walk.filter)
        rows = self.order[::-1] if "direction" not in wanted else []
        if "status" in wanted:
            rows = [row for row in rows if self.lives[row[2]].status == wanted["status"]]
        if self.shape.largest_tie > 1:
            rows = sorted(((at, self.random.random(), one) for at, _, one in rows), reverse=True)
        limit = walk.limit
        if self.shape.short_pages and not self.is_healed and self.random.random() < self.shape.short_pages:
            limit = self.random.randint(1, limit)
        shown = [self.lives[one] for _, _, one in rows[walk.offset : walk.offset + limit]]
        if any(life.id in self.poisoned for life in shown):
            return replace(outcome, error=SourceUnavailable("failed", status=500))
        if self.shape.parses:
            body = (
                f'{{"data":[{",".join(life.json for life in shown)}],"pagination":{{"total":{len(rows)}}},'
                f'"meta":{{"ts":"{server_time.isoformat()}"}}}}'
            )
            page = replace(parse_page(body.encode(), limit=walk.limit, offset=walk.offset), server_time=self.now)
        else:
            page = Page(
                tuple(life.call for life in shown), (), tuple(life.created_at for life in shown), walk.offset,
                walk.limit, len(rows), None, self.now,
            )  # fmt: skip
        return replace(outcome, page=page)

    # The replicator -----------------------------------------------------------------------------------------------

    def run(self) -> Whole:
        while self.requests < self.shape.chaos_requests and not self.problems:
            before = self.requests
            self._process()
            self.now += timedelta(seconds=self.random.choice([1, 61, 700]))
            if self.requests == before:
                self._churn()
                self.requests += 1  # a process that found nothing to do
        self.is_healed = True
        self.replica.released = 10_000
        # A transcript that brought nothing new again and again is looked at a month later at last.
        last = timedelta(days=31) if self.shape.spoken else timedelta(minutes=61)
        self._process()
        for hours in (1, 2):
            self.now += AN_HOUR
            self._process()
            if not self.poisoned:  # to narrow the pages around such a row costs more than an hour's credit
                self._check_contents(hours)
        for pause in (timedelta(days=91), timedelta(minutes=11), last):
            self.now += pause
            self._process()
        return self

    def _process(self) -> None:
        """Live the life of one process: to its end, to an error, or to its kill."""
        replica, now = self.replica, self.now
        replica.inserted = replica.news = 0
        replica.looks_since = now
        self.answering, self.has_answered = set(), False
        self.workers = self.random.choice(WORKERS)
        options = Options(
            workers=self.workers,
            details=POLICY,
            limits=LIMITS,
            confirm_after=CONFIRM_AFTER,
            base_url="simulated",
            renewal_share=self.renewal_share,
        )
        self.key_budgets = [books.opened(now) for books in self.books]
        for key_budget in self.key_budgets if self.is_lost else ():
            key_budget.assume_lost(now, max(WORKERS))
        position = start(
            options, replica.ledger, now, live=replica.live, oldest_known=replica.oldest(),
            has_absences=bool(replica.open_gaps), difference=replica.difference,
            credit=replica.credit, rest=replica.rest,
        )  # fmt: skip
        driver = Driver(self, Engine(options, position, self._membership(), self.key_budgets, now), self.workers)
        ended = driver.run()
        self.kills += ended is None and not self.problems
        self.is_lost = bool(driver.flights) or ended is None
        for books, key_budget in zip(self.books, self.key_budgets, strict=True) if ended is not None else ():
            books.save(key_budget)  # as a run does that ends, whatever its result
        driver.let_arrive()

    def _membership(self) -> Presence:
        """Return what a new process knows of membership. Where all calls that it remembers are gone, the operator vouches
        for the account: whole purges are what this simulation is not about.
        """
        stored = sorted((i for i, one in self.replica.calls.items() if one.deleted_at is None), key=str)
        remembered = [self.lives[one] for one in stored[:8]]
        is_purged = not any(life.deleted_at is None and life.id not in self.poisoned for life in remembered)
        self.is_empty = not remembered
        self.is_purged = is_purged and not self.is_empty
        self.strange = None
        may_be_strange = self.shape.strange and not (self.is_healed or is_purged)
        if may_be_strange and self.random.random() < self.shape.strange:
            self.strange = self.random.randrange(len(self.books))
        ids = tuple(life.id for life in remembered)
        return Presence(CONFIRM_AFTER, ids, len(self.books), is_same_account=self.is_purged)

    # What the driver asks ------------------------------------------------------------------------------------------

    def way(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(20))

    def way_back(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(10))

    def writing(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(self.random.choice([5, 50, 500])))

    def sent(self, _request: Request) -> None:
        self.requests += 1

    def goes_on(self, action: Action) -> bool:
        """Say whether the process lives. One that is killed at a commit dies before or after it."""
        if self.requests > MOST_REQUESTS:
            self.problems.append("it does not terminate")
            return False
        if self.is_healed or isinstance(action, Ask) or self.random.random() >= self.shape.kills / 2:
            return True
        if isinstance(action, Commit) and self.random.random() < 0.5:
            self.commit(action)
        return False

    def charge(self, charge: Charge) -> bool:
        """Charge a key. Now and then another process, such as `verify`, is faster: it charges and sends one request."""
        key_budget, books = self.key_budgets[charge.key], self.books[charge.key]
        windows = key_budget.budget.windows(charge.at)
        if not self.is_healed and self.random.random() < self.shape.others:
            books.charge(windows, 1)
            self._count(charge.key)
            books.recall(key_budget, charge.at)
            return False
        books.charge(windows, charge.requests)
        return key_budget.charge(charge.at, charge.requests)

    def commit(self, commit: Commit) -> Committed:
        """Write a batch, after a look at what it says."""
        position, batch = commit.position, commit.batch
        for absence in batch.absences:
            self._check_deletion(absence, batch)
        if any(one.request.key == self.strange and (one.page is None or one.page.calls) for one in batch.outcomes):
            self.problems.append("what another account's key shows was written")
        if not self.poisoned and not self.shape.faults and any(row.reason == STEPPED_OVER for row in batch.bad):
            self.problems.append("a row that can be read was taken for one that cannot")
        for books, key_budget in zip(self.books, self.key_budgets, strict=True):
            books.save(key_budget)
        assert position.state.begun_at is not None
        self.replica.rest = Rest(position.state.begun_at, self.now + position.state.poll_every)
        return self.replica.commit(position, batch)

    # The oracle ---------------------------------------------------------------------------------------------------

    def _check_deletion(self, absence: Absence, batch: Batch) -> None:
        """A deletion may be confirmed only of a call that was gone, some time between the question and the control."""
        life, since = self.lives[absence.call_id], absence.missed_at
        if absence.state != "deleted" or since is None:
            return
        controls = [one for one in batch.outcomes if one.request.probe is not None and one.sent_at >= since]
        moments = [since, *(at for one in controls for at in (one.sent_at, one.received_at))]
        if not any(map(life.is_gone, moments)):
            self.problems.append(f"{life.id} lives and was called deleted")

    def _is_proven(self, life: Life) -> bool:
        piece = self.replica.ledger.at(life.created_at)
        is_suspected = life.id in self.replica.open_gaps  # its second answer is still to come
        return piece is not None and piece.is_proven and not is_suspected

    def _check_transcripts(self) -> None:
        """Every transcript that the source has of a live call is stored as it is now, unless nothing could tell that it came
        or was replaced: that was after our last look (or the account looked empty then), which is the last one only past the
        deadline or where one is stored, and the row did not move more than five minutes after it. A row that shares its
        instant with one that cannot be read is seen by chance, so it may not have been seen to move.
        """
        beside = {self.lives[one].created_at for one in self.poisoned}
        for call_id, one in self.replica.calls.items():
            life, known = self.lives[call_id], self.replica.details.get(call_id)
            if not life.text or life.deleted_at is not None or one.deleted_at is not None or life.created_at in beside:
                continue
            if known is not None and known.fingerprint == life.transcript.fingerprint:
                self.transcripts += 1
            elif known is not None and self._is_blind(life, known):
                self.blind += 1
            elif known is None or known.fingerprint is None:
                state = "never queued" if known is None else known.state
                self.problems.append(f"{call_id} has a transcript, and none is stored: {state}")
            else:
                self.problems.append(f"{call_id} has another transcript than the one that is stored")

    def _is_blind(self, life: Life, known: KnownDetail) -> bool:
        """Say whether nothing told that there is another transcript than what the last look brought."""
        looked_at = known.asked_at
        if looked_at is None or known.state == "gave_up":
            return False
        if known.fingerprint is None and (known.deadline_at is None or looked_at < known.deadline_at):
            return False
        was_hidden = life.is_gone(looked_at) or any(
            since < looked_at + timedelta(seconds=10) and looked_at < until for since, until in self.dark
        )
        is_unmoved = (
            life.updated_at is None or life.updated_at <= looked_at + REREAD_SLACK or life.id in self.replica.liars
        )
        return is_unmoved and (was_hidden or life.written_at is None or life.written_at > looked_at)

    def _check_contents(self, hours: int | None = None) -> None:
        """Every live call is stored with the content that it has now, so many hours after the chaos (None: months). A call
        whose stamp went back is believed at the second look.

        None that is gone counts as live where that is proven: after months, because what was refuted is left alone for a
        day.
        """
        when = "at the end" if hours is None else f"after {hours} h"
        replica, readable = self.replica, {i for i in self.lives if i not in self.poisoned}
        beside = {self.lives[one].created_at for one in self.poisoned}
        for call_id in readable:
            # Rows of one instant come in any order: whoever shares it with a row that cannot be read, is read by chance.
            if self.lives[call_id].created_at in beside:
                continue
            life, one = self.lives[call_id], replica.calls.get(call_id)
            if life.deleted_at is None and (one is None or one.deleted_at is not None):
                what = "missing" if one is None else "called deleted"
                self.problems.append(f"{call_id} lives and is {what} {when}")
            elif (
                life.deleted_at is None
                and one is not None
                and one.content != life.call.fingerprint
                and not self.shape.parses
                and not (hours == 1 and call_id in replica.liars)
                and not self._has_just_moved(life)
            ):
                self.problems.append(f"{call_id} is stored with an old content {when}")
            elif (
                hours is None
                and life.deleted_at is not None
                and one is not None
                and one.deleted_at is None
                and self._is_proven(life)
            ):
                self.problems.append(f"{call_id} is gone and counts as live {when}")

    def _has_just_moved(self, life: Life) -> bool:
        """Say whether the row's content is of a transcript that came after the last process began, which may have read the
        row before.
        """
        since = self.replica.looks_since
        return life.carries and since is not None and life.written_at is not None and life.written_at > since

    def check(self) -> list[str]:
        """Say what is wrong at the end, when all is healed."""
        self.problems += self.replica.went_back
        self._check_contents()
        replica = self.replica
        self._check_transcripts()
        for call_id in self.poisoned:
            one = replica.calls.get(call_id)
            if one is not None and one.deleted_at is not None and self.lives[call_id].deleted_at is None:
                self.problems.append(f"{call_id} cannot be read and is called deleted")
        for call_id, life in self.lives.items():
            piece = replica.ledger.at(life.created_at)
            if life.deleted_at is None and call_id not in replica.calls and piece is not None and piece.is_proven:
                self.problems.append(f"{call_id} is missing inside what is said to be proven")
        if replica.ledger.pieces and replica.ledger.holes(Interval(BEGINNING, replica.ledger.top)):
            self.problems.append("holes are left")
        return self.problems


def failures(seeds: Sequence[int]) -> list[str]:
    """Run the histories of these seeds; return what is wrong, with the seed that replays it."""
    found = []
    for seed in seeds:
        shape = random_shape(random.Random(seed))
        found += [f"seed {seed}, {shape}: {problem}" for problem in Whole(seed, shape).run().check()[:1]]
    return found
