"""The replica and the budget's books as values in memory: what sync/commit.py and store/ do with a database.

The rules are the product's own (merging, answering, absence); only their storage is a dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from replicator.budget.key_budget import KeyBudget
from replicator.store.rows import DetailRow, KnownCall, KnownDetail
from replicator.sync.content.calls import Change, Observation, Policy, settle
from replicator.sync.content.details import answered, counts_for, one_each, wanted_of
from replicator.sync.content.habit import Habit, Looks
from replicator.sync.coverage.ledger import Ledger
from replicator.sync.deletions.rules import Absence, is_held
from replicator.sync.engine.credit import Credit
from replicator.sync.protocol.requests import Detail
from replicator.sync.protocol.results import Committed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.budget.key_budget import Limits
    from replicator.budget.rules import Budget
    from replicator.records import Call
    from replicator.store.rows import Kind
    from replicator.sync.deletions.rules import Claim
    from replicator.sync.engine.credit import Rest
    from replicator.sync.engine.position import Batch, Position

POLICY = Policy(("transcript",))


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
class InMemory:
    """What the database keeps, in memory: it survives a kill. Answers the engine's questions, and writes its batches."""

    calls: dict[UUID, Stored] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    gaps: list[Gap] = field(default_factory=list)
    open_gaps: dict[UUID, Gap] = field(default_factory=dict)
    details: dict[UUID, KnownDetail] = field(default_factory=dict)
    difference: int | None = None
    credit: Credit = field(default_factory=Credit)
    rest: Rest | None = None
    looks: dict[datetime, Looks] = field(default_factory=dict)
    looks_since: datetime | None = None
    """When the present process began."""
    liars: set[UUID] = field(default_factory=set)
    """Calls whose updated_at says nothing about the order of their contents."""
    released: int | None = None
    went_back: list[str] = field(default_factory=list)
    """Calls whose stored content became an older one than was stored before."""
    inserted: int = 0
    news: int = 0
    """What the present run has stored, and found to be new or changed."""

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

    def due_details(self, kinds: Sequence[Kind], now: datetime, most: int) -> list[Detail]:
        """Return the transcripts that are due, newest call first."""
        due = [
            Detail(
                "transcript",
                call_id,
                self.calls[call_id].created_at,
                known.attempts,
                known.deadline_at,
                known.waits_last,
            )
            for call_id, known in self.details.items()
            if known.due_at is not None and known.due_at <= now and "transcript" in kinds
        ]
        due.sort(
            key=lambda one: (not one.waits_last, self.calls[one.call_id].created_at, one.call_id.int), reverse=True
        )
        return due[:most]

    # What commit.py and store/ do -----------------------------------------------------------------------------

    def _write(self, row: DetailRow) -> None:
        """Where the content was not asked for or is unchanged, what is stored stays."""
        before, found = self.details.get(row.call_id), row.transcript
        kept = before or KnownDetail("pending", 0, None, None, None, None, None)
        self.details[row.call_id] = KnownDetail(
            row.state, row.attempts, row.due_at, row.deadline_at or kept.deadline_at,
            row.fetched_at if found else kept.fetched_at, found.fingerprint if found else kept.fingerprint, None,
            row.asked_at or kept.asked_at, row.absent_looks, row.absent_since, row.waits_last,
        )  # fmt: skip

    def _count(self, first_look: datetime, found: int, absent: int) -> None:
        begun = self.looks_since or first_look
        since = max((one for one in self.looks if one <= first_look), default=begun) if first_look < begun else begun
        group = self.looks.get(since, Looks(since, 0, 0))
        self.looks[since] = Looks(since, group.found + found, max(0, group.absent + absent))

    def commit(self, position: Position, batch: Batch) -> Committed:
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
        for outcome in sorted(batch.outcomes, key=lambda one: one.sent_at):
            asked = outcome.request.detail
            known_detail = self.details.get(asked.call_id) if asked else None
            first = known_detail.absent_since if known_detail else None
            is_in_wave = first is not None and Habit(self.looks.values()).is_wave(first, outcome.sent_at)
            answer = answered(outcome, known_detail, POLICY, is_wave=is_in_wave) if asked else None
            rows += [answer] if answer else []
            if answer and (change := counts_for(answer, known_detail, outcome.sent_at)):
                self._count(*change)
        for row in settled.calls:
            call = row.call
            assert call.created_at is not None
            fresh = KnownCall(
                call.fingerprint, call.updated_at, row.observed_at, row.version, call.status, call.ended_at,
                call.duration_seconds, call.summary, is_deleted=False,
            )  # fmt: skip
            before = self.calls.get(call.id)
            stamps = (before.known.updated_at if before else None, call.updated_at)
            if stamps[0] and stamps[1] and stamps[1] < stamps[0] and call.id not in self.liars:
                self.went_back.append(f"{call.id} went back to an older content")
            self.calls[call.id] = Stored(fresh, call.created_at, call.fingerprint)
        for conflict in settled.conflicts:
            one = self.calls[conflict.call_id]
            one.known = replace(one.known, conflict=conflict)
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
        self.credit = position.state.credit
        found = [change for _, change, _ in settled.changes]
        self.inserted += found.count(Change.NEW)
        self.news += found.count(Change.NEW) + found.count(Change.CHANGED)
        has_absences = position.has_absences or suspected > 0
        live = None if position.live is None else self.live  # nobody has counted them
        return Committed(live, self.oldest(), has_absences, self.inserted, self.news)

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


@dataclass(slots=True)
class Books:
    """What the database keeps of one key's budget: what was charged, and what commits have saved of what answers taught."""

    limits: Limits
    charged: dict[int, int] = field(default_factory=dict)
    saved: Budget | None = None

    def opened(self, now: datetime) -> KeyBudget:
        """Return the budget of a process that begins now."""
        key_budget = KeyBudget(self.limits)
        self.recall(key_budget, now)
        return key_budget

    def recall(self, key_budget: KeyBudget, now: datetime) -> None:
        saved = self.saved
        clock, not_before, limit = (saved.clock, saved.not_before, saved.limit) if saved else (None, None, None)
        key_budget.recall(now, dict(self.charged), clock, not_before, limit)

    def charge(self, windows: Iterable[int], requests: int) -> None:
        for window in windows:
            self.charged[window] = self.charged.get(window, 0) + requests

    def save(self, key_budget: KeyBudget) -> None:
        for window, count in key_budget.take_owed().items():
            self.charge([window], count)
        self.saved = key_budget.budget
