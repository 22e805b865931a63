"""One history of the whole engine in virtual time: chaos, then heal; a source with an oracle, a replica in memory.

The product's own planner, walks, ledger, budget, judge, merge rules, membership and (in every tenth history) parser
run here; only the shell around them (run.py, committing.py, SQL) is a twin of a few lines. Everything random comes from
the seed, so a failing seed replays.

Chaos: calls are created, changed, deleted, restored and imported late between any two requests; ties come in another
order each time; pages are short; requests fail, are refused, or break on one row; answers come late and out of order;
the process is killed at any moment and loses what it had not committed. Some calls were spoken: their transcripts come
late or never, are empty at first, are replaced, come with the list row, and their provider fails for a while. Heal: all of
that ends.
"""

from __future__ import annotations

import heapq
import random
from bisect import insort
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from uuid import UUID

from replicator.errors import NotFound, RateLimited, SourceError, SourceUnavailable
from replicator.records import Call, Page, Segment, Transcript
from replicator.source.budget import Budget, Landing
from replicator.source.parsing import parse_page
from replicator.store.rows import DetailRow, KnownCall, KnownDetail
from replicator.sync.absence import Absence, is_held
from replicator.sync.aiming import next_page, set_goals
from replicator.sync.answering import answered, one_each, wanted_of
from replicator.sync.fetching import Detail, Outcome, Request
from replicator.sync.judging import Judge, Verdict
from replicator.sync.ledger import BEGINNING, Interval, Ledger
from replicator.sync.membership import Membership
from replicator.sync.merging import REREAD_SLACK, Change, Observation, Policy, settle
from replicator.sync.planning import choose, detail_lane, is_head_due, landed, sent
from replicator.sync.position import STEPPED_OVER, Batch, Position, Source, absorb
from replicator.sync.state import MOST_LIST_REQUESTS, State
from replicator.sync.walking import Lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replicator.sync.absence import Claim
    from replicator.sync.walking import Walk

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
LIMIT = 60
MOST_REQUESTS = 4000
CONFIRM_AFTER = timedelta(minutes=10)
WORKERS = 8
POLICY = Policy(("transcript",))

Flight = tuple[datetime, int, str, Request, datetime | Outcome]
"""(when, ticket, there or back, the request, when it was sent or its outcome)"""


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
    carries: bool = False
    """List rows carry the transcript."""
    bulk: bool = False
    skew: timedelta = timedelta(0)
    chaos_requests: int = 90
    parses: bool = False
    limiter: float = 0.0
    """So many seconds after a page was answered, pages are answered with 500: a limiter that does not say that it is one."""


def random_shape(rng: random.Random) -> Shape:
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


@dataclass(slots=True)
class Stored:
    """One call in the replica: what is known of it, and its tombstone."""

    known: KnownCall
    created_at: datetime
    content: bytes
    deleted_at: datetime | None = None


@dataclass(slots=True)
class Gap:
    """One absence of the replica's books."""

    absence: Absence
    created_at: datetime
    first_missing_at: datetime


@dataclass
class Twin:
    """What the database keeps, in memory: it survives a kill. Answers what membership.py asks."""

    calls: dict[UUID, Stored] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    gaps: list[Gap] = field(default_factory=list)
    open_gaps: dict[UUID, Gap] = field(default_factory=dict)
    details: dict[UUID, KnownDetail] = field(default_factory=dict)
    due: list[tuple[datetime, int, UUID]] = field(default_factory=list)
    """Transcripts that are queued, by when they are due; some may be due at another time by now."""
    difference: int | None = None
    released: int | None = None
    went_back: list[str] = field(default_factory=list)
    """Calls whose stored content became an older one than was stored before."""

    @property
    def live(self) -> int:
        return sum(one.deleted_at is None for one in self.calls.values())

    def oldest(self) -> datetime | None:
        return min((one.created_at for one in self.calls.values() if one.deleted_at is None), default=None)

    def knows_any(self, ids: Sequence[UUID]) -> bool:
        return any(one in self.calls for one in ids)

    def suspected(self) -> int:
        return sum(gap.absence.state == "suspected" for gap in self.open_gaps.values())

    def due_absences(self, live: int, now: datetime, most: int) -> list[Absence]:
        waiting = [gap.absence for gap in self.open_gaps.values() if gap.absence.state == "suspected"]
        if is_held(len(waiting), live, self.released):
            return []
        return [one for one in waiting if one.due_at is not None and one.due_at <= now][:most]

    def stored_before(self, instants: Sequence[datetime], begun_at: datetime) -> dict[datetime, int]:
        return {
            at: sum(one.deleted_at is None and one.created_at < at for one in self.calls.values())
            - sum(
                gap.absence.state == "suspected" and gap.created_at < at and gap.first_missing_at < begun_at
                for gap in self.open_gaps.values()
            )
            for at in instants
        }

    def open_calls(self, _since: datetime) -> list[datetime]:
        return []  # here all calls are over

    def count_newer(self, at: datetime, most: int | None = None) -> int:
        newer = sum(one.deleted_at is None and one.created_at >= at for one in self.calls.values())
        return newer if most is None else min(newer, most)

    def values(self) -> tuple[list[str], list[str], list[str]]:
        return ["failed", "completed"], ["inbound", "outbound"], []

    # What committing.py and store/ do -----------------------------------------------------------------------------

    def queue(self, call_id: UUID) -> None:
        due_at = self.details[call_id].due_at
        if due_at is not None:
            heapq.heappush(self.due, (due_at, call_id.int, call_id))

    def take_due(self, now: datetime, asked: set[UUID]) -> list[Detail]:
        """Return the transcripts that are due and not asked for yet."""
        found = []
        while self.due and self.due[0][0] <= now:
            due_at, _, call_id = heapq.heappop(self.due)
            known = self.details[call_id]
            if known.due_at == due_at and call_id not in asked:
                asked.add(call_id)
                created_at = self.calls[call_id].created_at
                found.append(Detail("transcript", call_id, created_at, known.attempts, known.deadline_at))
        return found

    def _write(self, row: DetailRow) -> None:
        """Where the content was not asked for or is unchanged, what is stored stays."""
        before, found = self.details.get(row.call_id), row.transcript
        kept = before or KnownDetail("pending", 0, None, None, None, None, None)
        self.details[row.call_id] = KnownDetail(
            row.state, row.attempts, row.due_at, row.deadline_at or kept.deadline_at,
            row.fetched_at if found else kept.fetched_at, found.fingerprint if found else kept.fingerprint, None,
            row.asked_at or kept.asked_at,
        )  # fmt: skip
        self.queue(row.call_id)

    def commit(self, position: Position, batch: Batch) -> Position:
        observations = [
            Observation(call, outcome.sent_at, self._verified_at(call))
            for outcome in batch.outcomes
            for call in (outcome.page.calls if outcome.page else [outcome.call] if outcome.call else [])
        ]
        known = {seen.call.id: self.calls[seen.call.id].known for seen in observations if seen.call.id in self.calls}
        settled = settle(known, observations)
        old = [call.id for call, change, _ in settled.changes if change is not Change.NEW]
        stored = {one: {"transcript": self.details[one]} for one in old if one in self.details}
        rows = wanted_of(settled, observations, stored, POLICY)
        for outcome in batch.outcomes:
            asked = outcome.request.detail
            answer = answered(outcome, self.details.get(asked.call_id), POLICY) if asked else None
            rows += [answer] if answer else []
        for row in settled.calls:
            call = row.call
            assert call.created_at is not None
            fresh = KnownCall(
                call.fingerprint, call.updated_at, row.observed_at, row.version, call.status, call.ended_at,
                call.duration_seconds, call.summary, is_deleted=False,
            )  # fmt: skip
            before = self.calls.get(call.id)
            if before and before.known.updated_at and call.updated_at and call.updated_at < before.known.updated_at:
                self.went_back.append(f"{call.id} went back to an older content")
            self.calls[call.id] = Stored(fresh, call.created_at, call.fingerprint)
        for detail in one_each(rows):
            self._write(detail)
        for seen in observations:
            gap = self.open_gaps.get(seen.call.id)
            if gap is not None and gap.first_missing_at < seen.asked_at:
                state = "reappeared" if gap.absence.state == "deleted" else "refuted"
                gap.absence = replace(gap.absence, state=state, ended_at=seen.asked_at)
                del self.open_gaps[seen.call.id]
        suspected = sum(self._suspect(claim) for claim in batch.claims)
        for absence in batch.absences:
            self._save(absence)
        self.ledger, self.difference = position.state.ledger, position.difference
        return replace(
            position,
            stored=self.ledger,
            is_difference_new=False,
            live=self.live,
            oldest_known=self.oldest(),
            has_absences=position.has_absences or suspected > 0,
        )

    def _verified_at(self, call: Call) -> datetime | None:
        piece = self.ledger.at(call.created_at) if call.created_at else None
        return piece.verified_at if piece else None

    def _suspect(self, claim: Claim) -> int:
        present, count = set(claim.present), 0
        beyond = sorted(
            (one.created_at, number) for number, one in self.calls.items()
            if claim.interval.since <= one.created_at < claim.interval.until
        )  # fmt: skip
        for at, number in reversed(beyond):
            one, piece = self.calls[number], self.ledger.at(at)
            is_newer = one.known.observed_at >= claim.asked_at or (piece and piece.verified_at >= claim.asked_at)
            if number in present or one.deleted_at is not None or is_newer or number in self.open_gaps:
                continue
            if any(
                gap.absence.call_id == number and gap.absence.state == "refuted" and gap.absence.ended_at is not None
                and gap.absence.ended_at > claim.asked_at - timedelta(days=1) for gap in self.gaps
            ):  # fmt: skip
                continue
            if claim.most is not None and count >= claim.most and not self._has_confirmed(claim):
                break
            absence = Absence(len(self.gaps), number, "suspected", 0, None, claim.asked_at, claim.most is not None)
            gap = Gap(absence, at, claim.asked_at)
            self.gaps.append(gap)
            self.open_gaps[number] = gap
            count += 1
        return count

    def _has_confirmed(self, claim: Claim) -> bool:
        day = timedelta(days=1)
        confirmed = sum(
            gap.absence.state == "deleted" and gap.created_at < claim.interval.until
            and gap.absence.confirmed_at is not None and gap.absence.confirmed_at > claim.asked_at - day
            for gap in self.gaps
        )  # fmt: skip
        return claim.most is not None and confirmed >= claim.most

    def _save(self, absence: Absence) -> None:
        gap = self.open_gaps.get(absence.call_id)
        if gap is None or gap.absence.id != absence.id or gap.absence.state != "suspected":
            return
        gap.absence = absence
        if absence.state == "deleted":
            one = self.calls[absence.call_id]
            one.deleted_at = absence.confirmed_at
            one.known = replace(one.known, is_deleted=True)
        if absence.ended_at is not None:
            del self.open_gaps[absence.call_id]


class Whole:
    """Runs one history; `problems` says what went against the promises."""

    def __init__(self, seed: int, shape: Shape) -> None:
        self.shape, self.random, self.now = shape, random.Random(seed), START
        self.problems: list[str] = []
        self.requests = self.kills = self.deletions = self.transcripts = self.blind = 0
        self.is_healed = False
        self.lives: dict[UUID, Life] = {}
        self.order: list[tuple[datetime, float, UUID]] = []
        self.poisoned: set[UUID] = set()
        self.counts: dict[int, int] = {}
        self.twin = Twin()
        self.budget = Budget(LIMIT)
        self.dark_until = self.down_until = START
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

    def _answer(self, request: Request, sent_at: datetime) -> Outcome:
        """Answer one request as it arrives, now."""
        window = int((self.now + self.shape.skew).timestamp() // 60)
        self.counts[window] = self.counts.get(window, 0) + 1
        if self.counts[window] > LIMIT:
            self.problems.append(f"window {window} holds more than {LIMIT} requests")
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
        self.twin.released = 10_000
        # A transcript that brought nothing new again and again is looked at a month later at last.
        last = timedelta(days=31) if self.shape.spoken else timedelta(minutes=61)
        for pause in (timedelta(minutes=11), timedelta(days=91), timedelta(minutes=11), last):
            self._process()
            self.now += pause
        self._process()
        return self

    def _process(self) -> None:
        """Live the life of one process: to its end, to an error, or to its kill."""
        twin, now = self.twin, self.now
        remembered = tuple(sorted((i for i, one in twin.calls.items() if one.deleted_at is None), key=str)[:8])
        self.membership = Membership(twin, CONFIRM_AFTER, remembered)
        # The operator vouches for the account: whole purges are what this simulation is not about.
        state = State(twin.ledger, poll_every=timedelta(seconds=60))
        self.position = Position(
            state, twin.ledger, Source("simulated"), twin.oldest(), has_absences=bool(twin.open_gaps), live=twin.live,
            difference=twin.difference,
        )  # fmt: skip
        if not self.membership.identity.is_known and not any(
            life.deleted_at is None and life.id not in self.poisoned
            for i, life in self.lives.items()
            if i in remembered
        ):
            self.membership.identity.is_known = True
        self.position = replace(self.position, state=replace(state, is_identified=self.membership.identity.is_known))
        self.batch, self.judge = Batch(), Judge()
        self.queues: dict[Lane, deque[Detail]] = {Lane.DETAIL: deque(), Lane.BACKLOG: deque()}
        self.asked: set[UUID] = set()
        self.landed: list[UUID] = []
        twin.due = []
        for call_id in twin.details:
            twin.queue(call_id)
        self._assume_lost(now)
        flying: list[Flight] = []
        ticket = 0
        while True:
            if self.requests > MOST_REQUESTS:
                self.problems.append("it does not terminate")
                return
            if not self.is_healed and self.random.random() < self.shape.kills:
                self.kills += 1
                self._let_arrive(flying)
                return
            wake_at = None
            if self.judge.resume_at is None or self.now >= self.judge.resume_at:
                for request in self._requests(WORKERS - len(flying)):
                    ticket += 1
                    heapq.heappush(
                        flying,
                        (self.now + timedelta(seconds=self.random.expovariate(20)), ticket, "there", request, self.now),
                    )
            else:
                wake_at = self.judge.resume_at
            if not flying:
                if self._commit():
                    continue
                wake_at = wake_at or self._rest()
                if wake_at is None and not self._lanes(1):
                    return
                self.now = max(self.now + timedelta(milliseconds=1), wake_at or self.budget.opens_at(self.now))
                continue
            try:
                self._next_event(flying)
            except SourceError:
                self._commit()
                self._let_arrive(flying)
                return

    def _next_event(self, flying: list[Flight]) -> None:
        """Let the next request arrive at the source, or the next answer at the replicator."""
        at, number, what, request, load = heapq.heappop(flying)
        self.now = max(self.now, at)
        if what == "there":
            assert isinstance(load, datetime)
            back = self.now + timedelta(seconds=self.random.expovariate(10))
            heapq.heappush(flying, (back, number, "back", request, self._answer(request, load)))
            return
        assert isinstance(load, Outcome)
        self._take(replace(load, received_at=self.now))
        if self.random.random() < 0.3:
            self._commit()

    def _let_arrive(self, flying: list[Flight]) -> None:
        """The process is gone; its requests arrive all the same."""
        for at, _, what, request, load in sorted(flying, key=lambda one: one[:2]):
            if what == "there" and isinstance(load, datetime):
                self.now = max(self.now, at)
                self._answer(request, load)

    def _assume_lost(self, now: datetime) -> None:
        charged = dict(self.budget.charged)
        if any(self.budget.flying.values()):
            for window in self.budget.windows(now, now + timedelta(seconds=60)):
                charged[window] = charged.get(window, 0) + WORKERS
        self.budget = replace(self.budget, charged=charged, flying={})

    def _lanes(self, room: int) -> list[Lane]:
        self.position = set_goals(self.position, self.now, self.twin)
        self._refill()
        at_hand = {lane: len(queue) for lane, queue in self.queues.items()}
        at_hand[Lane.CONFIRM] = self.membership.ready(self.position, self.now)
        most = self.judge.pace.most(self.now, MOST_LIST_REQUESTS)
        return choose(replace(self.position.state, details=at_hand, most_pages=most), self.now, room)

    def _rest(self) -> datetime | None:
        """Return until when pages have to wait, where there is one that does."""
        is_resting = self.judge.pace.most(self.now, 1) == 0 and bool(choose(self.position.state, self.now, 1))
        return self.judge.pace.rest_until if is_resting else None

    def _refill(self) -> None:
        """Bring due transcripts to hand, unless their provider fails: then what is at hand is put back."""
        if self.position.state.head_asked_at is None:
            return
        if self.judge.is_open("transcript", self.now):
            for detail in self.twin.take_due(self.now, self.asked):
                self.queues[detail_lane(detail.call_created_at, self.now)].append(detail)
            return
        for queue in self.queues.values():
            for detail in queue:
                self.asked.discard(detail.call_id)
                self.twin.queue(detail.call_id)
            queue.clear()

    def _requests(self, room: int) -> list[Request]:
        lanes = self._lanes(room)
        free = self.budget.allowance(self.now)
        made = []
        for lane in lanes[: len(lanes) if free is None else free]:
            self.requests += 1
            self.budget = self.budget.charge(self.now, 1)
            state = self.position.state
            is_head, walk, probe = lane is Lane.FRESH and is_head_due(state, self.now), None, None
            detail = self.queues[lane].popleft() if lane in self.queues else None
            if detail is not None:
                pass
            elif lane is Lane.CONFIRM:
                probe = self.membership.next(self.now)
            else:
                walk = next_page(self.position, lane, is_head=is_head)
            self.position = replace(self.position, state=sent(state, lane, is_head=is_head, at=self.now))
            made.append(Request(lane, 0, self.now + timedelta(minutes=1), walk, is_head, detail, probe))
        return made

    def _take(self, outcome: Outcome) -> None:
        request = outcome.request
        self.budget = self.budget.landed(Landing(outcome.sent_at, outcome.received_at, outcome.server_time))
        state = landed(self.position.state, request.lane, is_head=request.is_head)
        verdict = self.judge.judge(outcome, self.now)
        if isinstance(outcome.error, RateLimited):
            self.budget = self.budget.refused(self.now, outcome.error.reset_at, None, 0)
        if request.is_head and verdict in {Verdict.AGAIN, Verdict.REFUSED}:
            state = replace(state, head_asked_at=None)
        self.position = replace(self.position, state=state)
        if request.detail is not None:
            self.landed.append(request.detail.call_id)
        if verdict is Verdict.FATAL and outcome.error is not None:
            raise outcome.error
        counted = self.membership.recognise(outcome, verdict)
        if self.membership.identity.is_known:
            self.position = replace(self.position, state=replace(self.position.state, is_identified=True))
        for known in counted:
            self._absorb(known, verdict if known is outcome else Verdict.TAKEN)

    def _absorb(self, outcome: Outcome, verdict: Verdict) -> None:
        request = outcome.request
        if verdict is Verdict.TAKEN:
            self.batch.add(outcome)
        if request.probe is not None:
            changed = self.membership.prober.landed(request.probe, outcome)
            self.batch.absences += changed
            for absence in changed:
                self._check_deletion(absence, outcome)
        if request.walk is None:
            return
        ranks = self.membership.ranks(self.position, outcome)
        self.position = absorb(self.position, outcome, verdict, self.batch, stored_before=ranks)
        if not self.poisoned and not self.shape.faults and any(row.reason == STEPPED_OVER for row in self.batch.bad):
            self.problems.append("a row that can be read was taken for one that cannot")
        if outcome.page is not None and outcome.page.calls:
            self.membership.prober.seen([call.id for call in outcome.page.calls])

    def _commit(self) -> bool:
        """Commit what there is; say whether there was anything."""
        is_dirty = bool(self.batch or self.landed) or self.position.is_to_be_stored
        if not is_dirty and not self.position.is_total_new:
            return False
        has_news = bool(self.batch.claims or self.batch.absences)
        self.position = self.twin.commit(self.position, self.batch)
        self.batch = Batch()
        self.asked.difference_update(self.landed)
        for call_id in self.landed:
            self.twin.queue(call_id)
        self.landed = []
        if has_news:
            self.membership.changed()
        self.position = self.membership.compare(self.position, self.now)
        return True

    # The oracle ---------------------------------------------------------------------------------------------------

    def _check_deletion(self, absence: Absence, outcome: Outcome) -> None:
        """A deletion may be confirmed only of a call that was gone, some time between the question and the control."""
        life, since = self.lives[absence.call_id], absence.missed_at
        if (
            absence.state == "deleted"
            and since is not None
            and not (life.is_gone(since) or life.is_gone(outcome.sent_at) or life.is_gone(outcome.received_at))
        ):
            self.problems.append(f"{life.id} lives and was called deleted")

    def _is_proven(self, life: Life) -> bool:
        piece = self.twin.ledger.at(life.created_at)
        is_suspected = life.id in self.twin.open_gaps  # its second answer is still to come
        return piece is not None and piece.is_proven and not is_suspected

    def _check_transcripts(self) -> None:
        """Every transcript that the source has of a live call is stored as it is now, unless nothing could tell that it came
        or was replaced: that was after our last look (or the account looked empty then), which is the last one only past the
        deadline or where one is stored, and the row did not move more than five minutes after it. A row that shares its
        instant with one that cannot be read is seen by chance, so it may not have been seen to move.
        """
        beside = {self.lives[one].created_at for one in self.poisoned}
        for call_id, one in self.twin.calls.items():
            life, known = self.lives[call_id], self.twin.details.get(call_id)
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
        is_unmoved = life.updated_at is None or life.updated_at <= looked_at + REREAD_SLACK
        return is_unmoved and (was_hidden or life.written_at is None or life.written_at > looked_at)

    def check(self) -> list[str]:
        """Say what is wrong at the end, when all is healed."""
        self.problems += self.twin.went_back
        twin, readable = self.twin, {i for i in self.lives if i not in self.poisoned}
        beside = {self.lives[one].created_at for one in self.poisoned}
        for call_id in readable:
            # Rows of one instant come in any order: whoever shares it with a row that cannot be read, is read by chance.
            if self.lives[call_id].created_at in beside:
                continue
            life, one = self.lives[call_id], twin.calls.get(call_id)
            if life.deleted_at is None and (one is None or one.deleted_at is not None):
                self.problems.append(f"{call_id} lives and is {'missing' if one is None else 'called deleted'}")
            elif (
                life.deleted_at is None
                and one is not None
                and one.content != life.call.fingerprint
                and not self.shape.parses
            ):
                self.problems.append(f"{call_id} is stored with an old content")
            elif life.deleted_at is not None and one is not None and one.deleted_at is None and self._is_proven(life):
                self.problems.append(f"{call_id} is gone and counts as live")
        self._check_transcripts()
        for call_id in self.poisoned:
            one = twin.calls.get(call_id)
            if one is not None and one.deleted_at is not None and self.lives[call_id].deleted_at is None:
                self.problems.append(f"{call_id} cannot be read and is called deleted")
        for call_id, life in self.lives.items():
            piece = twin.ledger.at(life.created_at)
            if life.deleted_at is None and call_id not in twin.calls and piece is not None and piece.is_proven:
                self.problems.append(f"{call_id} is missing inside what is said to be proven")
        if twin.ledger.pieces and twin.ledger.holes(Interval(BEGINNING, twin.ledger.top)):
            self.problems.append("holes are left")
        return self.problems


def failures(seeds: Sequence[int]) -> list[str]:
    """Run the histories of these seeds; return what is wrong, with the seed that replays it."""
    found = []
    for seed in seeds:
        shape = random_shape(random.Random(seed))
        found += [f"seed {seed}, {shape}: {problem}" for problem in Whole(seed, shape).run().check()[:1]]
    return found
