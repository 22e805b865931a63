"""The rows that pass from the decisions (sync/content/calls.py) to the writing (stored_calls.py, stored_details.py).
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from replicator.records import READING_VERSION

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Call, Recording, Transcript

Kind = Literal["transcript", "recording"]
QuarantineKind = Literal["row", "field", "never_shown"]
State = Literal["pending", "present", "absent_final", "denied", "gave_up"]


@dataclass(frozen=True, slots=True)
class StampConflict:
    """The source's `updated_at` contradicts the order of our looks: a later look showed an earlier one, or the stored
    one lay in the future. `believed_at` is when the later look was accepted.
    """

    call_id: UUID
    stored_updated_at: datetime
    seen_updated_at: datetime
    first_seen_at: datetime
    believed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownCall:
    """The replica's state of a call, as far as it matters for a new observation."""

    fingerprint: bytes
    updated_at: datetime | None
    observed_at: datetime
    version: int
    status: str | None
    ended_at: datetime | None
    duration_seconds: int | None
    summary: str | None
    is_deleted: bool
    reading_version: int = READING_VERSION
    """The version of the parser that read the stored row."""
    conflict: StampConflict | None = None
    """Set where the source has since shown an earlier `updated_at`."""


@dataclass(frozen=True, slots=True)
class KnownDetail:
    """The replica's state of one detail of a call."""

    state: State
    attempts: int
    due_at: datetime | None
    deadline_at: datetime | None
    fetched_at: datetime | None
    fingerprint: bytes | None
    url_expires_at: datetime | None
    asked_at: datetime | None = None
    absent_looks: int = 0
    """Answers in a row that it is not there; the first of them was asked for at `absent_since`."""
    absent_since: datetime | None = None
    waits_last: bool = False
    """It was not there a day after the end of its call: it is asked for again after all other work."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """One row of truedy.calls to be written. `is_new`: insert it, else update it."""

    call: Call
    version: int
    observed_at: datetime
    is_new: bool
    is_content_changed: bool
    first_seen_at: datetime | None = None
    """If set: when a new call was first seen, before `observed_at`."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One observed content of a call. A late one arrived after a newer one was stored."""

    call: Call
    version: int
    observed_at: datetime
    is_late: bool = False


@dataclass(frozen=True, slots=True)
class DetailRow:
    """One row of truedy.transcripts or truedy.recordings to be written, with its content where there is some."""

    kind: Kind
    call_id: UUID
    state: State
    call_created_at: datetime | None
    attempts: int = 0
    due_at: datetime | None = None
    deadline_at: datetime | None = None
    asked_at: datetime | None = None
    fetched_at: datetime | None = None
    last_error: str | None = None
    transcript: Transcript | None = None
    recording: Recording | None = None
    is_replacement: bool = False
    """An earlier transcript with other content is stored: it moves to the history."""
    is_same_content: bool = False
    is_new: bool = False
    """Nothing is stored about this detail yet."""
    absent_looks: int = 0
    absent_since: datetime | None = None
    waits_last: bool = False


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """One entry for the quarantine: a row or a field that could not be read. `seen_at` is when the request that showed
    it was sent.
    """

    call_id: UUID | None
    request: str
    reason: str
    raw: bytes
    seen_at: datetime
    field: str | None = None
    """The name of the field with these bytes, if the call was read without it."""
    never_shown: tuple[datetime | None, datetime] | None = None
    """For a row that no answer showed: it was created between these instants (None: the beginning)."""

    @property
    def kind(self) -> QuarantineKind:
        return "field" if self.field is not None else "row" if self.never_shown is None else "never_shown"


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One entry of the quarantine, first and last seen at `first_seen_at` and `last_seen_at`."""

    id: int
    call_id: UUID | None
    request: str
    reason: str
    raw: bytes
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    field: str | None = None
    kind: QuarantineKind = "row"
