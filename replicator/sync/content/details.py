"""Decides what the answer to a request for a transcript or recording means, and which details pages contain. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replicator.errors import Forbidden, NotFound
from replicator.records import Page, Recording, Transcript
from replicator.store.rows import DetailRow
from replicator.sync.content.calls import details_of, fetched_recording, fetched_transcript
from replicator.sync.content.missing import missing_detail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from replicator.store.rows import Kind, KnownDetail
    from replicator.sync.content.calls import Observation, Policy, Settled
    from replicator.sync.protocol.requests import Outcome

PAST_THE_END = frozenset({400, 404, 410, 416, 422})
"""HTTP statuses with which some APIs answer an offset behind the last row, instead of an empty page."""


def as_past_the_end(outcome: Outcome) -> Outcome:
    """Return the outcome, but with an empty page in place of the error, if the refused page lies behind the list's
    total.

    The empty page has no total. The refusal of any other page stays an error.
    """
    walk, error = outcome.request.walk, outcome.error
    if walk is None or error is None or error.status not in PAST_THE_END or isinstance(error, Forbidden):
        return outcome
    if walk.offset == 0 or walk.filter or walk.total is None or walk.offset < walk.total:
        return outcome
    empty = Page((), (), (), walk.offset, walk.limit, None, None, outcome.server_time)
    return replace(outcome, page=empty, error=None)


def is_absent(outcome: Outcome) -> bool:
    """Say whether the answer means that the detail is not there: a 404, or a transcript without a word."""
    return isinstance(outcome.error, NotFound) or _is_empty(outcome)


def _is_empty(outcome: Outcome) -> bool:
    return isinstance(outcome.found, Transcript) and not outcome.found.segments


def answered(outcome: Outcome, known: KnownDetail | None, policy: Policy, *, is_wave: bool = False) -> DetailRow | None:
    """Return the row that follows from one answer or failure; None where there is nothing to write. `is_wave`: far more
    details are absent than usual, so no absence is believed.
    """
    row = _answered(outcome, known, policy, is_wave=is_wave)
    if row is None:
        return None
    if known is None:
        return replace(row, is_new=True)
    return row if row.deadline_at is not None else replace(row, deadline_at=known.deadline_at)


def _answered(outcome: Outcome, known: KnownDetail | None, policy: Policy, *, is_wave: bool) -> DetailRow | None:
    asked, found, error = outcome.request.detail, outcome.found, outcome.error
    if asked is None or (found is None and error is None):
        return None
    call_id, created_at, at = asked.call_id, asked.call_created_at, outcome.sent_at
    if known is not None and known.asked_at == at:
        return None  # it is stored already: a commit whose end was lost is done again
    if isinstance(found, Transcript) and found.segments:
        return fetched_transcript(call_id, created_at, found, known, at, asked.deadline_at)
    if isinstance(found, Recording):
        return fetched_recording(call_id, created_at, found, at, asked.deadline_at)
    row = DetailRow(asked.kind, call_id, "present", created_at, asked.attempts + 1, asked_at=at)
    has_content = known is not None and known.fetched_at is not None
    if has_content and (is_absent(outcome) or isinstance(error, Forbidden)):
        # The source did serve this content once; that it does not serve it now removes nothing.
        return row
    if isinstance(error, Forbidden):
        return replace(row, state="denied", last_error=_reason(outcome))
    missing = missing_detail(
        asked, known, at, policy, reason=_reason(outcome), is_fault=not is_absent(outcome),
        is_empty=_is_empty(outcome), is_wave=is_wave,
    )  # fmt: skip
    if missing.state == "absent_final" and isinstance(found, Transcript):
        return fetched_transcript(call_id, created_at, found, known, at, asked.deadline_at)  # it is there, and empty
    return replace(missing, state="present") if has_content else missing


def counts_for(row: DetailRow, known: KnownDetail | None, at: datetime) -> tuple[datetime, int, int] | None:
    """Return (when the detail was first looked at, +1 where it is found for the first time, change of the absent ones) for
    the account's habit; None where nothing changes.
    """
    first_look = known.absent_since if known is not None else None
    if row.recording is not None or (row.transcript is not None and row.transcript.segments):
        is_new = known is None or known.fetched_at is None
        return (first_look or at, 1, -1 if first_look else 0) if is_new else None
    return (at, 0, 1) if row.absent_looks and first_look is None else None


def wanted_of(
    settled: Settled,
    observations: Iterable[Observation],
    known: Mapping[UUID, Mapping[Kind, KnownDetail | None]],
    policy: Policy,
) -> list[DetailRow]:
    """Return the detail rows that follow from what happened to calls. `known` holds the stored details of calls that
    are not new.
    """
    seen_at = {seen.call.id: seen.asked_at for seen in sorted(observations, key=lambda seen: seen.asked_at)}
    rows: list[DetailRow] = []
    for call, change, before in settled.changes:
        rows += details_of(call, change, before, known.get(call.id, {}), seen_at[call.id], policy)
    return rows


def one_each(rows: Sequence[DetailRow]) -> list[DetailRow]:
    """Return one row for each detail, the latest: a page and a detail request may both bring the same detail."""
    latest: dict[tuple[Kind, UUID], DetailRow] = {}
    for row in rows:
        before = latest.get((row.kind, row.call_id))
        if before is None or not (before.transcript or before.recording) or row.transcript or row.recording:
            latest[row.kind, row.call_id] = row
    return list(latest.values())


def _reason(outcome: Outcome) -> str:
    error = outcome.error
    if error is None:
        return "empty"
    return " ".join(str(part) for part in (type(error).__name__, error.status, error.code) if part is not None)
