"""Decides what a new observation of a call changes in the stored rows. Pure: rows in, rows out.

- Two observations are the same if `updated_at` *and* the content fingerprint are equal. The same is not written again.
- An older observation never overwrites a newer one, in whatever order the responses arrive. The source's `updated_at`
  decides if both have one and they differ; otherwise the request that was sent later wins.
- The source's `updated_at` is trusted only while it agrees with what we see. One in the future is not used for
  ordering. If it is earlier than the stored one, the answer is first taken for a stale cache's; if a later look shows
  it again, it is accepted as the source's present state. Each such conflict is stored and shown
  (`analytics.data_quality`).
- Every change of a call's content adds a version. If only `updated_at` changed, the row is updated without a new
  version.
- A detail (transcript, recording) is queued when the call can have one. If the list row contains it, it is taken from
  there. It is asked for again when the call changes in a way that can affect it, and some time later when only
  `updated_at` changed and our own request was not the cause.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from replicator.records import READING_VERSION, Recording
from replicator.store.rows import CallRow, DetailRow, Kind, KnownCall, KnownDetail, StampConflict, VersionRow
from replicator.sync.content.stages import CONTRACT, Stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Call, Transcript


class Change(Enum):
    """How an observation compares with the stored call."""

    NEW = "new"
    CHANGED = "changed"
    TOUCHED = "touched"  # only updated_at moved
    SAME = "same"
    LATE = "late"  # older than what is stored


@dataclass(frozen=True, slots=True)
class Observation:
    """One call as one response showed it. `asked_at` is when the request was sent (our clock).

    `verified_at` is when a later, already stored request looked at the call's place in the list, if there was one.
    `server_time` is the server's clock in its answer, if it gave one.
    """

    call: Call
    asked_at: datetime
    verified_at: datetime | None = None
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """Which details are fetched, and for how long a missing one is asked for after the call's end."""

    kinds: tuple[Kind, ...] = ("transcript", "recording")
    give_up_age: timedelta = timedelta(days=7)
    stages: Stages = field(default=CONTRACT)
    """What statuses mean."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of merging a batch: the rows to write, and how each observation compared with the stored call."""

    calls: tuple[CallRow, ...]
    versions: tuple[VersionRow, ...]
    changes: tuple[tuple[Call, Change, KnownCall | None], ...]
    conflicts: tuple[StampConflict, ...] = ()
    """`updated_at` values that contradict earlier ones."""


STAMP_SLACK = timedelta(minutes=5)
"""An `updated_at` this far ahead of the clock counts as being in the future."""
STALE_FOR = timedelta(seconds=1)
"""An earlier `updated_at` is accepted if a look at least this long after the first one shows it again. If it did come
from a stale cache, the newer value wins as soon as it is shown again.
"""


def is_in_the_future(stamp: datetime, *clocks: datetime | None) -> bool:
    """Say whether an `updated_at` is later than all clocks (ours, the server's) at the moment when it was seen."""
    return all(clock is None or stamp > clock + STAMP_SLACK for clock in clocks)


def compare(known: KnownCall | None, seen: Observation) -> Change:
    """Say how an observation compares with the stored call."""
    if known is None:
        return Change.NEW
    call = seen.call
    if call.fingerprint == known.fingerprint and call.updated_at == known.updated_at and not known.is_deleted:
        is_read_otherwise = known.reading_version < READING_VERSION and seen.asked_at >= known.observed_at
        return Change.TOUCHED if is_read_otherwise else Change.SAME
    if _is_late(known, seen):
        return Change.LATE
    if call.fingerprint == known.fingerprint and not known.is_deleted:
        return Change.TOUCHED
    return Change.CHANGED


def _is_late(known: KnownCall, seen: Observation) -> bool:
    now, before = seen.call.updated_at, known.updated_at
    if now is None or before is None or now == before or _is_unordered(known, seen):
        last_look = known.observed_at if seen.verified_at is None else max(known.observed_at, seen.verified_at)
        return seen.asked_at < last_look
    return now < before and not _is_shown_again(known.conflict, known, seen)


def _is_unordered(known: KnownCall, seen: Observation) -> bool:
    """Say whether the two `updated_at` cannot be ordered, because one is missing or lies in the future."""
    now, before = seen.call.updated_at, known.updated_at
    if now is None or before is None:
        return True
    return is_in_the_future(now, seen.asked_at, seen.server_time) or is_in_the_future(before, known.observed_at)


def _is_shown_again(conflict: StampConflict | None, known: KnownCall, seen: Observation) -> bool:
    """Say whether a previous look, made after the stored observation, already showed that `updated_at` went back."""
    if conflict is None or conflict.first_seen_at <= known.observed_at or seen.call.updated_at is None:
        return False
    return seen.asked_at >= conflict.first_seen_at + STALE_FOR and seen.call.updated_at >= conflict.seen_updated_at


def conflict_of(known: KnownCall | None, seen: Observation, change: Change) -> StampConflict | None:
    """Return the conflict that an observation shows, if it is not stored yet or is now accepted; else None."""
    now, before = seen.call.updated_at, known.updated_at if known else None
    if known is None or now is None or before is None or now >= before or seen.asked_at <= known.observed_at:
        return None
    noted = known.conflict
    first_seen_at = seen.asked_at
    if noted is not None and noted.first_seen_at > known.observed_at and now >= noted.seen_updated_at:
        first_seen_at = noted.first_seen_at
        if change is Change.LATE:
            return None
    believed_at = None if change is Change.LATE else seen.asked_at
    return StampConflict(seen.call.id, before, now, first_seen_at, believed_at)


def settle(known: Mapping[UUID, KnownCall], observations: Iterable[Observation]) -> Settled:
    """Merge a batch of observations, in any order, into rows to write: one row per call, and one per version."""
    now_known = dict(known)
    rows: dict[UUID, CallRow] = {}
    versions: list[VersionRow] = []
    changes: list[tuple[Call, Change, KnownCall | None]] = []
    conflicts: dict[UUID, StampConflict] = {}
    for seen in sorted(observations, key=lambda one: one.asked_at):
        call, before = seen.call, now_known.get(seen.call.id)
        change = compare(before, seen)
        changes.append((call, change, before))
        if change is Change.SAME:
            continue
        if (conflict := conflict_of(before, seen, change)) is not None and before is not None:
            conflicts[call.id] = conflict
            now_known[call.id] = before = replace(before, conflict=conflict)
        if change is Change.LATE:
            versions.append(VersionRow(call, 0, seen.asked_at, is_late=True))
            continue
        is_content = change is not Change.TOUCHED
        version = (before.version if before else 0) + is_content
        earlier = rows.get(call.id)
        rows[call.id] = CallRow(
            call,
            version,
            seen.asked_at,
            is_new=call.id not in known,
            is_content_changed=is_content or (earlier is not None and earlier.is_content_changed),
        )
        if is_content:
            versions.append(VersionRow(call, version, seen.asked_at))
        now_known[call.id] = KnownCall(
            call.fingerprint, call.updated_at, seen.asked_at, version, call.status, call.ended_at,
            call.duration_seconds, call.summary, is_deleted=False,
        )  # fmt: skip
    return Settled(tuple(rows.values()), tuple(versions), tuple(changes), tuple(conflicts.values()))


def can_have(call: Call, kind: Kind, stages: Stages) -> bool:
    """Say whether a call can have a transcript or a recording: it is over, was connected, and the
    feature is not off.
    """
    if (call.is_transcription_enabled if kind == "transcript" else call.is_recording_enabled) is False:
        return False
    return stages.is_over(call) and stages.was_connected(call)


def details_of(
    call: Call,
    change: Change,
    before: KnownCall | None,
    known: Mapping[Kind, KnownDetail | None],
    seen_at: datetime,
    policy: Policy,
) -> list[DetailRow]:
    """Return the detail rows that follow from an observation: none, content that the row carries, or a place in the
    queue.
    """
    if change is Change.LATE:
        return []
    rows = []
    for kind in policy.kinds:
        detail = known.get(kind)
        carried = _carried(call, kind, detail, seen_at)
        if carried is not None:
            rows.append(replace(carried, is_new=detail is None, deadline_at=detail.deadline_at if detail else None))
        elif (
            (kind == "transcript" and call.transcript and call.transcript.segments)
            or (kind == "recording" and call.recording_url)
            or (change is Change.SAME and detail is not None)
            or not can_have(call, kind, policy.stages)
        ):
            continue
        elif detail is None:
            ended_at = call.ended_at or call.created_at or seen_at
            rows.append(
                DetailRow(
                    kind,
                    call.id,
                    "pending",
                    call.created_at,
                    due_at=seen_at,
                    deadline_at=ended_at + policy.give_up_age,
                    is_new=True,
                )
            )
        elif detail.due_at is None and before is not None and _concerns_details(call, before):
            rows.append(_again(kind, call, detail, seen_at))
        elif detail.due_at is None and _has_moved_since(call, before, kind, detail, seen_at):
            looks = min(detail.attempts, 10) if detail.state == "present" else 0
            rows.append(_again(kind, call, detail, seen_at + min(REREAD_AFTER * 4**looks, LONGEST_REREAD_WAIT)))
    return rows


REREAD_SLACK = timedelta(minutes=5)
"""If `updated_at` is at most this much later than our own request for a detail, that request is taken as the cause.
This also allows for clocks that differ.
"""
REREAD_AFTER = timedelta(hours=1)
"""How long a known detail waits to be read again after its call's `updated_at` changed. So several changes cost one
request, and it is made together with the details of history, after everything new.
"""
LONGEST_REREAD_WAIT = timedelta(days=30)


def _has_moved_since(call: Call, before: KnownCall | None, kind: Kind, detail: KnownDetail, seen_at: datetime) -> bool:
    """Say whether `updated_at` changed after our last look at the detail, for whatever reason.

    A transcript that is replaced, or that appears after we gave up, changes nothing but `updated_at`. A stored
    recording is not read again: the call's row would carry another URL, and links are renewed when they are wanted.
    """
    if (kind == "recording" and detail.state == "present") or detail.state == "denied":
        return False
    now, stored = call.updated_at, before.updated_at if before is not None else None
    if now is None or detail.asked_at is None:
        return False
    if is_in_the_future(now, seen_at) or (stored is not None and now < stored):
        # Such a stamp cannot be compared with our look. That it is another one than before says enough.
        return stored is not None and now != stored
    return now > detail.asked_at + REREAD_SLACK


def _again(kind: Kind, call: Call, detail: KnownDetail, due_at: datetime) -> DetailRow:
    """Return the row that queues a known detail again."""
    if detail.state == "present":
        return DetailRow(kind, call.id, "present", call.created_at, attempts=detail.attempts, due_at=due_at)
    # Earlier looks count on, so a detail that is still not there costs one request.
    return DetailRow(
        kind, call.id, "pending", call.created_at, due_at=due_at, absent_looks=detail.absent_looks,
        absent_since=detail.absent_since,
    )  # fmt: skip


def _carried(call: Call, kind: Kind, detail: KnownDetail | None, seen_at: datetime) -> DetailRow | None:
    """Return the detail that the list row itself contains, if neither it nor a later one is stored already."""
    if detail is not None and detail.fetched_at is not None and detail.fetched_at > seen_at:
        return None
    # Without a word it may be a placeholder, and only looks over a day make it a fact (missing.py).
    if kind == "transcript" and call.transcript is not None and call.transcript.segments:
        if detail is not None and detail.fingerprint == call.transcript.fingerprint:
            return None
        return fetched_transcript(call.id, call.created_at, call.transcript, detail, seen_at)
    if kind == "recording" and call.recording_url is not None:
        is_fresh = (
            detail is not None
            and detail.state == "present"
            and (detail.url_expires_at is None or detail.url_expires_at > seen_at)
        )
        if is_fresh:
            return None
        found = Recording(call.recording_url, call.recording_expires_at, "{}", has_escapes=call.has_escapes)
        return DetailRow(
            kind, call.id, "present", call.created_at, fetched_at=seen_at, asked_at=seen_at, recording=found
        )
    return None


def _concerns_details(call: Call, before: KnownCall) -> bool:
    """Say whether a change of the call can mean another transcript or recording.

    Our own requests change `updated_at` and the cached `recording_url`, and costs are corrected later: none of these
    counts. A call that was deleted and came back counts, because its details may have been asked for while it was
    missing.
    """
    return before.is_deleted or (call.status, call.ended_at, call.duration_seconds, call.summary) != (
        before.status, before.ended_at, before.duration_seconds, before.summary,
    )  # fmt: skip


def fetched_transcript(
    call_id: UUID,
    created_at: datetime | None,
    transcript: Transcript,
    known: KnownDetail | None,
    asked_at: datetime,
    deadline_at: datetime | None = None,
) -> DetailRow:
    """Return the row for a transcript that was received. An empty transcript never replaces one with text.

    For a stored transcript, `attempts` counts the looks that found nothing new. Each makes the next wait longer, so
    that a call whose `updated_at` changes with every request of ours is not read for ever.
    """
    stored = known.fingerprint if known else None
    looks = known.attempts + 1 if known is not None and stored is not None else 0
    if not transcript.segments and stored is not None:
        return DetailRow("transcript", call_id, "present", created_at, attempts=looks, asked_at=asked_at)
    return DetailRow(
        "transcript", call_id, "present", created_at, attempts=looks if stored == transcript.fingerprint else 0,
        asked_at=asked_at, fetched_at=asked_at, transcript=transcript,
        deadline_at=deadline_at, is_replacement=stored is not None and stored != transcript.fingerprint,
        is_same_content=stored == transcript.fingerprint,
    )  # fmt: skip


def fetched_recording(
    call_id: UUID,
    created_at: datetime | None,
    found: Recording,
    asked_at: datetime,
    deadline_at: datetime | None = None,
) -> DetailRow:
    """Return the row for a recording's URL that was received."""
    return DetailRow(
        "recording", call_id, "present", created_at, asked_at=asked_at, fetched_at=asked_at, recording=found,
        deadline_at=deadline_at,
    )  # fmt: skip
