"""Values of the sync room with what a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from replicator.records import Call, Page, Segment, Transcript
from replicator.store.rows import KnownCall, KnownDetail
from replicator.sync.coverage.ledger import EVERYTHING
from replicator.sync.coverage.page import PAGE_LIMIT, Lane, Seen
from replicator.sync.coverage.walk import Walk
from replicator.sync.protocol.questions import Question
from replicator.sync.protocol.requests import Detail, Outcome, Probe, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replicator.errors import SourceError
    from replicator.sync.protocol.questions import Asking

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SAID = Transcript((Segment(0, "agent", "hello", None, None, "{}"),), None, "{}", b"said")
SILENT = Transcript((), None, "{}", b"silent")


def at(minutes: float) -> datetime:
    """Return an instant so many minutes after NOW."""
    return NOW + timedelta(minutes=minutes)


def a_call(number: int = 1, **changes: Any) -> Call:
    """Return a call that has just ended and was connected, created so many minutes before NOW."""
    fields: dict[str, Any] = {
        "agent_id": None, "phone_number": None, "from_number": None, "direction": "outbound", "status": "completed",
        "started_at": None, "ended_at": None, "duration_seconds": None, "cost_usd": None, "summary": None,
        "recording_url": None, "context": None, "created_at": at(-number), "updated_at": at(-number), "raw": "{}",
        "fingerprint": b"a", **changes,
    }  # fmt: skip
    return Call(id=UUID(int=number), **fields)


def known_of(call: Call, observed_at: datetime, **changes: Any) -> KnownCall:
    """Return what the replica knows of a call that it saw at an instant."""
    fields: dict[str, Any] = {
        "fingerprint": call.fingerprint, "updated_at": call.updated_at, "observed_at": observed_at, "version": 1,
        "status": call.status, "ended_at": call.ended_at, "duration_seconds": call.duration_seconds,
        "summary": call.summary, "is_deleted": False, **changes,
    }  # fmt: skip
    return KnownCall(**fields)


def known_detail(state: Any = "present", **changes: Any) -> KnownDetail:
    """Return what the replica knows of a detail."""
    fields: dict[str, Any] = {
        "attempts": 0, "due_at": None, "deadline_at": None, "fetched_at": None, "fingerprint": None,
        "url_expires_at": None, "asked_at": None, **changes,
    }  # fmt: skip
    return KnownDetail(state, **fields)


def a_page(calls: Sequence[Call] = (), *, offset: int = 0, total: int | None = None, **changes: Any) -> Page:
    """Return a page that shows these calls."""
    fields: dict[str, Any] = {
        "unreadable": (), "created": tuple(call.created_at for call in calls), "limit": PAGE_LIMIT, "has_more": None,
        "server_time": NOW, **changes,
    }  # fmt: skip
    return Page(calls=tuple(calls), offset=offset, total=total, **fields)


def seen(created: Iterable[datetime | None], offset: int = 0, total: int | None = None, **changes: Any) -> Seen:
    """Return a page as a walk sees it, asked and answered at NOW."""
    return Seen(tuple(created), offset, total, **{"asked_at": NOW, "server_time": NOW, **changes})


def a_request(lane: Lane = Lane.FRESH, walk: Walk | None = None, **changes: Any) -> Request:
    """Return a request for the page of a walk; for a detail or a call by id, where one is given."""
    if walk is None and not changes.keys() & {"detail", "probe"}:
        walk = Walk(lane, EVERYTHING, 0)
    return Request(lane, 0, at(1), walk, **changes)


def outcome(request: Request, error: SourceError | None = None, sent_at: datetime = NOW, **changes: Any) -> Outcome:
    """Return what became of a request, at once."""
    return Outcome(request, sent_at, sent_at, error=error, **changes)


def a_detail(number: int = 1, kind: Any = "transcript", **changes: Any) -> Detail:
    """Return the due detail of a call."""
    fields = {"call_created_at": at(-number), "attempts": 0, "deadline_at": at(60), **changes}
    return Detail(kind, UUID(int=number), **fields)


def of_detail(detail: Detail | None = None, **changes: Any) -> Outcome:
    """Return what became of the request for a detail."""
    return outcome(a_request(Lane.DETAIL, detail=detail or a_detail()), **changes)


def of_probe(
    number: int, *, call: Call | None = None, error: SourceError | None = None, about: int | None = None
) -> Outcome:
    """Return what became of the request for a call by its id."""
    return outcome(a_request(Lane.CONFIRM, probe=Probe(UUID(int=number), about=about)), error, call=call)


def decided(deciding: Asking[Any], *answers: Any) -> tuple[Any, list[Question]]:
    """Return what was decided, and what was asked, to which these were the answers."""
    asked, waiting = list[Question](), iter(answers)
    try:
        question = next(deciding)
        while True:
            asked.append(question)
            question = deciding.send(next(waiting))
    except StopIteration as end:
        assert next(waiting, None) is None
        return end.value, asked
