"""What the other rooms need of the source: reading, and nothing else. The client is one, and so is the isolated reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Call, Page, Recording, Transcript

T_co = TypeVar("T_co", covariant=True)


class Answered(Protocol[T_co]):
    """A detail's answer: the value, and the server's clock where it said so."""

    @property
    def value(self) -> T_co: ...
    @property
    def server_time(self) -> datetime | None: ...


class Reading(Protocol):
    """The endpoints that are read, one request each. Each raises SourceError."""

    def list_calls(
        self,
        *,
        limit: int,
        offset: int,
        status: str | None = None,
        direction: str | None = None,
        agent_id: UUID | None = None,
    ) -> Page: ...
    def get_call(self, call_id: UUID) -> Answered[Call]: ...
    def get_transcript(self, call_id: UUID) -> Answered[Transcript]: ...
    def get_recording(self, call_id: UUID) -> Answered[Recording]: ...
