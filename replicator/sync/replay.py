"""Reads quarantined rows again with the present parser, and merges those that can now be read as old observations.

A row is merged as if it had been readable when it was last seen, so it never overwrites anything that was seen later:

- If both the row and the stored call have `updated_at`, it decides, as always (content/calls.py).
- Otherwise, an open row of a known call is newer than the stored call: a later answer with a readable call would have
  resolved the row. If the call was unknown, or the row is resolved, the last look at the call's place in the list
  counts as a later observation.
- A row never brings back a deleted call. For a deleted call, or if the row is late, it is only added to the history.

A row that no answer ever showed (`never_shown`) has no bytes to read; it is resolved when its place in the list is
proven. A field that was set aside is not a row: it is read again with the next look at its call, and resolved if it can
be read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from replicator.archive.governance.suppressing import Suppressing
from replicator.archive.payment.payment_rules import PaymentData
from replicator.records import Call
from replicator.source.parsing import parse_row
from replicator.store import lease, quarantine, source_state, stages, stored_calls, stored_details
from replicator.store.rows import UnreadRow, VersionRow
from replicator.store.schema_check import check
from replicator.sync.commit import details_of_all, load_ledger, verified_at
from replicator.sync.content.calls import Change, Observation, Policy, Settled, settle
from replicator.sync.content.details import one_each
from replicator.sync.content.stages import Stages
from replicator.sync.payment import Watching, watched
from replicator.sync.pseudonyms import catch_up, name_parties
from replicator.sync.seal import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    import psycopg

    from replicator.archive.payment.payment_watch import Watch
    from replicator.store.database import Database
    from replicator.store.rows import KeptRow, KnownCall
    from replicator.sync.coverage.ledger import Ledger
    from replicator.sync.pseudonyms import Pseudonyms

BATCH_ROWS = 500
BATCH_BYTES = 16 * 1024 * 1024
"""A transaction of a replay ends after this many rows or this many bytes."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of the rows that were read again: numbers of rows, and of details queued."""

    read: int = 0
    """Rows that could be read; the next four counts say what they changed."""
    calls_inserted: int = 0
    calls_changed: int = 0
    calls_unchanged: int = 0
    calls_late: int = 0
    details_queued: int = 0
    proven: int = 0
    """Rows that no answer ever showed, and whose place in the list is proven by now."""
    unreadable: int = 0
    without_bytes: int = 0
    """Rows that no answer ever showed: there are no bytes to read."""

    @property
    def left(self) -> int:
        """Rows that stay in quarantine."""
        return self.unreadable + self.without_bytes

    def __add__(self, other: Replayed) -> Replayed:
        return Replayed(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def as_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def observation(kept: KeptRow, call: Call, ledger: Ledger) -> Observation:
    """Return a quarantined row as an observation made when the row was last seen."""
    later = kept.resolved_at
    if later is None and kept.call_id is None:
        later = verified_at(ledger, call)
    return Observation(call, kept.last_seen_at, later)


def settle_kept(
    known: Mapping[UUID, KnownCall], found: Sequence[tuple[KeptRow, Call]], ledger: Ledger
) -> tuple[Settled, list[Observation]]:
    """Merge rows that can now be read; return the rows to write, and the observations."""
    is_gone = {call_id: before.is_deleted for call_id, before in known.items()}
    seen = [observation(kept, call, ledger) for kept, call in found]
    settled = settle(known, [one for one in seen if not is_gone.get(one.call.id)])
    first_seen_at: dict[UUID, datetime] = {}
    for kept, call in found:
        first_seen_at[call.id] = min(kept.first_seen_at, first_seen_at.get(call.id, kept.first_seen_at))
    gone = [one for one in seen if is_gone.get(one.call.id)]
    return Settled(
        tuple(replace(row, first_seen_at=first_seen_at[row.call.id]) if row.is_new else row for row in settled.calls),
        (*settled.versions, *(VersionRow(one.call, 0, one.asked_at, is_late=True) for one in gone)),
        (*settled.changes, *((one.call, Change.LATE, known[one.call.id]) for one in gone)),
        settled.conflicts,
    ), seen


def is_proven_by_now(kept: KeptRow, ledger: Ledger) -> bool:
    """Say whether the place of a row that was stepped over has been proven since."""
    piece = ledger.at(datetime.fromisoformat(kept.raw.decode()))
    return piece is not None and piece.is_proven and piece.verified_at > kept.last_seen_at


def batches(sizes: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
    """Divide (id, number of bytes) into lists of ids, each small enough to be held in memory at once."""
    batch: list[int] = []
    weight = 0
    for row_id, size in sizes:
        if batch and (len(batch) >= BATCH_ROWS or weight + size > BATCH_BYTES):
            yield batch
            batch, weight = [], 0
        batch.append(row_id)
        weight += size
    if batch:
        yield batch


def replay(
    database: Database,
    account: str,
    policy: Policy,
    row_id: int | None = None,
    pseudonyms: Pseudonyms | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    *,
    seals: bool = False,
    suppressing: Suppressing | None = None,
    payment_data: PaymentData = PaymentData.KEEP,
) -> Replayed:
    """Read one row again (whether resolved or not), or all open rows, under a lease that is taken for this. `seals`: what
    is stored is sealed in the archive, too, and looked at for payment data.

    Raises LeaseHeld or a DatabaseError.
    """
    check(database)
    held = lease.acquire(database, account, "quarantine --replay")
    done = Replayed()
    try:
        catch_up(database, held, account, pseudonyms)
        with database.connection() as connection:
            wanted = [(row_id, 0)] if row_id is not None else quarantine.open_sizes(connection, account)
        for ids in batches(wanted):
            with database.transaction() as tx:
                lease.hold(tx, held)
                notes = Notes(account) if seals else None
                watch = Watching(account, payment_data).begin(tx) if seals else None
                done += _replay(
                    tx, account, policy, pseudonyms, ids, clock(), notes, suppressing or Suppressing(account), watch
                )
    finally:
        lease.release(database, held)
    return done


def _replay(
    tx: psycopg.Connection[Any],
    account: str,
    policy: Policy,
    pseudonyms: Pseudonyms | None,
    ids: Sequence[int],
    now: datetime,
    notes: Notes | None,
    suppressing: Suppressing,
    watch: Watch | None,
) -> Replayed:
    ledger = load_ledger(tx, account)
    policy = replace(policy, stages=Stages.of_rows(stages.load(tx)))
    found: list[tuple[KeptRow, Call]] = []
    proven: list[int] = []
    unread: list[int] = []
    empty: list[int] = []
    for kept in quarantine.load(tx, account, ids):
        if kept.kind == "never_shown":
            (proven if kept.resolved_at or is_proven_by_now(kept, ledger) else empty).append(kept.id)
        elif kept.field is None and isinstance(call := parse_row(kept.raw), Call):
            found.append((kept, call))
        else:
            unread.append(kept.id)
    erased = suppressing.erased(tx, [call for _, call in found], now)
    suppressing.clean(tx, [(kept.id, kept.raw) for kept, call in found if call.id in erased])
    found = [(kept, erased.of(call)) for kept, call in found]
    settled, seen = settle_kept(stored_calls.known_calls(tx, account, [call.id for _, call in found]), found, ledger)
    if watch is not None:
        settled = watched(settled, watch)
    late = stored_calls.write_calls(tx, account, settled.calls, settled.versions)
    stored_calls.note_conflicts(tx, account, settled.conflicts)
    name_parties(tx, account, settled.calls, pseudonyms)
    source_state.recount(tx, account)
    details = [row for row in one_each(details_of_all(tx, settled, seen, policy)) if row.call_id not in erased]
    if watch is not None:
        details = watch.details(details)
    stored_details.write_details(tx, account, details)
    if notes is not None and watch is not None:
        notes.note_calls(tx, settled, late)
        notes.note_details(details)
        notes.seal(tx, now, meanwhile=watch.look)
        watch.save(tx, now)
    quarantine.keep(tx, account, _set_aside(found))
    quarantine.mark_read(tx, {kept.id: call.id for kept, call in found}, now)
    quarantine.mark_resolved(tx, proven, now)
    quarantine.mark_tried(tx, unread)
    became = [change for _, change, _ in settled.changes]
    return Replayed(
        read=len(found),
        calls_inserted=became.count(Change.NEW),
        calls_changed=became.count(Change.CHANGED),
        calls_unchanged=became.count(Change.SAME) + became.count(Change.TOUCHED),
        calls_late=became.count(Change.LATE),
        details_queued=sum(row.due_at is not None for row in details),
        proven=len(proven),
        unreadable=len(unread),
        without_bytes=len(empty),
    )


def _set_aside(found: Iterable[tuple[KeptRow, Call]]) -> list[UnreadRow]:
    """Return the fields that still cannot be stored, for the quarantine."""
    return [
        UnreadRow(call.id, kept.request, one.reason, one.raw, kept.last_seen_at, one.field)
        for kept, call in found
        for one in call.set_aside
    ]


def note_proven(tx: psycopg.Connection[Any], account: str, ledger: Ledger, now: datetime) -> None:
    """Resolve the rows that were stepped over and whose place in the list is proven by now."""
    kept = quarantine.load_never_shown(tx, account)
    quarantine.mark_resolved(tx, [row.id for row in kept if is_proven_by_now(row, ledger)], now)
