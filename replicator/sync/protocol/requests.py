"""Requests and their outcomes, as values. Pure."""

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
    """One transcript or recording that is due to be asked for."""

    kind: Kind
    call_id: UUID
    call_created_at: datetime | None
    attempts: int
    deadline_at: datetime | None
    waits_last: bool = False
    """It is asked for after all other work."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One call to be asked for by id: that of a suspected absence, or (None) a control.

    `about` is the key of which the answer shows whether it may be used, if that is what it is asked for.
    """

    call_id: UUID
    absence: Absence | None = None
    about: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request: exactly one of `walk` (a page of the list), `detail` or `probe` (a call by id) is set.

    `key` is the index of the key whose budget was charged; the charge is valid until `expires_at`.
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
    """The outcome of a request. Times are by our clock; `is_sent` is false where the request was never sent."""

    request: Request
    sent_at: datetime
    received_at: datetime
    server_time: datetime | None = None
    page: Page | None = None
    found: Transcript | Recording | None = None
    call: Call | None = None
    error: SourceError | None = None
    is_sent: bool = True
