"""The records that the source's answers are parsed into. Pure data: no network, no database, no clock.

Column names and meanings are the contract's. Money is Decimal from the response's digits, instants are aware datetimes
in UTC with microseconds, phone numbers are text. JSON that is kept whole (`raw`, `context`) is JSON text that
PostgreSQL's jsonb accepts: what it would refuse is escaped reversibly and flagged (see source/jsontext.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID


CONTRACT_STATUSES = ("queued", "ringing", "in_progress", "completed", "failed", "no_answer", "busy", "voicemail")
DIRECTIONS = ("inbound", "outbound")
"""The contract's words. What each status means is defined by the rows of replicator.status_stages, not in code."""


READING_VERSION = 2
"""Increased when payloads are parsed differently than before. Stored calls are then written anew, without a version,
when they are next seen. 1: one form of each value; 2: every usual form, and fields set aside one by one.
"""


@dataclass(frozen=True, slots=True)
class SetAside:
    """One field of a call that cannot be stored: its place, the bytes as received (or their
    beginning), and the reason.
    """

    field: str
    raw: bytes
    reason: str


class Segment(NamedTuple):
    """One utterance. `position` is 0-based; `speaker` is agent, contact, tool, system or the raw word.

    `raw` is None where the segment is the contract's and the other fields say all of it: `{"speaker": speaker, "text":
    text, "timestamp": start_seconds}`. A tuple, because most records of a replica are segments.
    """

    position: int
    speaker: str
    text: str
    start_seconds: Decimal | None
    end_seconds: Decimal | None
    raw: str | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of one call. `raw` is everything received beside the segments themselves."""

    segments: Sequence[Segment]
    summary: str | None
    raw: str
    fingerprint: bytes
    has_escapes: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """The URL of a call's audio. `url_expires_at` is read from the URL, if the URL contains it."""

    recording_url: str
    url_expires_at: datetime | None
    raw: str
    has_escapes: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call as one response showed it.

    `fingerprint` is the SHA-256 of the canonical payload without `updated_at` and without the signature of
    `recording_url`: reading a call can change both while its content stays the same. `problems` names fields whose
    value could not be read: they are None here and complete in `raw`, unless set aside.
    """

    id: UUID
    agent_id: UUID | None
    phone_number: str | None
    from_number: str | None
    direction: str | None
    status: str | None
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: int | None
    cost_usd: Decimal | None
    summary: str | None
    recording_url: str | None
    context: str | None
    created_at: datetime | None
    updated_at: datetime | None
    raw: str
    fingerprint: bytes
    transcript: Transcript | None = None
    recording_expires_at: datetime | None = None
    is_recording_enabled: bool | None = None
    is_transcription_enabled: bool | None = None
    has_escapes: bool = False
    problems: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    """Fields that cannot be stored; in `raw` each is replaced by a note."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One row or answer that could not be read: the bytes as received and why."""

    raw: bytes
    reason: str
    call_id: UUID | None = None
    created_at: datetime | None = None


Order = Literal["descending", "ascending", "mixed"]


@dataclass(frozen=True, slots=True)
class Page:
    """One list response: an atomic snapshot of a contiguous slice of the source's list.

    `rows` counts everything received, readable or not, each call once. `created` holds the `created_at` of each row in
    the order received (None where unreadable). `total` is None where the source gave none. `server_time` is the
    server's clock when it answered.
    """

    calls: tuple[Call, ...]
    unreadable: tuple[Unreadable, ...]
    created: tuple[datetime | None, ...]
    offset: int
    limit: int
    total: int | None
    has_more: bool | None
    server_time: datetime | None

    @property
    def rows(self) -> int:
        return len(self.created)
