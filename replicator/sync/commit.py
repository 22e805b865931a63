"""Writes a batch of outcomes in one transaction: calls, versions, details, quarantine, coverage and the run's counters.

Pure functions decide what an outcome means (content/ and engine/position.py). This module reads what they need and
writes what they return. It changes nothing in memory before the commit is known to have succeeded. So if the connection
breaks during the commit, the same transaction can be done again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from replicator.archive.governance.suppressing import Suppressing
from replicator.archive.payment.payment_rules import PaymentData
from replicator.errors import CommitsLost
from replicator.records import Recording, Transcript
from replicator.store import (
    absences,
    archived,
    detail_habits,
    quarantine,
    runs,
    source_state,
    stages,
    stored_calls,
    stored_coverage,
    stored_details,
)
from replicator.store.lease import hold
from replicator.sync.content.calls import (
    Change,
    Observation,
    Policy,
    Settled,
    settle,
)
from replicator.sync.content.details import answered, counts_for, is_absent, one_each, wanted_of
from replicator.sync.content.habit import Habit, Looks
from replicator.sync.content.missing import may_be_believed
from replicator.sync.content.stages import Stages
from replicator.sync.coverage.ledger import BEGINNING, END, Ledger, Piece, difference
from replicator.sync.engine.freshness import age_classes
from replicator.sync.engine.state import failing
from replicator.sync.payment import Watching, watched
from replicator.sync.protocol.results import Committed
from replicator.sync.pseudonyms import name_parties
from replicator.sync.seal import Notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    import psycopg

    from replicator.archive.payment.payment_watch import Watch
    from replicator.budget.durable import DurableBudget
    from replicator.records import Call
    from replicator.store.lease import Lease
    from replicator.store.rows import DetailRow, Kind, KnownDetail
    from replicator.sync.engine.position import Batch, Position
    from replicator.sync.engine.state import Left
    from replicator.sync.options import Options
    from replicator.sync.protocol.requests import Outcome
    from replicator.sync.pseudonyms import Pseudonyms


@dataclass(slots=True)
class Committer:
    """Writes batches for one account, under one lease."""

    account: str
    lease: Lease
    run_id: int
    policy: Policy
    key_budgets: Sequence[DurableBudget]
    looks_since: datetime
    """Details that are first looked at from now on count together from this instant (content/habit.py)."""
    pseudonyms: Pseudonyms | None = None
    seals: bool = False
    """Whether what is stored is sealed in the archive's chain, too."""
    vendor_keeps: timedelta | None = None
    """How long the vendor keeps audio, where the archive is on: each recording of which a link comes in is queued."""
    suppressing: Suppressing | None = None
    """Recognises what was erased, so that it does not come back; None: without a secret, which an empty list needs not."""
    payment_data: PaymentData = PaymentData.KEEP
    """What is done with texts in which payment data is found, where the archive is on."""
    counters: runs.Counters = field(default_factory=runs.Counters)

    def commit(self, tx: psycopg.Connection[Any], position: Position, batch: Batch, now: datetime) -> Committed:
        """Write the batch and what it proved, inside the caller's transaction; return what the replica then holds.

        Raises CommitsLost where the database no longer has the run's earlier commits.
        """
        hold(tx, self.lease)
        suppressing = self.suppressing or Suppressing(self.account)
        if not runs.has_committed(tx, self.run_id, self.counters, self._next):
            # The rows on which this run's proofs rest may be lost, so none of these proofs may be written.
            raise CommitsLost("the database was set back to an earlier state while this run was writing to it")
        counters = replace(self.counters)
        counters.pages += batch.pages
        counters.rows_received += batch.rows
        notes = Notes(self.account) if self.seals else None
        watch = self._watching.begin(tx) if self.seals else None
        details, gained = self._merge(tx, position, batch, counters, notes, suppressing, watch, now)
        details = one_each(details + self._details(tx, batch, counters))
        details = self._write_details(tx, details, counters, suppressing, watch, now)
        if batch.bad:
            counters.rows_quarantined += quarantine.keep(tx, self.account, suppressing.unread(tx, batch.bad))
        if position.has_quarantine:
            quarantine.resolve(tx, self.account, _seen_at(batch), _still_aside(batch))
        suspected, deleted = self._absences(tx, batch, counters)
        live = None if position.live is None else position.live + gained - deleted
        removed, added = difference(position.stored, position.state.ledger)
        stored_coverage.save_coverage(tx, self.account, map(_row, removed), map(_row, added))
        if notes is not None and watch is not None:
            notes.note_details(details)
            notes.note_coverage(removed, added)
            notes.absences = [one.id for one in batch.absences if one.state == "deleted"]
            notes.seal(tx, now, meanwhile=watch.look)
            watch.save(tx, now)
        if position.state.left:
            stored_coverage.save_failing(tx, self.account, map(_failing, failing(position.state)))
        state, source = position.state, position.source
        row = source_state.SourceRow(
            source.base_url, source.head_at, live, position.difference, sliced_at=state.sliced_at,
            renewal_credit=state.credit.requests, renewal_credit_at=state.credit.at, run_begun_at=state.begun_at,
            run_seen_at=now, capped_at=state.capped_at,
        )  # fmt: skip
        source_state.save_source(tx, self.account, row, source.total, is_identified=state.is_identified)
        for key_budget in self.key_budgets:
            key_budget.save(tx)
        runs.save_run(tx, self.run_id, counters)
        self._next = counters
        return Committed(
            live,
            oldest_known=stored_calls.oldest_live(tx, self.account) if deleted else position.oldest_known,
            has_absences=position.has_absences or suspected > 0,
            inserted=counters.calls_inserted,
            news=counters.news,
        )

    def reload_stages(self, tx: psycopg.Connection[Any]) -> None:
        """Read replicator.status_stages again, because its rows may have changed since the run began."""
        self.policy = replace(self.policy, stages=Stages.of_rows(stages.load(tx)))
        self._watching.reload()

    def committed(self) -> None:
        """Record that the last commit succeeded: its counters and the budgets' charges are stored."""
        self.counters = self._next
        for key_budget in self.key_budgets:
            key_budget.saved()

    _next: runs.Counters = field(default_factory=runs.Counters)
    _watching: Watching = field(init=False)

    def __post_init__(self) -> None:
        self._watching = Watching(self.account, self.payment_data)

    def _merge(
        self,
        tx: psycopg.Connection[Any],
        position: Position,
        batch: Batch,
        counters: runs.Counters,
        notes: Notes | None,
        suppressing: Suppressing,
        watch: Watch | None,
        now: datetime,
    ) -> tuple[list[DetailRow], int]:
        """Merge the calls of the batch; return the rows for their details, and by how many the live calls increased."""
        observations = [
            Observation(call, outcome.sent_at, verified_at(position.stored, call), outcome.server_time)
            for outcome in batch.outcomes
            for call in _calls(outcome)
        ]
        if not observations:
            return [], 0
        if (erased := suppressing.erased(tx, [seen.call for seen in observations], now)).ids:
            observations = [replace(seen, call=erased.of(seen.call)) for seen in observations]
        ids = list({seen.call.id for seen in observations})
        settled = settle(stored_calls.known_calls(tx, self.account, ids), observations)
        if watch is not None:
            settled = watched(settled, watch)
        late = stored_calls.write_calls(tx, self.account, settled.calls, settled.versions)
        if notes is not None:
            notes.note_calls(tx, settled, late)
        stored_calls.note_conflicts(tx, self.account, settled.conflicts)
        name_parties(tx, self.account, settled.calls, self.pseudonyms)
        if position.has_absences:
            by_time: dict[datetime, list[UUID]] = defaultdict(list)
            for seen in observations:
                by_time[seen.asked_at].append(seen.call.id)
            for asked_at, seen_ids in by_time.items():
                counters.absences_ended += absences.end(tx, seen_ids, asked_at)
        found = {Change.NEW: 0, Change.CHANGED: 0, Change.TOUCHED: 0, Change.SAME: 0, Change.LATE: 0}
        for _, change, _ in settled.changes:
            found[change] += 1
        counters.calls_inserted += found[Change.NEW]
        counters.calls_changed += found[Change.CHANGED]
        counters.calls_unchanged += found[Change.SAME] + found[Change.TOUCHED]
        counters.calls_late += found[Change.LATE]
        revived = sum(
            change is Change.CHANGED and before is not None and before.is_deleted
            for _, change, before in settled.changes
        )
        return details_of_all(tx, settled, observations, self.policy), found[Change.NEW] + revived

    def _write_details(
        self,
        tx: psycopg.Connection[Any],
        details: list[DetailRow],
        counters: runs.Counters,
        suppressing: Suppressing,
        watch: Watch | None,
        now: datetime,
    ) -> list[DetailRow]:
        """Write the rows, but none of an erased call, and queue their recordings for the archive; return what was written."""
        if details and (erased := suppressing.stay_away(tx, {row.call_id for row in details})):
            details = [row for row in details if row.call_id not in erased]
        if watch is not None:
            details = watch.details(details)
        if details:
            counters.segments_stored += stored_details.write_details(tx, self.account, details)
            if self.vendor_keeps is not None:
                found = [row.call_id for row in details if row.recording is not None]
                archived.queue(tx, self.account, found, self.vendor_keeps, now)
        return details

    def _absences(self, tx: psycopg.Connection[Any], batch: Batch, counters: runs.Counters) -> tuple[int, int]:
        """Store new and changed absences; return how many calls became suspected, and how many deleted."""
        suspected = 0
        for claim in batch.claims:
            since = None if claim.interval.since == BEGINNING else claim.interval.since
            suspected += absences.suspect(
                tx, self.account, since=since, until=claim.interval.until, present=claim.present,
                asked_at=claim.asked_at, most=claim.most,
            )  # fmt: skip
        deleted = 0
        if batch.absences:
            deleted = absences.save(
                tx,
                [(a.state, a.misses, a.missed_at, a.due_at, a.confirmed_at, a.ended_at, a.id) for a in batch.absences],
            )
            if not absences.suspected(tx, self.account):
                source_state.forget_release(tx, self.account)
        counters.calls_suspected += suspected
        counters.calls_deleted += deleted
        return suspected, deleted

    def _details(self, tx: psycopg.Connection[Any], batch: Batch, counters: runs.Counters) -> list[DetailRow]:
        """Return one row for each transcript or recording that was asked for, whether it was found or not."""
        asked = sorted((one for one in batch.outcomes if one.request.detail is not None), key=lambda one: one.sent_at)
        known: dict[tuple[Kind, UUID], KnownDetail] = {}
        for kind in self.policy.kinds:
            ids = [o.request.detail.call_id for o in asked if o.request.detail and o.request.detail.kind == kind]
            for call_id, detail in stored_details.known_details(tx, kind, ids).items() if ids else ():
                known[kind, call_id] = detail
        habits: dict[Kind, Habit] = {}
        counts: dict[tuple[Kind, datetime], tuple[int, int]] = {}
        rows = []
        for outcome in asked:
            wanted, at = outcome.request.detail, outcome.sent_at
            before = known.get((wanted.kind, wanted.call_id)) if wanted else None
            counters.transcripts_stored += isinstance(outcome.found, Transcript) and not is_absent(outcome)
            counters.recordings_stored += isinstance(outcome.found, Recording)
            counters.details_absent += is_absent(outcome)
            is_in_wave = False
            if wanted and before and before.absent_since and is_absent(outcome) and may_be_believed(before, at):
                if wanted.kind not in habits:
                    stored = detail_habits.load(tx, self.account, wanted.kind)
                    habits[wanted.kind] = Habit(Looks(*row) for row in stored)
                is_in_wave = habits[wanted.kind].is_wave(before.absent_since, at)
            row = answered(outcome, before, self.policy, is_wave=is_in_wave)
            if row is None:
                continue
            rows.append(row)
            if (change := counts_for(row, before, at)) is not None:
                first_look, found, absent = change
                so_far = counts.get((row.kind, first_look), (0, 0))
                counts[row.kind, first_look] = so_far[0] + found, so_far[1] + absent
        if counts:
            detail_habits.count(tx, self.account, self.looks_since, counts)
        return rows


def details_of_all(
    tx: psycopg.Connection[Any], settled: Settled, observations: Iterable[Observation], policy: Policy
) -> list[DetailRow]:
    """Return the detail rows that follow from what happened to the calls."""
    known: dict[UUID, dict[Kind, KnownDetail | None]] = defaultdict(dict)
    old = [call.id for call, change, _ in settled.changes if change is not Change.NEW]
    for kind in policy.kinds if old else ():
        for call_id, detail in stored_details.known_details(tx, kind, old).items():
            known[call_id][kind] = detail
    return wanted_of(settled, observations, known, policy)


def load_ledger(connection: psycopg.Connection[Any], account: str) -> Ledger:
    """Return the ledger as it is stored."""
    return Ledger(
        tuple(
            Piece(BEGINNING if since is None else since, until, verified_at, is_proven, reason)
            for since, until, verified_at, is_proven, reason in stored_coverage.load_coverage(connection, account)
        )
    )


def save_policy(tx: psycopg.Connection[Any], account: str, options: Options, *, keys: int) -> None:
    """Store the run's renewal policy and request budget: `analytics.update_delay` computes its delays from them."""
    a_minute = options.limits.ours_a_minute
    source_state.save_policy(
        tx,
        account,
        options.base_url,
        None if a_minute is None else keys * a_minute,
        options.renewal_share,
        [astuple(age_class) for age_class in age_classes(options.renewal)],
    )


def _row(piece: Piece) -> stored_coverage.CoverageRow:
    since = None if piece.since == BEGINNING else piece.since
    return (since, piece.until, piece.verified_at, piece.is_proven, piece.reason)


def _failing(left: Left) -> stored_coverage.Stretch:
    hole = left.hole
    since, until = None if hole.since == BEGINNING else hole.since, None if hole.until == END else hole.until
    return since, until, left.first_failed_at, left.failed_at


def _seen_at(batch: Batch) -> dict[UUID, datetime]:
    """Return for each call in the batch when it was last asked for."""
    outcomes = sorted(batch.outcomes, key=lambda outcome: outcome.sent_at)
    return {call.id: outcome.sent_at for outcome in outcomes for call in _calls(outcome)}


def _still_aside(batch: Batch) -> list[tuple[UUID, str]]:
    """Return (call id, field) for each field that could not be read in the latest answer about a call of the batch."""
    latest: dict[UUID, Call] = {}
    for outcome in sorted(batch.outcomes, key=lambda outcome: outcome.sent_at):
        latest |= {call.id: call for call in _calls(outcome)}
    return [(call.id, one.field) for call in latest.values() for one in call.set_aside]


def _calls(outcome: Outcome) -> Sequence[Call]:
    if outcome.page is not None:
        return outcome.page.calls
    return [outcome.call] if outcome.call is not None else []


def verified_at(ledger: Ledger, call: Call) -> datetime | None:
    """Return when the call's place in the list was last compared with the source; None if it never was."""
    piece = ledger.at(call.created_at) if call.created_at is not None else None
    return piece.verified_at if piece is not None else None
