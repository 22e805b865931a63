"""The interface through which the other rooms read the source. The client and the isolated reader implement it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from replicator.records import Call, Page, Recording, Transcript

T_co = TypeVar("T_co", covariant=True)


class Answered(Protocol[T_co]):
    """The answer about one object: the value, and the server's clock where the answer gave it."""

    @property
    def value(self) -> T_co: ...
    @property
    def server_time(self) -> datetime | None: ...


class Reading(Protocol):
    """The reading endpoints, one request each. Each raises a SourceError."""

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
