"""Requests and what becomes of them, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from replicator.errors import SourceError
    from replicator.records import Call, Page, Recording, Transcript
    from replicator.store.rows import Kind
    from replicator.sync.coverage.page import Lane
    from replicator.sync.coverage.walk import Walk
    from replicator.sync.deletions.rules import Absence


@dataclass(frozen=True, slots=True)
class Detail:
    """One due detail of a call."""

    kind: Kind
    call_id: UUID
    call_created_at: datetime | None
    attempts: int
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True)
class Probe:
    """One call to be asked for by id: a suspected absence, or (None) a control or a remembered call."""

    call_id: UUID
    absence: Absence | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request to be made: the page that `walk` asks for, a detail, or a call by id.

    `key` is the number of the key whose budget was charged, `expires_at` until when that charge is good.
    """

    lane: Lane
    key: int
    expires_at: datetime
    walk: Walk | None = None
    is_head: bool = False
    detail: Detail | None = None
    probe: Probe | None = None

    def __str__(self) -> str:
        if self.probe is not None:
            return f"GET /calls/{self.probe.call_id}"
        if self.detail is not None:
            return f"GET /calls/{self.detail.call_id}/{self.detail.kind}"
        if self.walk is None:
            return "nothing"
        filters = "".join(f"&{name}={value}" for name, value in self.walk.filter)
        return f"GET /calls?limit={self.walk.limit}&offset={self.walk.offset}{filters}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. Times are our clock's; `is_sent` is false where it never left."""

    request: Request
    sent_at: datetime
    received_at: datetime
    server_time: datetime | None = None
    page: Page | None = None
    found: Transcript | Recording | None = None
    call: Call | None = None
    error: SourceError | None = None
    is_sent: bool = True
